#include "tree/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { LINKS_MAX = 40 };

struct node {
	char *name;
	enum memory_node_kind kind;
	void *data; /* file content or link text, with a zero byte behind it */
	size_t size;
	struct node **children; /* sorted by name */
	size_t children_count;
};

struct memory_tree {
	struct tree base;
	struct node root;
};

static void node_destroy(struct node *node);

static void node_finish(struct node *node) {
	for (size_t i = 0; i < node->children_count; i++) {
		node_destroy(node->children[i]);
	}
	free(node->children);
	free(node->data);
	free(node->name);
}

static void node_destroy(struct node *node) {
	node_finish(node);
	free(node);
}

/* Where `name` is among the children, or where it would go. */
static size_t child_position(
	const struct node *node, const char *name, size_t length, bool *found) {
	size_t low = 0, high = node->children_count;
	*found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const char *other = node->children[middle]->name;
		int order = strncmp(name, other, length);
		if (order == 0 && other[length] != '\0') {
			order = -1;
		}
		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	return low;
}

static struct node *child_find(const struct node *node, const char *name, size_t length) {
	bool found;
	size_t position = child_position(node, name, length, &found);
	return found ? node->children[position] : NULL;
}

static struct node *child_add(struct node *node, const char *name, size_t length) {
	bool found;
	size_t position = child_position(node, name, length, &found);
	if (found) {
		return node->children[position];
	}
	struct node *child = must_alloc(1, sizeof(*child));
	child->name = must_alloc(length + 1, 1);
	memcpy(child->name, name, length);
	child->kind = MEMORY_DIRECTORY;
	node->children = must_grow(node->children, node->children_count, sizeof(struct node *));
	memmove(node->children + position + 1, node->children + position,
		(node->children_count - position) * sizeof(struct node *));
	node->children[position] = child;
	node->children_count++;
	return child;
}

static const struct node *lookup_at(
	const struct memory_tree *tree, const char *path, bool follow_last, int *links_left);

/* Goes on from a link in the middle (or at the end) of a path. */
static const struct node *follow(const struct memory_tree *tree, const struct node *link,
	const char *path, const char *name, const char *rest, bool follow_last, int *links_left) {
	if ((*links_left)-- <= 0) {
		errno = ELOOP;
		return NULL;
	}
	char *parent = must_alloc((size_t)(name - path) + 1, 1);
	memcpy(parent, path, (size_t)(name - path));
	char *target = path_normalise(parent, link->data);
	char *joined = must_print("%s%s", target, rest);
	const struct node *found = lookup_at(tree, joined, follow_last, links_left);
	free(joined);
	free(target);
	free(parent);
	return found;
}

static const struct node *lookup_at(
	const struct memory_tree *tree, const char *path, bool follow_last, int *links_left) {
	const struct node *node = &tree->root;
	const char *at = path;
	for (;;) {
		at += strspn(at, "/");
		size_t length = strcspn(at, "/");
		if (length == 0) {
			return node;
		}
		if (node->kind != MEMORY_DIRECTORY) {
			errno = ENOTDIR;
			return NULL;
		}
		const struct node *child = child_find(node, at, length);
		if (!child) {
			errno = ENOENT;
			return NULL;
		}
		const char *rest = at + length;
		if (child->kind == MEMORY_LINK && (follow_last || *rest != '\0')) {
			return follow(tree, child, path, at, rest, follow_last, links_left);
		}
		node = child;
		at = rest;
	}
}

static const struct node *lookup(struct tree *base, const char *path, bool follow_last) {
	int links_left = LINKS_MAX;
	if (path[0] != '/') {
		errno = ENOENT;
		return NULL;
	}
	return lookup_at((struct memory_tree *)base, path, follow_last, &links_left);
}

static ssize_t copy_out(const struct node *node, void *data, size_t size) {
	size_t length = node->size < size ? node->size : size;
	if (length > 0) {
		memcpy(data, node->data, length);
	}
	return (ssize_t)length;
}

static ssize_t memory_read(struct tree *base, const char *path, void *data, size_t size) {
	const struct node *node = lookup(base, path, true);
	if (!node) {
		return -1;
	}
	if (node->kind != MEMORY_FILE) {
		errno = EISDIR;
		return -1;
	}
	return copy_out(node, data, size);
}

static ssize_t memory_read_link(struct tree *base, const char *path, char *data, size_t size) {
	const struct node *node = lookup(base, path, false);
	if (!node) {
		return -1;
	}
	if (node->kind != MEMORY_LINK) {
		errno = EINVAL;
		return -1;
	}
	return copy_out(node, data, size);
}

