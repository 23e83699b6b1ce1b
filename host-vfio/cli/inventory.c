#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "inventory/group.h"
#include "inventory/names.h"

static void add_number(struct table *table, long number) {
	char text[24];
	snprintf(text, sizeof(text), "%ld", number);
	table_add(table, text);
}

/* Without the domain where that is 0, as the commands take it too. */
static const char *short_address(const struct pci_device *device) {
	return strncmp(device->name, "0000:", 5) == 0 ? device->name + 5 : device->name;
}

static void add_device(
	struct table *table, const struct pci_device *device, struct names *names, bool narrow) {
	char ids[16];
	snprintf(ids, sizeof(ids), "%04x:%04x", device->vendor, device->device);
	char *name = narrow ? names_model(names, device) : names_device(names, device);
	table_add(table, narrow ? short_address(device) : device->name);
	if (device->iommu_group >= 0) {
		add_number(table, device->iommu_group);
	} else {
		table_add(table, NULL);
	}
	if (device->net_kind != NET_NONE) {
		char *text = must_print("net/%s", category_net_kind_name(device->net_kind));
		table_add(table, text);
		free(text);
	} else {
		table_add(table, category_name(device->category));
	}
	if (!narrow) {
		table_add(table, ids);
	}
	table_add(table, device->driver);
	if (device->holders_count > 0) {
		add_number(table, (long)device->holders_count);
	} else {
		table_add(table, NULL);
	}
	table_add(table, name);
	free(name);
}

static void print_list(struct cli *cli, struct names *names) {
	static const char *const wide_headings[] = {
		"ADDRESS", "GROUP", "CATEGORY", "IDS", "DRIVER", "HOLDERS", "NAME"};
	static const char *const narrow_headings[] = {
		"ADDRESS", "GROUP", "CATEGORY", "DRIVER", "HELD", "NAME"};
	enum { WIDE = 110 };
	size_t width = terminal_width(stdout);
	bool narrow = width > 0 && width < WIDE;
	struct table table;
	table_init(&table, narrow ? narrow_headings : wide_headings, narrow ? 6 : 7);
	for (size_t i = 0; i < cli->machine.devices_count; i++) {
		add_device(&table, &cli->machine.devices[i], names, narrow);
	}
	table_print(&table, stdout);
	table_finish(&table);
}

int cli_list(struct cli *cli) {
	int status = cli_check_args(cli, 0, 0);
	if (status != CLI_DONE) {
		return status;
	}
	struct names *names = names_create();
	if (cli->json) {
		status = cli_print_json(json_machine(&cli->machine, names));
	} else {
		print_list(cli, names);
	}
	names_destroy(names);
	cli_tell_unseen(cli);
	return status;
}

static void show_bars(const struct pci_device *device) {
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &device->bars[i];
		if (bar->size == 0) {
			continue;
		}
		char size[SIZE_TEXT];
		size_format(bar->size, size);
		printf("  BAR %u          %s at 0x%" PRIx64, i, size, bar->start);
		if (bar->resizable) {
			/* The highest size is what people look for. */
			unsigned highest = 63 - (unsigned)__builtin_clzll(bar->resizable);
			size_format((uint64_t)1 << (highest + 20), size);
			printf(", resizable up to %s", size);
		}
		putchar('\n');
	}
	if (device->rom_size) {
		char size[SIZE_TEXT];
		size_format(device->rom_size, size);
		printf("  ROM            %s\n", size);
	}
}

/* Lists the functions that share something with this one. */
static void show_others(const struct cli *cli, const struct pci_device *device, const char *title,
	bool (*shares)(const struct pci_device *, const struct pci_device *)) {
	for (size_t i = 0; i < cli->machine.devices_count; i++) {
		const struct pci_device *other = &cli->machine.devices[i];
		if (other != device && shares(other, device)) {
			printf("  %-14s %s (%s)\n", title, other->name,
				category_name(other->category));
			title = "";
		}
	}
}

static bool shares_slot(const struct pci_device *a, const struct pci_device *b) {
	return pci_address_same_slot(&a->address, &b->address);
}

