#ifndef HOST_SETUP_GENERATOR_H
#define HOST_SETUP_GENERATOR_H

#include "setup/generate.h"

/* What the parts of setup_generate() work on. Each adds its changes, the words that the kernel's
 * command line is to have, what is to be run afterwards and what the person is to know; -1 with
 * the reason. */
struct generator {
	struct setup_plan *plan;
	const char *root; /* "" for this system */
	const struct setup_options *options;
	struct strings arguments;
	bool modprobe; /* GENERATOR_MODPROBE is among the files */
	struct error *error;
};

bool generator_has(const struct generator *generator, const char *path);
/* NULL with errno. */
char *generator_read(const struct generator *generator, const char *path);
int generator_put(
	const struct generator *generator, const char *path, const char *text, mode_t mode);

/* Devices that belong to vfio-pci from the start: generate_devices.c, generate_modprobe.c,
 * generate_initramfs.c. */
int generate_devices(struct generator *generator);
int generate_modprobe(struct generator *generator);
int generate_initramfs(struct generator *generator);
/* Huge pages and compressed swap. */
int generate_memory(struct generator *generator);
/* Keyboards and mice that host and VM share. */
int generate_inputs(struct generator *generator);
/* The way of a guest's sound to somebody's session. */
int generate_audio(struct generator *generator);

#define GENERATOR_MODPROBE "/etc/modprobe.d/portal-vfio.conf"
#define GENERATOR_WORD "portal.vfio=1"

#endif
