#include "domain/tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/tree.h"

/* An element that says nothing any more goes. */
static void remove_empty(xmlNode *node) {
	if (node == NULL || node->properties != NULL) {
		return;
	}
	for (xmlNode *child = node->children; child != NULL; child = child->next) {
		if (child->type == XML_ELEMENT_NODE) {
			return;
		}
	}
	tree_remove(node);
}

static void set_suspend(xmlNode *root, const char *name, enum domain_switch wanted) {
	if (wanted == DOMAIN_SWITCH_UNSET) {
		return;
	}
	if (wanted == DOMAIN_SWITCH_DEFAULT) {
		xmlNode *pm = tree_child(root, "pm");
		tree_remove_children(pm, name);
		remove_empty(pm);
		return;
	}
	tree_set(tree_need(tree_need(root, "pm"), name), "enabled",
		wanted == DOMAIN_SWITCH_ON ? "yes" : "no");
}

void tuning_set_suspend(xmlNode *root, enum domain_switch to_memory, enum domain_switch to_disk) {
	set_suspend(root, "suspend-to-mem", to_memory);
	set_suspend(root, "suspend-to-disk", to_disk);
}

void tuning_set_hugepages(xmlNode *root, uint64_t size) {
	if (size == 0) {
		xmlNode *backing = tree_child(root, "memoryBacking");
		tree_remove_children(backing, "hugepages");
		remove_empty(backing);
		return;
	}
	xmlNode *pages = tree_need(tree_need(root, "memoryBacking"), "hugepages");
	xmlNode *page = tree_child(pages, "page");
	if (size == TUNING_HUGEPAGES_DEFAULT) {
		tree_remove_children(pages, "page");
		return;
	}
	/* Several pages, or one for some NUMA nodes only, say more than this option can. */
	if (page != NULL && tree_next(page) == NULL &&
		xmlHasProp(page, BAD_CAST "nodeset") == NULL) {
		uint64_t kib = size >> 10;
		char *have = tree_get(page, "size"), *unit = tree_get(page, "unit");
		bool same = have != NULL && (unit == NULL || strcmp(unit, "KiB") == 0) &&
			    strtoull(have, NULL, 10) == kib;
		free(have);
		free(unit);
		if (same) {
			return;
		}
	}
	tree_remove_children(pages, "page");
	page = tree_add(pages, "page", NULL);
	char text[32];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(size >> 10));
	tree_set(page, "size", text);
	tree_set(page, "unit", "KiB");
}

unsigned tuning_vcpus(xmlNode *root) {
	char *text = tree_get_text(tree_child(root, "vcpu"));
	unsigned long count = text == NULL ? 1 : strtoul(text, NULL, 10);
	free(text);
	return count < 1 || count > 65536 ? 1 : (unsigned)count;
}

static xmlNode *find_pin(xmlNode *tune, unsigned vcpu) {
	char number[16];
	snprintf(number, sizeof(number), "%u", vcpu);
	xmlNode *pin = tree_child(tune, "vcpupin");
	while (pin != NULL && !tree_is(pin, "vcpu", number)) {
		pin = tree_next(pin);
	}
	if (pin == NULL) {
		pin = tree_add(tune, "vcpupin", NULL);
		tree_set(pin, "vcpu", number);
	}
	return pin;
}

int tuning_pin(xmlNode *root, const struct domain_pin *pins, size_t count, struct error *error) {
	for (size_t i = 0; i < count; i++) {
		if (pins[i].vcpu >= tuning_vcpus(root)) {
			return error_set(error,
				"the guest has no virtual processor %u: its %u are counted from 0",
				pins[i].vcpu, tuning_vcpus(root));
		}
	}
	for (size_t i = 0; i < count; i++) {
		xmlNode *pin = find_pin(tree_need(root, "cputune"), pins[i].vcpu);
		tree_set(pin, "cpuset", pins[i].cpuset);
	}
	return 0;
}

void tuning_pin_emulator(xmlNode *root, const char *cpuset) {
	tree_set(tree_need(tree_need(root, "cputune"), "emulatorpin"), "cpuset", cpuset);
}

void tuning_unpin(xmlNode *root) {
	xmlNode *tune = tree_child(root, "cputune");
	tree_remove_children(tune, "vcpupin");
	tree_remove_children(tune, "emulatorpin");
	remove_empty(tune);
}

static void tell_pin(xmlNode *pin, int vcpu, void (*each)(void *data, int vcpu, const char *cpuset),
	void *data) {
	char *cpuset = tree_get(pin, "cpuset");
	if (cpuset != NULL) {
		each(data, vcpu, cpuset);
	}
	free(cpuset);
}

void tuning_each_pin(
	xmlNode *root, void (*each)(void *data, int vcpu, const char *cpuset), void *data) {
	xmlNode *tune = tree_child(root, "cputune");
	for (xmlNode *pin = tree_child(tune, "vcpupin"); pin != NULL; pin = tree_next(pin)) {
		char *vcpu = tree_get(pin, "vcpu");
		if (vcpu != NULL) {
			tell_pin(pin, atoi(vcpu), each, data);
		}
		free(vcpu);
	}
	xmlNode *emulator = tree_child(tune, "emulatorpin");
	if (emulator != NULL) {
		tell_pin(emulator, -1, each, data);
	}
}
