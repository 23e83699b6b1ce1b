#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "setup/generator.h"
#include "setup/reservation.h"

/* The rules, what modprobe is told, and vfio-pci have to be in the initramfs, where graphics
 * drivers are loaded. */

/* Debian's, of initramfs-tools and of dracut alike: it copies what it has made to where
 * systemd-boot looks, too. */
#define UPDATE "/usr/sbin/update-initramfs"
static const char update[] = "update-initramfs -u -k all";

static int generate_initramfs_tools(struct generator *generator) {
	/* It takes /etc/modprobe.d along by itself. */
	strings_add(&generator->plan->changes.commands, update);
	return generator_put(generator, "/etc/initramfs-tools/hooks/portal-vfio",
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
		"cp " RESERVATION_RULES " \"$DESTDIR/etc/udev/rules.d/\"\n",
		0755);
}

enum maker { INITRAMFS_TOOLS, DRACUT, MKINITCPIO, MAKERS };

/* Who is called by update-initramfs, where that is there: dracut's package leaves mkinitramfs,
 * which is of another one, behind. */
static enum maker find_called(const struct generator *generator) {
	char *script = generator_read(generator, UPDATE);
	enum maker called = MAKERS;
	if (script && strstr(script, "mkinitramfs ")) {
		called = INITRAMFS_TOOLS;
	} else if (script && strstr(script, "dracut ")) {
		called = DRACUT;
	}
	free(script);
	return called;
}

/* A system that went from one to another keeps the former one's configuration: its program tells.
 * Where none is there, the configuration has to. */
static enum maker find_maker(const struct generator *generator) {
	static const char *const places[MAKERS][3] = {
		[INITRAMFS_TOOLS] = {"/usr/sbin/mkinitramfs", "/etc/initramfs-tools"},
		[DRACUT] = {"/usr/bin/dracut", "/etc/dracut.conf.d", "/etc/dracut.conf"},
		[MKINITCPIO] = {"/usr/bin/mkinitcpio", "/etc/mkinitcpio.conf"},
	};
	enum maker called = find_called(generator);
	if (called != MAKERS) {
		return called;
	}
	for (unsigned i = 0; i < MAKERS; i++) {
		if (generator_has(generator, places[i][0])) {
			return i;
		}
	}
	for (unsigned i = 0; i < MAKERS; i++) {
		for (unsigned k = 1; k < 3 && places[i][k]; k++) {
			if (generator_has(generator, places[i][k])) {
				return i;
			}
		}
	}
	return MAKERS;
}

int generate_initramfs(struct generator *generator) {
	const char *also = generator->modprobe ? " " GENERATOR_MODPROBE : "";
	const char *path, *format;
	switch (find_maker(generator)) {
	case INITRAMFS_TOOLS:
		return generate_initramfs_tools(generator);
	case DRACUT:
		path = "/etc/dracut.conf.d/portal-vfio.conf";
		format = "# Written by portal-host setup.\n"
			 "force_drivers+=\" vfio-pci \"\n"
			 "install_items+=\" " RESERVATION_RULES "%s \"\n";
		strings_add(&generator->plan->changes.commands,
			generator_has(generator, UPDATE) ? update
							 : "dracut --force --regenerate-all");
		break;
	case MKINITCPIO:
		path = "/etc/mkinitcpio.conf.d/portal-vfio.conf";
		format = "# Written by portal-host setup.\n"
			 "MODULES=(vfio-pci \"${MODULES[@]}\")\n"
			 "FILES+=(" RESERVATION_RULES "%s)\n";
		strings_add(&generator->plan->changes.commands, "mkinitcpio -P");
		break;
	default:
		return error_set(generator->error,
			"this system makes its initramfs in no way known here (initramfs-tools, "
			"dracut, mkinitcpio)");
	}
	char *text = must_print(format, also);
	int status = generator_put(generator, path, text, 0644);
	free(text);
	return status;
}
