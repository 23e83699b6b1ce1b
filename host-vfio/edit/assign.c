#include "edit/assign.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "domain/document.h"
#include "inventory/group.h"

void assignment_finish(struct assignment *assignment) {
	free(assignment->hostdevs);
	*assignment = (struct assignment){0};
}

struct domain_address assign_address(const struct pci_address *address) {
	return (struct domain_address){
		.domain = address->domain,
		.bus = address->bus,
		.slot = address->slot,
		.function = address->function,
	};
}

static struct domain_hostdev *find(
	const struct assignment *assignment, const struct pci_device *device) {
	struct domain_address address = assign_address(&device->address);
	for (size_t i = 0; i < assignment->count; i++) {
		if (domain_address_equal(&assignment->hostdevs[i].host, &address)) {
			return &assignment->hostdevs[i];
		}
	}
	return NULL;
}

static struct domain_hostdev *add(struct assignment *assignment, const struct pci_device *device) {
	struct domain_hostdev *hostdev = find(assignment, device);
	if (hostdev == NULL) {
		assignment->hostdevs = must_grow(
			assignment->hostdevs, assignment->count, sizeof(*assignment->hostdevs));
		hostdev = &assignment->hostdevs[assignment->count++];
		*hostdev = (struct domain_hostdev){.host = assign_address(&device->address)};
	}
	return hostdev;
}

/* Nobody gives a part of the machine away without its name. */
static bool comes_along(const struct pci_device *other, const struct pci_device *device) {
	return other != device && other->iommu_group == device->iommu_group &&
	       pci_address_same_slot(&other->address, &device->address) &&
	       other->category != CATEGORY_BRIDGE &&
	       (other->category != CATEGORY_SYSTEM || group_driver_is_harmless(other->driver));
}

void assign_device(struct assignment *assignment, struct findings *findings,
	const struct machine *machine, const struct pci_device *device,
	const struct domain_hostdev *how) {
	if (device->category == CATEGORY_BRIDGE) {
		findings_add(findings, true,
			"%s is a bridge: what is behind it can be given away, not it",
			device->name);
		return;
	}
	if (device->iommu_group < 0) {
		findings_add(findings, true, "%s is in no IOMMU group: %s", device->name,
			machine->iommu ? "the kernel keeps it for itself"
				       : "the IOMMU is off (see portal-host doctor)");
		return;
	}
	if (device->sriov_enabled > 0) {
		findings_add(findings, true, "%s has %u virtual functions, which would vanish",
			device->name, device->sriov_enabled);
	}
	struct domain_hostdev *hostdev = add(assignment, device);
	hostdev->rom_bar = how->rom_bar;
	hostdev->rom_file = how->rom_file;
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *other = &machine->devices[i];
		if (comes_along(other, device) && find(assignment, other) == NULL) {
			add(assignment, other);
			findings_add(findings, false,
				"%s comes along: it is on the same card as %s", other->name,
				device->name);
		}
	}
}

static bool is_in_group(
	const struct assignment *assignment, const struct machine *machine, int group) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		if (device->iommu_group == group && find(assignment, device) != NULL) {
			return true;
		}
	}
	return false;
}

void assign_check_groups(const struct assignment *assignment, struct findings *findings,
	const struct machine *machine) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *other = &machine->devices[i];
		if (other->iommu_group < 0 || other->category == CATEGORY_BRIDGE ||
			find(assignment, other) != NULL ||
			!is_in_group(assignment, machine, other->iommu_group)) {
			continue;
		}
		bool blocks = other->category == CATEGORY_SYSTEM &&
			      !group_driver_is_harmless(other->driver);
		if (blocks) {
			findings_add(findings, true,
				"%s (%s, driver %s) is in the same IOMMU group %d, and VFIO takes "
				"the group only when no driver of the host is bound in it: name it "
				"too, or put the device into another slot",
				other->name, category_name(other->category), other->driver,
				other->iommu_group);
		} else if (other->category != CATEGORY_SYSTEM) {
			findings_add(findings, false,
				"%s (%s) is in the same IOMMU group %d: it leaves the host too "
				"while "
				"the VM runs (portal-host take does that)",
				other->name, category_name(other->category), other->iommu_group);
		}
	}
}

/* For hostdev_each(). */
struct other_domain {
	const struct assignment *assignment;
	const struct machine *machine;
	struct findings *findings;
	const char *name;
};

static void check_hostdev(void *data, const struct domain_address *host) {
	struct other_domain *other = data;
	char name[DOMAIN_ADDRESS_TEXT];
	domain_address_format(host, name);
	const struct pci_device *device = machine_find(other->machine, name);
	if (device == NULL) {
		return;
	}
	if (find(other->assignment, device) != NULL) {
		findings_add(other->findings, false,
			"domain %s has %s too: only one of them can run at a time", other->name,
			name);
	} else if (device->iommu_group >= 0 &&
		   is_in_group(other->assignment, other->machine, device->iommu_group)) {
		findings_add(other->findings, false,
			"domain %s has %s of the same IOMMU group %d: only one of them can run at "
			"a time",
			other->name, name, device->iommu_group);
	}
}

int assign_check_domains(const struct assignment *assignment, struct findings *findings,
	const struct machine *machine, struct domain_manager *manager, const char *domain,
	struct error *error) {
	struct strings names = {0};
	int result = domain_manager_list(manager, &names, error);
	for (size_t i = 0; result == 0 && i < names.count; i++) {
		char *xml = NULL;
		if (strcmp(names.items[i], domain) == 0) {
			continue;
		}
		result = domain_manager_get_xml(manager, names.items[i], false, &xml, error);
		xmlDoc *document = result == 0 ? domain_document_parse(xml, NULL) : NULL;
		if (document != NULL) {
			struct other_domain other = {assignment, machine, findings, names.items[i]};
			hostdev_each(xmlDocGetRootElement(document), check_hostdev, &other);
		}
		xmlFreeDoc(document);
		free(xml);
		/* It may have been undefined since the list was made. */
		result = result == DOMAIN_FAILURE_ABSENT ? 0 : result;
	}
	strings_finish(&names);
	return result;
}
