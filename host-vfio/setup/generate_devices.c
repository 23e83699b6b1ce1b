#include <stdlib.h>

#include "base/text.h"
#include "setup/generator.h"
#include "setup/reservation.h"

/* One rule for each device, by the bridges that lead to it and by what it says it is, before udev
 * asks for the device's driver (rules of 80 and above): another card in the slot, or another card
 * of the kind, keeps its own driver, and another number of the bus makes no difference. */
static int generate_rules(const struct generator *generator) {
	bool own_entry = generator->options->own_entry;
	struct text text;
	text_init(&text);
	FILE *file = text.stream;
	fputs("# Written by portal-host setup; portal-host setup --undo takes it back.\n", file);
	if (own_entry) {
		fputs("SUBSYSTEM==\"pci\", IMPORT{cmdline}=\"portal.vfio\"\n", file);
	}
	for (size_t i = 0; i < generator->options->devices_count; i++) {
		char *rule = reservation_rule(generator->options->devices[i],
			own_entry ? "ENV{portal.vfio}==\"1\", " : "");
		fputs(rule, file);
		free(rule);
	}
	char *rules = text_take(&text);
	int status = generator_put(generator, RESERVATION_RULES, rules, 0644);
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
