#ifndef TESTS_HOST_LADDER_H
#define TESTS_HOST_LADDER_H

#include "scene.h"

/* A graphics card of each recorded machine that has an IOMMU. */
struct ladder {
	const char *fixture, *address;
};

enum { LADDERS = 4 };
extern const struct ladder ladders[LADDERS];

#define FOR_EACH_LADDER(i) for (size_t i = 0; i < LADDERS; i++)

extern const struct release_options ladder_every_rung;

/* A scene with a plan to release the card. `cure` as kernel_model_break() has it. */
void ladder_begin(
	struct scene *scene, size_t card, const char *cure, const struct release_options *options);
/* The same on a kernel that has no file for resetting a bus (before Linux 6.13). */
void ladder_begin_without_bus_reset(
	struct scene *scene, size_t card, const char *cure, const struct release_options *options);
/* Runs the plan: how many operations the whole ladder comes to. */
unsigned ladder_count_operations(struct scene *scene, int outcome);

#endif
