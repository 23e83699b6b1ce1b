#include "inventory/json.h"
#include "policy/memory_view.h"

/* The size of the pages that somebody's memory is in, where they are huge. */
static void set_page(sd_json_variant **object, const struct memory_host *host, uint64_t page) {
	int pool = page ? memory_host_find(host, page) : -1;
	if (pool >= 0) {
		json_set_number(object, "pageSize", host->pools[pool].page);
	}
}

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
		set_page(&object, view->scheme.host, vm->page);
		json_append(&vms, object);
	}
	return vms;
}

static sd_json_variant *pools_json(const struct scheme *scheme) {
	sd_json_variant *pools = json_array();
	for (size_t i = 0; i < scheme->host->pools_count; i++) {
		const struct scheme_pool *pool = &scheme->pools[i];
		sd_json_variant *object = NULL;
		json_set_number(&object, "pageSize", pool->page);
		json_set_number(&object, "total", pool->total);
		json_set_number(&object, "taken", pool->taken);
		json_set_number(&object, "planned", pool->planned);
		json_append(&pools, object);
	}
	return pools;
}

sd_json_variant *memory_view_json(const struct memory_view *view, const char *reason) {
	const struct scheme *scheme = &view->scheme;
	sd_json_variant *object = NULL, *guests = json_array();
	if (reason) {
		json_set_string(&object, "reason", reason);
	}
	json_set_number(&object, "budget", scheme->budget);
	json_set_number(&object, "taken", scheme->taken);
	json_set(&object, "hugePages", pools_json(scheme));
	json_set(&object, "vms", vms_json(view));
	if (reason) {
		sd_json_variant_unref(guests);
		return object;
	}
	for (size_t i = 0; i < scheme->count; i++) {
		const struct memory_demand *demand = &scheme->demands[i];
		sd_json_variant *guest = guest_json(demand, &scheme->plan.shares[i],
			history_find(&view->history, demand->name));
		set_page(&guest, scheme->host, demand->page);
		json_append(&guests, guest);
	}
	json_set_number(&object, "planned", scheme->plan.total);
	json_set(&object, "guests", guests);
	return object;
}
