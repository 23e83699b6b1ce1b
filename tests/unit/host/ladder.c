#include "ladder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"

const struct ladder ladders[LADDERS] = {
	{"notes-laptop", "0000:01:00.0"},
	{"many-nic-server", "0000:03:00.0"}, /* with the text console on it */
	{"single-gpu-laptop", "0000:04:00.0"},
	{"two-gpu-desktop", "0000:01:00.0"},
};

const struct release_options ladder_every_rung = {
	.stop_holders = true, .suspend = RELEASE_SUSPEND_ALLOWED};

/* Where a card's bus can be reset as a whole; NULL: the root bus has no bridge. */
static char *bus_reset_file(struct kernel_model *model, const char *address) {
	struct tree *tree = kernel_model_tree(model);
	char *path = tree_target(tree, "/sys/bus/pci/devices/%s", address);
	char *slash = strrchr(path, '/');
	*slash = '\0';
	bool bridge = strncmp(path_name(path), "pci", 3) != 0;
	char *file = bridge ? must_print("%s/reset_subordinate", path) : NULL;
	free(path);
	return file;
}

static void add_bus_reset(struct kernel_model *model, const char *address) {
	char *file = bus_reset_file(model, address);
	if (file) {
		memory_tree_put_file(kernel_model_memory(model), file, "", 0);
	}
	free(file);
}

void ladder_begin(
	struct scene *scene, size_t card, const char *cure, const struct release_options *options) {
	struct kernel_model *model = kernel_model_create(ladders[card].fixture);
	add_bus_reset(model, ladders[card].address);
	scene_begin_with(scene, model);
	kernel_model_break(model, ladders[card].address, cure);
	scene_plan_release(scene, ladders[card].address, options);
}

void ladder_begin_without_bus_reset(
	struct scene *scene, size_t card, const char *cure, const struct release_options *options) {
	ladder_begin(scene, card, cure, options);
	char *file = bus_reset_file(scene->model, ladders[card].address);
	memory_tree_remove(kernel_model_memory(scene->model), file);
	free(file);
	scene_plan_release(scene, ladders[card].address, options);
}

unsigned ladder_count_operations(struct scene *scene, int outcome) {
	kernel_model_arm(scene->model, NULL, 0);
	assert_int_equal(scene_run(scene), outcome);
	unsigned count = kernel_model_operations(scene->model);
	kernel_model_arm(scene->model, NULL, 0);
	return count;
}
