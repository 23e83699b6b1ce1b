#include "policy/scheme_json.h"

#include "inventory/json.h"

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

sd_json_variant *scheme_json(const struct scheme *scheme, const struct history *history) {
	sd_json_variant *object = NULL, *guests = json_array();
	for (size_t i = 0; i < scheme->count; i++) {
		const struct memory_demand *demand = &scheme->demands[i];
		json_append(&guests, guest_json(demand, &scheme->plan.shares[i],
					     history_find(history, demand->name)));
	}
	json_set_number(&object, "budget", scheme->budget);
	json_set_number(&object, "planned", scheme->plan.total);
	json_set(&object, "guests", guests);
	return object;
}
