#include "inventory/live.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "inventory/logins.h"
#include "inventory/routes.h"
#include "tree/directory.h"

struct live_tree {
	struct tree base;
	struct tree *files;
};

static struct tree *files_of(struct tree *base) {
	return ((struct live_tree *)base)->files;
}

/* The caller's; NULL with errno. */
static char *read_logins(struct tree *files) {
	struct ifaddrs *addresses;
	if (getifaddrs(&addresses) < 0) {
		return NULL;
	}
	char *text = logins_text(files, addresses);
	freeifaddrs(addresses);
	return text;
}

static ssize_t live_read(struct tree *base, const char *path, void *data, size_t size) {
	struct tree *files = files_of(base);
	bool routes = strcmp(path, "/network/routes") == 0;
	if (!routes && strcmp(path, "/network/logins") != 0) {
		return files->impl->read(files, path, data, size);
	}
	char *text = routes ? routes_text() : read_logins(files);
	if (!text) {
		return -1;
	}
	size_t length = strlen(text) < size ? strlen(text) : size;
	memcpy(data, text, length);
	free(text);
	return (ssize_t)length;
}

static ssize_t live_read_link(struct tree *base, const char *path, char *data, size_t size) {
	return files_of(base)->impl->read_link(files_of(base), path, data, size);
}

static int live_list(struct tree *base, const char *path, struct strings *names) {
	return files_of(base)->impl->list(files_of(base), path, names);
}

static int live_write(struct tree *base, const char *path, const char *text) {
	return files_of(base)->impl->write(files_of(base), path, text);
}

static void live_destroy(struct tree *base) {
	tree_destroy(files_of(base));
	free(base);
}

static const struct tree_interface live_interface = {
	.read = live_read,
	.read_link = live_read_link,
	.list = live_list,
	.write = live_write,
	.destroy = live_destroy,
};

struct tree *live_tree_create(const char *root) {
	struct tree *files = directory_tree_create(root);
	/* The network of this machine is not that of another root. */
	if (!files || strcmp(root, "/") != 0) {
		return files;
	}
	struct live_tree *live = must_alloc(1, sizeof(*live));
	live->base.impl = &live_interface;
	live->files = files;
	return &live->base;
}
