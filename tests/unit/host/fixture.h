#ifndef TESTS_HOST_FIXTURE_H
#define TESTS_HOST_FIXTURE_H

#include "inventory/machine.h"
#include "transaction/findings.h"
#include "tree/memory.h"

/* A recorded machine of tests/machines/, by its name without ".machine". Fails the test when it
 * cannot be read. */
struct memory_tree *fixture_tree(const char *name);
/* The same, looked at: the caller finishes it. */
struct machine fixture_machine(const char *name);

/* Is there a finding that says so? */
bool fixture_finds(const struct findings *findings, bool blocks, const char *words);

/* The names of all recorded machines, NULL at the end. */
extern const char *const fixture_names[];

#endif
