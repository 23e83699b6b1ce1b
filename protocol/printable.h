#ifndef PORTAL_PRINTABLE_H
#define PORTAL_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What somebody else wrote, for logs and terminals: one line that none of them obeys. Each byte
 * that is not printable ASCII becomes a question mark, and what size has no room for is cut off.
 * The two texts may be the same. (portal, which links nothing of this folder, has the rule in
 * label_clean_name().)
 */
void portal_printable_copy(char *to, size_t size, const char *untrusted_text, size_t length);
/* Whether that would change none of its bytes. */
bool portal_printable_is(const char *untrusted_text, size_t length);

#endif
