#include "domain/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

static bool is_element(const xmlNode *node, const char *name) {
	return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

static void need(const void *result) {
	if (result == NULL) {
		fprintf(stderr, "out of memory\n");
		abort();
	}
}

xmlNode *tree_child(xmlNode *node, const char *name) {
	xmlNode *child = node == NULL ? NULL : node->children;
	while (child != NULL && !is_element(child, name)) {
		child = child->next;
	}
	return child;
}

xmlNode *tree_next(xmlNode *node) {
	xmlNode *next = node->next;
	while (next != NULL && !is_element(next, (const char *)node->name)) {
		next = next->next;
	}
	return next;
}

xmlNode *tree_add(xmlNode *node, const char *name, const char *text) {
	xmlNode *child = xmlNewTextChild(node, NULL, BAD_CAST name, BAD_CAST text);
	need(child);
	return child;
}

xmlNode *tree_need(xmlNode *node, const char *name) {
	xmlNode *child = tree_child(node, name);
	return child != NULL ? child : tree_add(node, name, NULL);
}

void tree_set(xmlNode *node, const char *attribute, const char *value) {
	need(xmlSetProp(node, BAD_CAST attribute, BAD_CAST value));
}

void tree_set_text(xmlNode *node, const char *text) {
	xmlNodeSetContent(node, NULL);
	xmlNode *content = xmlNewText(BAD_CAST text);
	need(content);
	need(xmlAddChild(node, content));
}

void tree_remove(xmlNode *node) {
	if (node != NULL) {
		xmlUnlinkNode(node);
		xmlFreeNode(node);
	}
}

void tree_remove_children(xmlNode *node, const char *name) {
	xmlNode *child;
	while ((child = tree_child(node, name)) != NULL) {
		tree_remove(child);
	}
}

static char *take(xmlChar *text) {
	char *copy = must_copy((const char *)text);
	xmlFree(text);
	return copy;
}

char *tree_get(const xmlNode *node, const char *attribute) {
	return node == NULL ? NULL : take(xmlGetNoNsProp(node, BAD_CAST attribute));
}

char *tree_get_text(const xmlNode *node) {
	return node == NULL ? NULL : take(xmlNodeGetContent(node));
}

bool tree_is(const xmlNode *node, const char *attribute, const char *value) {
	char *have = tree_get(node, attribute);
	bool same = have != NULL && strcmp(have, value) == 0;
	free(have);
	return same;
}

static bool covers_attributes(xmlNode *node, xmlNode *wanted) {
	for (xmlAttr *attribute = wanted->properties; attribute != NULL;
		attribute = attribute->next) {
		char *value = tree_get(wanted, (const char *)attribute->name);
		bool same = value != NULL && tree_is(node, (const char *)attribute->name, value);
		free(value);
		if (!same) {
			return false;
		}
	}
	return true;
}

static bool covers_text(xmlNode *node, xmlNode *wanted) {
	char *have = tree_get_text(node), *want = tree_get_text(wanted);
	bool same = have != NULL && want != NULL && strcmp(have, want) == 0;
	free(have);
	free(want);
	return same;
}

static bool covers_child(xmlNode *node, xmlNode *wanted) {
	xmlNode *child = tree_child(node, (const char *)wanted->name);
	while (child != NULL && !tree_covers(child, wanted)) {
		child = tree_next(child);
	}
	return child != NULL;
}

bool tree_covers(xmlNode *node, xmlNode *wanted) {
	if (!is_element(node, (const char *)wanted->name) || !covers_attributes(node, wanted)) {
		return false;
	}
	bool has_elements = false;
	for (xmlNode *child = wanted->children; child != NULL; child = child->next) {
		if (child->type == XML_ELEMENT_NODE) {
			has_elements = true;
			if (!covers_child(node, child)) {
				return false;
			}
		}
	}
	return has_elements || covers_text(node, wanted);
}

char *tree_format(xmlNode *node) {
	xmlBuffer *buffer = xmlBufferCreate();
	need(buffer);
	xmlNodeDump(buffer, node->doc, node, 0, 1);
	char *text = must_copy((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	return text;
}

/* virScaleInteger's units; KiB where libvirt leaves the unit out. */
static uint64_t unit_bytes(const char *unit) {
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = {
		{"b", 1},
		{"bytes", 1},
		{"KB", 1000},
		{"k", 1 << 10},
		{"KiB", 1 << 10},
		{"MB", 1000 * 1000},
		{"M", 1 << 20},
		{"MiB", 1 << 20},
		{"GB", 1000 * 1000 * 1000},
		{"G", 1 << 30},
		{"GiB", 1 << 30},
		{"TB", UINT64_C(1000) * 1000 * 1000 * 1000},
		{"T", UINT64_C(1) << 40},
		{"TiB", UINT64_C(1) << 40},
	};
	for (size_t i = 0; unit != NULL && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(units[i].name, unit) == 0) {
			return units[i].bytes;
		}
	}
	return 1 << 10;
}

static uint64_t parse_bytes(const char *text, const char *unit) {
	if (text == NULL) {
		return 0;
	}
	errno = 0;
	unsigned long long number = strtoull(text, NULL, 10);
	uint64_t scale = unit_bytes(unit);
	return errno != 0 || number > UINT64_MAX / scale ? 0 : number * scale;
}

uint64_t tree_get_bytes(const xmlNode *node) {
	char *text = tree_get_text(node), *unit = tree_get(node, "unit");
	uint64_t bytes = parse_bytes(text, unit);
	free(text);
	free(unit);
	return bytes;
}

uint64_t tree_get_size(const xmlNode *node) {
	char *text = tree_get(node, "size"), *unit = tree_get(node, "unit");
	uint64_t bytes = parse_bytes(text, unit);
	free(text);
	free(unit);
	return bytes;
}

void tree_set_bytes(xmlNode *node, uint64_t bytes) {
	char text[32];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(bytes >> 10));
	tree_set(node, "unit", "KiB");
	tree_set_text(node, text);
}
