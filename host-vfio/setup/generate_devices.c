#include <stdlib.h>

#include "base/must.h"
#include "base/text.h"
#include "setup/generator.h"

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
	int status = generator_put(generator, GENERATOR_RULES, rules, 0644);
	free(rules);
	return status;
}

int generate_devices(struct generator *generator) {
	if (generator->options->devices_count == 0) {
		return 0;
	}
	if (generator->options->intel) {
		strings_add(&generator->arguments, "intel_iommu=on");
	}
	strings_add(&generator->arguments, "iommu=pt");
	if (generate_rules(generator) < 0 ||
		generator_put(generator, "/etc/modules-load.d/portal-vfio.conf",
			"# Written by portal-host setup.\nvfio-pci\n", 0644) < 0 ||
		generate_modprobe(generator) < 0) {
		return -1;
	}
	return generate_initramfs(generator);
}
