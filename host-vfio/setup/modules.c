#include "setup/modules.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "setup/changes.h"

void modules_add(struct strings *modules, const char *name) {
	char *module = must_copy(name);
	/* The kernel takes a hyphen for an underscore in names of modules. */
	for (char *at = module; *at != '\0'; at++) {
		*at = *at == '-' ? '_' : *at;
	}
	if (strings_contain(modules, module)) {
		free(module);
	} else {
		strings_take(modules, module);
	}
}

/* As the kernel writes it for udev (pci_uevent() in drivers/pci/pci-driver.c); the caller's. */
static char *alias_of(const struct pci_device *device) {
	return must_print("pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X", device->vendor,
		device->device, device->subsystem_vendor, device->subsystem_device,
		device->class_code >> 16 & 0xff, device->class_code >> 8 & 0xff,
		device->class_code & 0xff);
}

/* One kernel's index: a line "alias PATTERN MODULE" for each that a driver knows. */
static void read_index(struct strings *modules, const char *path, const char *alias) {
	FILE *index = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	while (index && getline(&line, &size, index) >= 0) {
		char *rest = line;
		const char *word = strsep(&rest, " ");
		const char *pattern = strsep(&rest, " ");
		const char *module = strsep(&rest, "\n");
		if (module && strcmp(word, "alias") == 0 && strncmp(pattern, "pci:", 4) == 0 &&
			fnmatch(pattern, alias, 0) == 0) {
			modules_add(modules, module);
		}
	}
	free(line);
	if (index) {
		fclose(index);
	}
}

void modules_find(struct strings *modules, const char *root, const struct pci_device *device) {
	struct strings kernels = {0};
	char *alias = alias_of(device);
	if (device->driver && strcmp(device->driver, "vfio-pci") != 0) {
		modules_add(modules, device->driver);
	}
	/* /lib is a link to it wherever it is not itself what is meant. */
	changes_list(&kernels, root, "/usr/lib/modules", "");
	if (kernels.count == 0) {
		changes_list(&kernels, root, "/lib/modules", "");
	}
	for (size_t i = 0; i < kernels.count; i++) {
		char *index = must_print("%s/modules.alias", kernels.items[i]);
		char *path = changes_path(root, index);
		read_index(modules, path, alias);
		free(path);
		free(index);
	}
	strings_finish(&kernels);
	free(alias);
}
