#include "setup/generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "base/text.h"
#include "setup/boot.h"

#define RULES "/etc/udev/rules.d/60-portal-vfio.rules"

struct generator {
	struct changes *changes;
	struct strings *commands;
	const char *root;
	const struct setup_options *options;
	struct error *error;
};

static bool exists(const struct generator *generator, const char *path) {
	char *whole = must_print("%s%s", generator->root, path);
	bool found = access(whole, F_OK) == 0;
	free(whole);
	return found;
}

static int put(const struct generator *generator, const char *path, const char *text, mode_t mode) {
	return changes_add(generator->changes, generator->root, path, text, mode, generator->error);
}

/* One rule for each device, by place and ids, before udev asks for the device's driver (rules of 80
 * and above): another card in the slot, or another card of the kind, keeps its own driver. */
static int generate_rules(const struct generator *generator) {
	struct text text;
	text_init(&text);
	FILE *file = text.stream;
	fputs("# Written by portal-host setup; portal-host setup --undo takes it back.\n", file);
	if (generator->options->own_entry) {
		fputs("SUBSYSTEM==\"pci\", IMPORT{cmdline}=\"portal.vfio\"\n", file);
	}
	for (size_t i = 0; i < generator->options->devices_count; i++) {
		const struct pci_device *device = generator->options->devices[i];
		fprintf(file,
			"ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"%s\", "
			"ATTR{vendor}==\"0x%04x\", ATTR{device}==\"0x%04x\", ",
			device->name, device->vendor, device->device);
		if (generator->options->own_entry) {
			fputs("ENV{portal.vfio}==\"1\", ", file);
		}
		fputs("ATTR{driver_override}=\"vfio-pci\"\n", file);
	}
	char *rules = text_take(&text);
	int status = put(generator, RULES, rules, 0644);
	free(rules);
	return status;
}

/* The rules and vfio-pci have to be in the initramfs, where graphics drivers are loaded. */
static int generate_initramfs(const struct generator *generator) {
	if (exists(generator, "/etc/initramfs-tools")) {
		strings_add(generator->commands, "update-initramfs -u -k all");
		return put(generator, "/etc/initramfs-tools/hooks/portal-vfio",
			"#!/bin/sh\n"
			"# Written by portal-host setup.\n"
			"case $1 in\n"
			"prereqs)\n"
			"\texit 0\n"
			"\t;;\n"
			"esac\n"
			". /usr/share/initramfs-tools/hook-functions\n"
			"force_load vfio-pci\n"
			"mkdir -p \"$DESTDIR/etc/udev/rules.d\"\n"
			"cp " RULES " \"$DESTDIR/etc/udev/rules.d/\"\n",
			0755);
	}
	if (exists(generator, "/etc/dracut.conf.d") || exists(generator, "/etc/dracut.conf")) {
		strings_add(generator->commands, "dracut --force --regenerate-all");
		return put(generator, "/etc/dracut.conf.d/portal-vfio.conf",
			"# Written by portal-host setup.\n"
			"force_drivers+=\" vfio-pci \"\n"
			"install_items+=\" " RULES " \"\n",
			0644);
	}
	if (exists(generator, "/etc/mkinitcpio.conf")) {
		strings_add(generator->commands, "mkinitcpio -P");
		return put(generator, "/etc/mkinitcpio.conf.d/portal-vfio.conf",
			"# Written by portal-host setup.\n"
			"MODULES+=(vfio-pci)\n"
			"FILES+=(" RULES ")\n",
			0644);
	}
	return error_set(generator->error,
		"this system makes its initramfs in no way known here (initramfs-tools, dracut, "
		"mkinitcpio)");
}

static int generate_devices(const struct generator *generator) {
	if (generate_rules(generator) < 0 ||
		put(generator, "/etc/modules-load.d/portal-vfio.conf",
			"# Written by portal-host setup.\nvfio-pci\n", 0644) < 0) {
		return -1;
	}
	return generate_initramfs(generator);
}

static int generate_memory(const struct generator *generator) {
	if (generator->options->hugepages > 0) {
		char *text = must_print("# Written by portal-host setup.\nvm.nr_hugepages = %u\n",
			generator->options->hugepages);
		int status = put(generator, "/etc/sysctl.d/60-portal-hugepages.conf", text, 0644);
		free(text);
		strings_add(
			generator->commands, "sysctl -p /etc/sysctl.d/60-portal-hugepages.conf");
		if (status < 0) {
			return -1;
		}
	}
	if (generator->options->zram) {
		strings_add(generator->commands, "systemctl daemon-reload && systemctl start "
						 "systemd-zram-setup@zram0.service");
		return put(generator, "/etc/systemd/zram-generator.conf.d/portal.conf",
			"# Written by portal-host setup; needs the package zram-generator.\n"
			"[zram0]\n"
			"zram-size = min(ram / 4, 8192)\n",
			0644);
	}
	return 0;
}

int setup_generate(struct changes *changes, struct strings *commands, const char *root,
	const struct setup_options *options, struct error *error) {
	const struct generator generator = {
		.changes = changes,
		.commands = commands,
		.root = strcmp(root, "/") == 0 ? "" : root,
		.options = options,
		.error = error,
	};
	struct strings arguments = {0};
	int status = 0;
	if (options->devices_count > 0) {
		status = generate_devices(&generator);
		if (options->intel) {
			strings_add(&arguments, "intel_iommu=on");
		}
		strings_add(&arguments, "iommu=pt");
	}
	if (status == 0 && arguments.count > 0) {
		status = boot_add_arguments(changes, commands, generator.root, &arguments, error);
	}
	if (status == 0 && options->own_entry) {
		status = boot_add_entries(
			changes, generator.root, &arguments, "portal.vfio=1", error);
	}
	if (status == 0) {
		status = generate_memory(&generator);
	}
	strings_finish(&arguments);
	return status;
}
