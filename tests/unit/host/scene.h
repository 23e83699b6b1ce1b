#ifndef TESTS_HOST_SCENE_H
#define TESTS_HOST_SCENE_H

#include "kernel_model.h"
#include "release/release.h"

/* A modelled machine, a directory for journals, and a plan to take a device. */
struct scene {
	struct kernel_model *model;
	char directory[64];
	struct machine machine;
	struct plan plan;
	struct transaction_host host;
	const char *what; /* "take" or "return" */
	char *before; /* kernel_model_state() */
};

/* `addresses` with a blank between them. */
void scene_begin(struct scene *scene, const char *fixture, const char *addresses);
/* The same with a model of one's own, and no plan yet. The model is taken over. */
void scene_begin_with(struct scene *scene, struct kernel_model *model);
/* Plans to release a graphics card, whatever the survival guard says. */
void scene_plan_release(
	struct scene *scene, const char *address, const struct release_options *options);
void scene_end(struct scene *scene);
/* Reads the machine anew and plans the way back of the same devices. */
void scene_plan_return(struct scene *scene);
/* Reads the machine anew and plans the way back of everything that the journals say was taken. */
void scene_plan_return_of_all(struct scene *scene);
/* Fails unless every driver and override is as it was at the beginning. */
void scene_assert_former(const struct scene *scene);
/* Fails unless every planned device is as wanted. */
void scene_assert_taken(const struct scene *scene);
/* Runs the plan in a process of its own, which may be killed: its outcome, or -1 when it was. */
int scene_run(struct scene *scene);
/* The same for recovery. */
int scene_recover(struct scene *scene);
/* In the next run or recovery, the process kills itself at the how manieth report of progress. -1:
 * never. */
void scene_kill_at(struct scene *scene, int report);

/* Runs the plan with these faults, of which those that kill end the run: it is undone, by itself or
 * by the recovery, and everything is as it was. */
void scene_fail(struct scene *scene, const struct fault *faults, size_t count);
/* The same with two faults of which the second may kill the recovery: the next one undoes it. */
void scene_kill_twice(struct scene *scene, const struct fault faults[2]);
/* Kills the run at each report of progress in turn, as above, until one comes to its end. Returns
 * how many reports there are, and leaves what that run came to. */
int scene_kill_at_each(struct scene *scene);

#endif
