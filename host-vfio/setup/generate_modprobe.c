#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "base/words.h"
#include "setup/generator.h"
#include "setup/modules.h"
#include "setup/reservation.h"

/* The udev rule comes too late where a driver is loaded before udev has come to the device: by name
 * in the initramfs, as graphics drivers often are for an early picture, or for another device of
 * the driver's, which udev handles at the same time. So modprobe itself sets the override, before
 * it loads such a driver. */

/* Where initramfs-tools, dracut and mkinitcpio are told of modules. */
static const char *const lists[] = {
	"/etc/initramfs-tools/modules",
	"/etc/modules",
	"/etc/dracut.conf",
	"/etc/mkinitcpio.conf",
};
static const char *const list_directories[] = {
	"/etc/dracut.conf.d",
	"/etc/mkinitcpio.conf.d",
	"/etc/modules-load.d",
};

/* Modules that bring a driver of such devices, whether they are installed by now or not. */
static const struct {
	enum device_category category;
	uint16_t vendor; /* 0: any */
	const char *modules[8];
} known_drivers[] = {
	{CATEGORY_GPU, 0x10de, {"nouveau", "nova_core", "nvidia", "nvidia_drm", "nvidiafb"}},
	{CATEGORY_GPU, 0x1002, {"amdgpu", "radeon"}},
	{CATEGORY_GPU, 0x8086, {"i915", "xe"}},
	{CATEGORY_GPU_AUDIO, 0, {"snd_hda_intel"}},
	{CATEGORY_AUDIO, 0, {"snd_hda_intel"}},
	{CATEGORY_USB, 0, {"xhci_pci", "ehci_pci", "ohci_pci", "uhci_hcd"}},
	{CATEGORY_STORAGE, 0, {"nvme", "ahci"}},
};

/* Words of all lines that are no comment, parted by spaces; the caller's. */
static char *read_words(const struct generator *generator, const char *path) {
	struct text text;
	char *content = generator_read(generator, path), *rest = content, *line;
	text_init(&text);
	while ((line = strsep(&rest, "\n"))) {
		line[strcspn(line, "#")] = '\0';
		for (char *at = line; *at != '\0'; at++) {
			/* The kernel takes a hyphen for an underscore in names of modules. */
			*at = strchr("()\"'+=,", *at) ? ' ' : *at == '-' ? '_' : *at;
		}
		fprintf(text.stream, " %s", line);
	}
	free(content);
	return text_take(&text);
}

static char *read_all(const struct generator *generator) {
	struct strings paths = {0};
	struct text text;
	text_init(&text);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		strings_add(&paths, lists[i]);
	}
	for (size_t i = 0; i < sizeof(list_directories) / sizeof(list_directories[0]); i++) {
		changes_list(&paths, generator->root, list_directories[i], ".conf");
	}
	for (size_t i = 0; i < paths.count; i++) {
		char *words = read_words(generator, paths.items[i]);
		fputs(words, text.stream);
		free(words);
	}
	strings_finish(&paths);
	return text_take(&text);
}

/* What such devices may be driven by: what is installed for them, and what is loaded by name. */
static void find_drivers(const struct generator *generator, struct strings *drivers) {
	char *words = read_all(generator);
	for (size_t i = 0; i < generator->options->devices_count; i++) {
		const struct pci_device *device = generator->options->devices[i];
		modules_find(drivers, generator->root, device);
		for (size_t k = 0; k < sizeof(known_drivers) / sizeof(known_drivers[0]); k++) {
			if (known_drivers[k].category != device->category ||
				(known_drivers[k].vendor != 0 &&
					known_drivers[k].vendor != device->vendor)) {
				continue;
			}
			for (const char *const *module = known_drivers[k].modules; *module;
				module++) {
				if (words_contain(words, *module, " \t")) {
					modules_add(drivers, *module);
				}
			}
		}
	}
	free(words);
}

/* One shell command: the words of an initramfs's smallest shell, and nothing but its builtins. */
static void print_install(const struct generator *generator, FILE *file) {
	fputs("install vfio-pci ", file);
	if (generator->options->own_entry) {
		fputs("read -r line </proc/cmdline; case \" $line \" in *\" " GENERATOR_WORD
		      " \"*) ",
			file);
	}
	/* The pattern has become what there is: one directory, or nothing that counts. */
	fputs("reserve() { [ $# = 2 ] && [ -d $2 ] && read -r v <$2/vendor && "
	      "read -r d <$2/device && read -r s <$2/subsystem_vendor && "
	      "read -r t <$2/subsystem_device && read -r c <$2/class && "
	      "[ \"$v $d $s $t $c\" = \"$1\" ] && echo vfio-pci >$2/driver_override; }; ",
		file);
	for (size_t i = 0; i < generator->options->devices_count; i++) {
		const struct pci_device *device = generator->options->devices[i];
		char *place = reservation_place(device);
		fprintf(file, "reserve \"0x%04x 0x%04x 0x%04x 0x%04x 0x%06x\" /sys%s; ",
			device->vendor, device->device, device->subsystem_vendor,
			device->subsystem_device, device->class_code, place);
		free(place);
	}
	fprintf(file, "%smodprobe --ignore-install vfio-pci $CMDLINE_OPTS\n",
		generator->options->own_entry ? ";; esac; " : "");
}

int generate_modprobe(struct generator *generator) {
	struct strings drivers = {0};
	find_drivers(generator, &drivers);
	if (drivers.count == 0) {
		return 0;
	}
	generator->modprobe = true;
	struct text text;
	text_init(&text);
	fputs("# Written by portal-host setup: these drivers may be loaded before udev's rules "
	      "count\n"
	      "# for a device, so all are reserved before any of them comes.\n",
		text.stream);
	for (size_t i = 0; i < drivers.count; i++) {
		fprintf(text.stream, "softdep %s pre: vfio-pci\n", drivers.items[i]);
	}
	print_install(generator, text.stream);
	char *content = text_take(&text);
	int status = generator_put(generator, GENERATOR_MODPROBE, content, 0644);
	free(content);
	strings_finish(&drivers);
	return status;
}