static int memory_list(struct tree *base, const char *path, struct strings *names) {
	const struct node *node = lookup(base, path, true);
	if (!node) {
		return -1;
	}
	if (node->kind != MEMORY_DIRECTORY) {
		errno = ENOTDIR;
		return -1;
	}
	for (size_t i = 0; i < node->children_count; i++) {
		strings_add(names, node->children[i]->name);
	}
	return 0;
}

static void memory_destroy(struct tree *base) {
	struct memory_tree *tree = (struct memory_tree *)base;
	node_finish(&tree->root);
	free(tree);
}

static const struct tree_interface memory_interface = {
	.read = memory_read,
	.read_link = memory_read_link,
	.list = memory_list,
	.destroy = memory_destroy,
};

struct memory_tree *memory_tree_create(void) {
	struct memory_tree *tree = must_alloc(1, sizeof(*tree));
	tree->base.impl = &memory_interface;
	tree->root.kind = MEMORY_DIRECTORY;
	return tree;
}

struct tree *memory_tree_base(struct memory_tree *tree) {
	return &tree->base;
}

static bool part_is_plain(const char *part, size_t length) {
	return !(length == 1 && part[0] == '.') &&
	       !(length == 2 && part[0] == '.' && part[1] == '.');
}

static struct node *make(struct memory_tree *tree, const char *path) {
	struct node *node = &tree->root;
	if (path[0] != '/') {
		errno = EINVAL;
		return NULL;
	}
	for (const char *at = path;;) {
		at += strspn(at, "/");
		size_t length = strcspn(at, "/");
		if (length == 0) {
			return node;
		}
		if (!part_is_plain(at, length)) {
			errno = EINVAL;
			return NULL;
		}
		if (node->kind != MEMORY_DIRECTORY) {
			errno = ENOTDIR;
			return NULL;
		}
		node = child_add(node, at, length);
		at += length;
	}
}

static int put(struct memory_tree *tree, const char *path, enum memory_node_kind kind,
	const void *data, size_t size) {
	struct node *node = make(tree, path);
	if (!node) {
		return -1;
	}
	if (node == &tree->root || node->children_count > 0) {
		errno = EISDIR;
		return -1;
	}
	char *copy = must_alloc(size + 1, 1);
	memcpy(copy, data, size);
	free(node->data);
	node->data = copy;
	node->size = size;
	node->kind = kind;
	return 0;
}

int memory_tree_put_directory(struct memory_tree *tree, const char *path) {
	const struct node *node = make(tree, path);
	if (node && node->kind != MEMORY_DIRECTORY) {
		errno = ENOTDIR;
		return -1;
	}
	return node ? 0 : -1;
}

int memory_tree_put_file(
	struct memory_tree *tree, const char *path, const void *data, size_t size) {
	return put(tree, path, MEMORY_FILE, data, size);
}

int memory_tree_put_link(struct memory_tree *tree, const char *path, const char *target) {
	return put(tree, path, MEMORY_LINK, target, strlen(target));
}

void memory_tree_remove(struct memory_tree *tree, const char *path) {
	struct node *node = &tree->root;
	for (const char *at = path;;) {
		at += strspn(at, "/");
		size_t length = strcspn(at, "/");
		bool found;
		size_t position = child_position(node, at, length, &found);
		if (length == 0 || !found) {
			return;
		}
		struct node *child = node->children[position];
		at += length;
		if (at[strspn(at, "/")] != '\0') {
			node = child;
			continue;
		}
		node_destroy(child);
		node->children_count--;
		memmove(node->children + position, node->children + position + 1,
			(node->children_count - position) * sizeof(struct node *));
		return;
	}
}

static void visit_children(
	const struct node *node, const char *path, memory_tree_visit_func_t visit, void *user) {
	for (size_t i = 0; i < node->children_count; i++) {
		const struct node *child = node->children[i];
		if (child->kind != MEMORY_DIRECTORY) {
			char *child_path = must_print("%s/%s", path, child->name);
			visit(child_path, child->kind, child->data, child->size, user);
			free(child_path);
		}
	}
	for (size_t i = 0; i < node->children_count; i++) {
		const struct node *child = node->children[i];
		if (child->kind == MEMORY_DIRECTORY) {
			char *child_path = must_print("%s/%s", path, child->name);
			visit(child_path, MEMORY_DIRECTORY, NULL, child->children_count, user);
			visit_children(child, child_path, visit, user);
			free(child_path);
		}
	}
}

void memory_tree_visit(const struct memory_tree *tree, memory_tree_visit_func_t visit, void *user) {
	visit_children(&tree->root, "", visit, user);
}
