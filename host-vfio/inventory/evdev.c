#include "inventory/evdev.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "inventory/input.h"

/* The first link of a directory of /dev/input that leads to the event device; the caller's. */
static char *find_link(struct tree *tree, const char *directory, const char *event) {
	struct strings names = tree_list(tree, "/dev/input/%s", directory);
	char *found = NULL;
	for (size_t i = 0; i < names.count && !found; i++) {
		/* The device's other nodes (mouse0, js0) have links beside it. */
		if (!strstr(names.items[i], "event")) {
			continue;
		}
		char *link = tree_link(tree, "/dev/input/%s/%s", directory, names.items[i]);
		if (link && strcmp(path_name(link), event) == 0) {
			found = must_print("/dev/input/%s/%s", directory, names.items[i]);
		}
		free(link);
	}
	strings_finish(&names);
	return found;
}

static unsigned read_id(struct tree *tree, const char *path, const char *name) {
	char *text = tree_text(tree, "%s/id/%s", path, name);
	unsigned id = text ? (unsigned)strtoul(text, NULL, 16) : 0;
	free(text);
	return id;
}

static void add(struct evdevs *evdevs, const struct machine *machine, struct tree *tree,
	const char *event, const char *path) {
	bool keyboard = input_is_keyboard(tree, path);
	if (!keyboard && !input_is_pointer(tree, path)) {
		return;
	}
	char *name = tree_text(tree, "%s/name", path);
	char *stable = find_link(tree, "by-id", event);
	evdevs->items = must_grow(evdevs->items, evdevs->count, sizeof(*evdevs->items));
	evdevs->items[evdevs->count++] = (struct evdev){
		.node = must_print("/dev/input/%s", event),
		.stable = stable ? stable : find_link(tree, "by-path", event),
		.name = name ? name : must_copy("an input device"),
		.keyboard = keyboard,
		.bus = read_id(tree, path, "bustype"),
		.vendor = read_id(tree, path, "vendor"),
		.product = read_id(tree, path, "product"),
		.controller = machine_find_path(machine, path),
	};
}

void evdevs_read(struct evdevs *evdevs, const struct machine *machine, struct tree *tree) {
	*evdevs = (struct evdevs){0};
	struct strings names = tree_list(tree, "/sys/class/input");
	for (size_t i = 0; i < names.count; i++) {
		const char *event = names.items[i];
		char *path = strncmp(event, "event", 5) == 0
				     ? tree_target(tree, "/sys/class/input/%s", event)
				     : NULL;
		/* ".../input7/event5": the input device is one above. */
		char *slash = path ? strrchr(path, '/') : NULL;
		if (slash) {
			*slash = '\0';
			add(evdevs, machine, tree, event, path);
		}
		free(path);
	}
	strings_finish(&names);
}

void evdevs_finish(struct evdevs *evdevs) {
	for (size_t i = 0; i < evdevs->count; i++) {
		free(evdevs->items[i].node);
		free(evdevs->items[i].stable);
		free(evdevs->items[i].name);
	}
	free(evdevs->items);
	*evdevs = (struct evdevs){0};
}

const struct evdev *evdevs_find(
	const struct evdevs *evdevs, const char *path, struct error *error) {
	for (size_t i = 0; i < evdevs->count; i++) {
		const struct evdev *evdev = &evdevs->items[i];
		if (strcmp(evdev->node, path) == 0 || strcmp(path_name(evdev->node), path) == 0 ||
			(evdev->stable && strcmp(evdev->stable, path) == 0)) {
			return evdev;
		}
	}
	error_set(error,
		"%s is no keyboard or mouse of this machine (portal-host inputs lists them)", path);
	return NULL;
}
