#ifndef HOST_DOMAIN_TREE_H
#define HOST_DOMAIN_TREE_H

#include <libxml/tree.h>
#include <stdbool.h>
#include <stdint.h>

/* Small helpers over libxml2's tree, which takes care of the escaping. Memory errors end the
 * process, as everywhere in host-vfio (base/must.h). */

/* The first child element of that name, or NULL. A NULL node has no children. */
xmlNode *tree_child(xmlNode *node, const char *name);
/* The next element of the same name among the siblings after this one, or NULL. */
xmlNode *tree_next(xmlNode *node);
/* The child element of that name, made as the last one when there is none. */
xmlNode *tree_need(xmlNode *node, const char *name);
/* A new last child; text may be NULL. */
xmlNode *tree_add(xmlNode *node, const char *name, const char *text);
void tree_set(xmlNode *node, const char *attribute, const char *value);
/* Replaces the whole content by text. */
void tree_set_text(xmlNode *node, const char *text);
void tree_remove(xmlNode *node);
/* Removes every child element of that name. */
void tree_remove_children(xmlNode *node, const char *name);

/*
 * Whether `node` says everything that `wanted` does: the same name and text, each of its attributes
 * and child elements. It may say more, as libvirt does where it fills in what was left open.
 */
bool tree_covers(xmlNode *node, xmlNode *wanted);

/* Copies, or NULL when there is no such attribute; owned by the caller. A NULL node has none. */
char *tree_get(const xmlNode *node, const char *attribute);
char *tree_get_text(const xmlNode *node);
bool tree_is(const xmlNode *node, const char *attribute, const char *value);

/* The element as text; the caller's. */
char *tree_format(xmlNode *node);

/* An element's text with its attribute "unit" as bytes, by libvirt's rules; 0 when absent. */
uint64_t tree_get_bytes(const xmlNode *node);
/* The same of its attribute "size". */
uint64_t tree_get_size(const xmlNode *node);
/* Writes bytes as KiB, libvirt's own unit. */
void tree_set_bytes(xmlNode *node, uint64_t bytes);

#endif
