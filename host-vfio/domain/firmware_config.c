#include "domain/firmware_config.h"

#include "domain/tree.h"

static xmlNode *find_sysinfo(xmlNode *root) {
	xmlNode *sysinfo = tree_child(root, "sysinfo");
	while (sysinfo != NULL && !tree_is(sysinfo, "type", "fwcfg")) {
		sysinfo = tree_next(sysinfo);
	}
	return sysinfo;
}

static xmlNode *find_entry(xmlNode *sysinfo, const char *name) {
	xmlNode *entry = tree_child(sysinfo, "entry");
	while (entry != NULL && !tree_is(entry, "name", name)) {
		entry = tree_next(entry);
	}
	return entry;
}

void firmware_config_set_file(xmlNode *root, const char *name, const char *path) {
	xmlNode *sysinfo = find_sysinfo(root);
	if (sysinfo == NULL) {
		sysinfo = tree_add(root, "sysinfo", NULL);
		tree_set(sysinfo, "type", "fwcfg");
	}
	xmlNode *entry = find_entry(sysinfo, name);
	if (entry == NULL) {
		entry = tree_add(sysinfo, "entry", NULL);
		tree_set(entry, "name", name);
	}
	tree_set(entry, "file", path);
}

void firmware_config_remove(xmlNode *root, const char *name) {
	xmlNode *sysinfo = find_sysinfo(root);
	tree_remove(find_entry(sysinfo, name));
	if (sysinfo != NULL && tree_child(sysinfo, "entry") == NULL) {
		tree_remove(sysinfo);
	}
}
