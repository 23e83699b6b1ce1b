#include "domain/evdev.h"

#include <stddef.h>
#include <string.h>

#include "domain/tree.h"

bool evdev_is_toggle(const char *word) {
	static const char *const words[] = {"ctrl-ctrl", "alt-alt", "shift-shift", "meta-meta",
		"scrolllock", "ctrl-scrolllock"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], word) == 0) {
			return true;
		}
	}
	return false;
}

static xmlNode *find(xmlNode *root, const char *path) {
	xmlNode *input = tree_child(tree_child(root, "devices"), "input");
	while (input != NULL && !(tree_is(input, "type", "evdev") &&
					tree_is(tree_child(input, "source"), "dev", path))) {
		input = tree_next(input);
	}
	return input;
}

static void apply(
	xmlNode *source, const char *name, enum domain_switch wanted, const char *on_word) {
	if (wanted == DOMAIN_SWITCH_ON) {
		tree_set(source, name, on_word);
	} else if (wanted != DOMAIN_SWITCH_UNSET) {
		xmlUnsetProp(source, BAD_CAST name);
	}
}

void evdev_add(xmlNode *root, const struct domain_evdev *evdev) {
	xmlNode *input = find(root, evdev->path);
	if (input == NULL) {
		input = tree_add(tree_need(root, "devices"), "input", NULL);
		tree_set(input, "type", "evdev");
		tree_set(tree_add(input, "source", NULL), "dev", evdev->path);
	}
	xmlNode *source = tree_need(input, "source");
	apply(source, "grab", evdev->grab_all, "all");
	apply(source, "repeat", evdev->repeat, "on");
	if (evdev->toggle != NULL && evdev->toggle[0] != '\0') {
		tree_set(source, "grabToggle", evdev->toggle);
	} else if (evdev->toggle != NULL) {
		xmlUnsetProp(source, BAD_CAST "grabToggle");
	}
}

void evdev_remove(xmlNode *root, const char *path) {
	tree_remove(find(root, path));
}
