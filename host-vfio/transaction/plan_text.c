#include <stdlib.h>

#include "base/must.h"
#include "inventory/json.h"
#include "transaction/plan.h"

static const char *const kinds[] = {
	[STEP_LOAD] = "load",
	[STEP_OVERRIDE] = "override",
	[STEP_UNBIND] = "unbind",
	[STEP_BIND] = "bind",
};

char *step_sentence(const struct step *step) {
	switch (step->kind) {
	case STEP_LOAD:
		return must_print("load the driver %s", step->driver);
	case STEP_OVERRIDE:
		return step->driver ? must_print("reserve %s for the driver %s", step->device,
					      step->driver)
				    : must_print("open %s to every driver again", step->device);
	case STEP_UNBIND:
		return must_print("unbind %s from %s", step->device, step->driver);
	case STEP_BIND:
		return must_print("bind %s to %s", step->device, step->driver);
	}
	return must_copy("");
}

void plan_print(const struct plan *plan, FILE *file) {
	if (plan->steps_count == 0) {
		fputs("nothing to do\n", file);
	}
	for (size_t i = 0; i < plan->steps_count; i++) {
		char *sentence = step_sentence(&plan->steps[i]);
		fprintf(file, "%2zu. %s (within %u s)\n", i + 1, sentence,
			plan->steps[i].deadline_ms / 1000);
		free(sentence);
	}
}

static sd_json_variant *state_json(const struct driver_state *state) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "driver", state->driver);
	json_set_string(&object, "override", state->override);
	return object;
}

static sd_json_variant *device_json(const struct plan_device *device) {
	sd_json_variant *object = NULL;
	const struct identity *identity = &device->identity;
	json_set_string(&object, "address", device->address);
	json_set_string(&object, "path", identity->path);
	json_set_number(&object, "vendor", identity->vendor);
	json_set_number(&object, "device", identity->device);
	json_set_number(&object, "subsystemVendor", identity->subsystem_vendor);
	json_set_number(&object, "subsystemDevice", identity->subsystem_device);
	json_set_number(&object, "class", identity->class_code);
	json_set(&object, "former", state_json(&device->former));
	json_set(&object, "wanted", state_json(&device->wanted));
	return object;
}

static sd_json_variant *step_json(const struct step *step) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "kind", kinds[step->kind]);
	json_set_string(&object, "device", step->device);
	json_set_string(&object, "driver", step->driver);
	json_set_number(&object, "deadlineMs", step->deadline_ms);
	return object;
}

sd_json_variant *plan_json(const struct plan *plan) {
	sd_json_variant *object = NULL, *devices = json_array(), *steps = json_array();
	for (size_t i = 0; i < plan->devices_count; i++) {
		json_append(&devices, device_json(&plan->devices[i]));
	}
	for (size_t i = 0; i < plan->steps_count; i++) {
		json_append(&steps, step_json(&plan->steps[i]));
	}
	json_set(&object, "devices", devices);
	json_set(&object, "steps", steps);
	return object;
}
