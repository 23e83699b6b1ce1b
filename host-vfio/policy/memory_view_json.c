#include "inventory/json.h"
#include "policy/memory_view.h"

static sd_json_variant *guest_json(const struct memory_demand *demand,
	const struct memory_share *share, const struct history_guest *past) {
	sd_json_variant *guest = NULL;
	json_set_string(&guest, "name", demand->name);
	json_set_number(&guest, "memory", demand->memory);
	json_set_number(&guest, "heap", share->heap);
	json_set_string(&guest, "reason", share->reason);
	json_set_number(&guest, "usedPercentile", demand->used);
	if (past) {
		json_set_number(&guest, "usedLast", past->last);
		json_set_number(&guest, "usedPeak", past->peak);
		json_set_number(&guest, "reported", (uint64_t)past->updated);
	}
	return guest;
}

static sd_json_variant *vms_json(const struct memory_view *view) {
	sd_json_variant *vms = json_array();
	for (size_t i = 0; i < view->vms_count; i++) {
		const struct memory_view_vm *vm = &view->vms[i];
		sd_json_variant *object = NULL;
		json_set_string(&object, "name", vm->name);
		if (vm->role) {
			json_set_string(&object, "role", vm->role);
		}
		json_set_flag(&object, "running", vm->runs);
		json_set_flag(&object, "counted", vm->counted);
		json_set_number(&object, "memory", vm->memory);
		json_set_number(&object, "heaps", vm->heaps);
		json_append(&vms, object);
	}
	return vms;
}

sd_json_variant *memory_view_json(const struct memory_view *view, const char *reason) {
	const struct scheme *scheme = &view->scheme;
	sd_json_variant *object = NULL, *guests = json_array();
	if (reason) {
		json_set_string(&object, "reason", reason);
	}
	json_set_number(&object, "budget", scheme->budget);
	json_set_number(&object, "taken", scheme->taken);
	json_set(&object, "vms", vms_json(view));
	if (reason) {
		sd_json_variant_unref(guests);
		return object;
	}
	for (size_t i = 0; i < scheme->count; i++) {
		const struct memory_demand *demand = &scheme->demands[i];
		json_append(&guests, guest_json(demand, &scheme->plan.shares[i],
					     history_find(&view->history, demand->name)));
	}
	json_set_number(&object, "planned", scheme->plan.total);
	json_set(&object, "guests", guests);
	return object;
}
