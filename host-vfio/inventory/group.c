#include "inventory/group.h"

#include <string.h>

bool group_driver_is_vfio(const char *driver) {
	/* They are named in both ways: vfio-pci, mlx5_vfio_pci. */
	return strstr(driver, "vfio-pci") || strstr(driver, "vfio_pci");
}

bool group_driver_is_harmless(const char *driver) {
	return !driver || strcmp(driver, "pci-stub") == 0 || strcmp(driver, "pcieport") == 0 ||
	       group_driver_is_vfio(driver);
}

bool group_is_same(const struct pci_device *a, const struct pci_device *b) {
	return a == b || (a->iommu_group >= 0 && a->iommu_group == b->iommu_group);
}

bool group_is_viable(const struct machine *machine, int group, const struct pci_device **blocker) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		if (device->iommu_group == group && !group_driver_is_harmless(device->driver)) {
			*blocker = device;
			return false;
		}
	}
	*blocker = NULL;
	return true;
}

size_t group_endpoints(const struct machine *machine, int group) {
	size_t count = 0;
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		count += device->iommu_group == group && device->category != CATEGORY_BRIDGE;
	}
	return count;
}
