#include "domain/edit.h"

#include "domain/devices.h"
#include "domain/document.h"
#include "domain/heap_ports.h"
#include "domain/tree.h"

static int apply_peers(xmlDoc *document, const struct domain_edit *edit, struct error *error) {
	xmlNode *root = xmlDocGetRootElement(document), *devices = tree_need(root, "devices");
	uint64_t before = devices_memory_bytes(devices);
	for (size_t i = 0; i < edit->removed_peers_count; i++) {
		peer_remove(root, edit->removed_peers[i]);
	}
	for (size_t i = 0; i < edit->peers_count; i++) {
		if (peer_put(root, &edit->peers[i], error) < 0) {
			return error_prefix(error, "%s", edit->peers[i].guest);
		}
	}
	return devices_memory_bytes(devices) == before
		       ? 0
		       : domain_document_count_memory(document, before, error);
}

static int apply_pins(xmlNode *root, const struct domain_edit *edit, struct error *error) {
	if (edit->unpin) {
		tuning_unpin(root);
	}
	if (edit->emulator_cpuset != NULL) {
		tuning_pin_emulator(root, edit->emulator_cpuset);
	}
	return tuning_pin(root, edit->pins, edit->pins_count, error);
}

int domain_edit_apply(xmlDoc *document, const struct domain_edit *edit, struct error *error) {
	xmlNode *root = xmlDocGetRootElement(document);
	if (edit->spec != NULL && domain_document_apply(document, edit->spec, error) < 0) {
		return -1;
	}
	tuning_set_suspend(root, edit->suspend_to_memory, edit->suspend_to_disk);
	if (edit->set_hugepages) {
		tuning_set_hugepages(root, edit->hugepages);
	}
	for (size_t i = 0; i < edit->removed_evdevs_count; i++) {
		evdev_remove(root, edit->removed_evdevs[i]);
	}
	for (size_t i = 0; i < edit->evdevs_count; i++) {
		evdev_add(root, &edit->evdevs[i]);
	}
	for (size_t i = 0; i < edit->removed_hostdevs_count; i++) {
		hostdev_remove(root, &edit->removed_hostdevs[i]);
	}
	if (apply_pins(root, edit, error) < 0 ||
		hostdev_add(root, edit->hostdevs, edit->hostdevs_count, error) < 0 ||
		apply_peers(document, edit, error) < 0) {
		return -1;
	}
	if (edit->remove_door) {
		host_port_remove(root);
	}
	if (edit->door != NULL) {
		host_port_put(root, edit->door);
	}
	return edit->prepare_heaps
		       ? heap_ports_prepare(root, edit->heap_ports, edit->heap_most, error)
		       : 0;
}
