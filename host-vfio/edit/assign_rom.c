#include <sys/stat.h>

#include "doctor/rom.h"
#include "doctor/rom_copy.h"
#include "edit/assign.h"

/* root reads any file, QEMU mostly only what everybody may, and says nothing but that it is not
 * there. */
static void check_mode(struct findings *findings, const char *path) {
	struct stat status;
	if (stat(path, &status) == 0 && (status.st_mode & S_IROTH) == 0) {
		findings_add(findings, false,
			"%s is not for everybody to read (chmod o+r): QEMU runs as a user of its "
			"own on most machines, and does not start without it",
			path);
	}
}

void assign_check_rom(
	struct findings *findings, const struct pci_device *device, const char *path) {
	struct rom_images images;
	struct rom_copy copy;
	struct error error;
	if (path[0] != '/') {
		findings_add(
			findings, true, "%s: libvirt wants the ROM's path from the root on", path);
		return;
	}
	if (rom_copy_read_file(&copy, path, &error) < 0) {
		findings_add(findings, true, "%s", error.text);
	} else if (!rom_parse(copy.data, copy.size, &images)) {
		findings_add(
			findings, true, "%s is no copy of an expansion ROM, or is cut off", path);
	} else if (images.vendor != device->vendor) {
		findings_add(findings, true, "%s is of a device %04x:%04x, and %s is %04x:%04x",
			path, images.vendor, images.device, device->name, device->vendor,
			device->device);
	} else {
		check_mode(findings, path);
		if (images.device != device->device) {
			findings_add(findings, false,
				"%s names the device %04x:%04x, and %s is %04x:%04x: it may be of "
				"another card of the maker's",
				path, images.vendor, images.device, device->name, device->vendor,
				device->device);
		}
		if (!images.efi) {
			findings_add(findings, false,
				"%s has no image for UEFI: a guest with OVMF shows nothing through "
				"it "
				"before its driver is loaded",
				path);
		}
	}
	rom_copy_finish(&copy);
}