static void show_state(const struct pci_device *device) {
	printf("  driver         %s\n", device->driver ? device->driver : "none");
	if (device->driver_override) {
		printf("  override       %s\n", device->driver_override);
	}
	if (device->power_state) {
		printf("  power          %s\n", device->power_state);
	}
	printf("  reset          %s\n",
		device->reset_methods[0] ? device->reset_methods : "no method");
	if (device->boot_vga) {
		puts("  boot VGA       yes: the firmware's messages and the boot menu are on it");
	}
	if (device->sriov_total) {
		printf("  SR-IOV         %u of %u virtual functions\n", device->sriov_enabled,
			device->sriov_total);
	}
	if (device->physical_function) {
		printf("  part of        %s (SR-IOV)\n", device->physical_function);
	}
}

static void show_device(
	const struct cli *cli, const struct pci_device *device, struct names *names) {
	char *name = names_device(names, device), *class_name = names_class(names, device);
	char *subsystem = names_subsystem(names, device);
	printf("%s  %s\n", device->name, name);
	printf("  class          %s [%06x], %s%s%s\n", class_name, device->class_code,
		category_name(device->category), device->net_kind != NET_NONE ? "/" : "",
		category_net_kind_name(device->net_kind));
	printf("  ids            %04x:%04x, subsystem %04x:%04x, revision %02x\n", device->vendor,
		device->device, device->subsystem_vendor, device->subsystem_device,
		device->revision);
	if (subsystem) {
		printf("  made by        %s\n", subsystem);
	}
	printf("  path           %s\n", device->path);
	if (device->iommu_group >= 0) {
		printf("  IOMMU group    %d\n", device->iommu_group);
		show_others(cli, device, "  shared with", group_is_same);
	} else {
		puts("  IOMMU group    none: it cannot be given to a VM");
	}
	show_others(cli, device, "other parts", shares_slot);
	show_state(device);
	show_bars(device);
	for (size_t i = 0; i < device->holders_count; i++) {
		char *sentence = terminal_clean(holder_sentence(&device->holders[i]));
		printf("  %-14s %s\n", i == 0 ? "in use" : "", sentence);
		free(sentence);
	}
	free(subsystem);
	free(class_name);
	free(name);
}

int cli_show(struct cli *cli) {
	int status = cli_check_args(cli, 1, SIZE_MAX);
	if (status != CLI_DONE) {
		return status;
	}
	struct names *names = names_create();
	sd_json_variant *array = json_array();
	for (size_t i = 0; i < cli->args_count && status == CLI_DONE; i++) {
		const struct pci_device *device = cli_device(cli, cli->args[i]);
		if (!device) {
			status = CLI_FAILED;
		} else if (cli->json) {
			json_append(&array, json_device(&cli->machine, device, names));
		} else {
			show_device(cli, device, names);
		}
	}
	if (cli->json && status == CLI_DONE) {
		cli_print_json(sd_json_variant_ref(array));
	}
	sd_json_variant_unref(array);
	names_destroy(names);
	if (status == CLI_DONE) {
		cli_tell_unseen(cli);
	}
	return status;
}

static void print_group(const struct cli *cli, int group, struct names *names) {
	bool headed = false;
	for (size_t i = 0; i < cli->machine.devices_count; i++) {
		const struct pci_device *device = &cli->machine.devices[i];
		if (device->iommu_group != group) {
			continue;
		}
		if (!headed) {
			const struct pci_device *blocker;
			bool viable = group_is_viable(&cli->machine, group, &blocker);
			printf("group %d: %s\n", group,
				group_endpoints(&cli->machine, group) == 0 ? "bridges only"
				: viable				   ? "free for a VM"
									   : "in use by the host");
			headed = true;
		}
		char *name = names_device(names, device);
		printf("  %s  %-9s  %-12s  %s\n", device->name, category_name(device->category),
			device->driver ? device->driver : "-", name);
		free(name);
	}
}

int cli_groups(struct cli *cli) {
	int status = cli_check_args(cli, 0, 0);
	if (status != CLI_DONE) {
		return status;
	}
	if (cli->json) {
		return cli_print_json(json_groups(&cli->machine));
	}
	int last = machine_last_group(&cli->machine);
	if (last < 0) {
		puts(cli->machine.iommu
				? "no device is in an IOMMU group"
				: "this machine has no IOMMU in use, so there are no groups");
		return CLI_DONE;
	}
	struct names *names = names_create();
	for (int group = 0; group <= last; group++) {
		print_group(cli, group, names);
	}
	names_destroy(names);
	return CLI_DONE;
}
