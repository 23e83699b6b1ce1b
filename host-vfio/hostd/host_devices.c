#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "hostd/brain.h"
#include "hostd/host_methods.h"
#include "inventory/json.h"
#include "inventory/names.h"
#include "policy/decide.h"

HOST_METHOD(host_list_devices) {
	struct daemon *daemon = data;
	int result = sd_varlink_dispatch(link, parameters, NULL, NULL);
	if (result != 0) {
		return result;
	}
	struct names *names = names_create();
	sd_json_variant *reply = json_machine(&daemon->machine, names);
	result = sd_varlink_reply(link, reply);
	sd_json_variant_unref(reply);
	names_destroy(names);
	return result;
}

/* Where everything belongs while what runs now runs. */
static sd_json_variant *assignments_json(struct daemon *daemon) {
	sd_json_variant *object = NULL, *devices = json_array(), *warnings = json_array();
	struct decisions decisions;
	struct strings running = core_running(brain_core(daemon));
	decide(&decisions, &daemon->policy, &daemon->known, &daemon->machine, &running);
	for (size_t i = 0; i < decisions.count; i++) {
		const struct decision *decision = &decisions.items[i];
		sd_json_variant *entry = NULL;
		json_set_string(&entry, "address", decision->device->name);
		json_set_string(&entry, "driver", decision->device->driver);
		json_set_string(&entry, "vm", decision->vm ? decision->vm->name : NULL);
		json_set_string(&entry, "reason", decision->reason);
		json_append(&devices, entry);
	}
	for (size_t i = 0; i < decisions.warnings.count; i++) {
		json_append_string(&warnings, decisions.warnings.items[i]);
	}
	json_set(&object, "devices", devices);
	json_set(&object, "warnings", warnings);
	decisions_finish(&decisions);
	strings_finish(&running);
	return object;
}

HOST_METHOD(host_list_assignments) {
	int result = sd_varlink_dispatch(link, parameters, NULL, NULL);
	if (result != 0) {
		return result;
	}
	sd_json_variant *reply = assignments_json(data);
	result = sd_varlink_reply(link, reply);
	sd_json_variant_unref(reply);
	return result;
}

static void run_take(struct order *order) {
	if (!order->devices || !order->devices[0]) {
		order_fail(order, NULL, "Refused", "no device was named");
	} else {
		brain_change(order, CHANGE_TAKE);
	}
}

static void run_return(struct order *order) {
	brain_change(order, CHANGE_RETURN);
}

static void run_recover(struct order *order) {
	brain_change(order, CHANGE_RECOVER);
}

/* As a list of one device, which it becomes. */
static void run_release_gpu(struct order *order) {
	const struct daemon *daemon = order->daemon;
	struct error error;
	const struct pci_device *device =
		known_resolve(&daemon->known, &daemon->machine, order->device, &error);
	if (!device) {
		order_fail(order, order->device, "NoSuchDevice", "%s", error.text);
	} else if (device->category != CATEGORY_GPU) {
		order_fail(order, order->device, "Refused", "%s is no graphics card", device->name);
	} else {
		order->devices = must_alloc(2, sizeof(char *));
		order->devices[0] = must_copy(device->name);
		brain_change(order, CHANGE_RELEASE);
	}
}

HOST_METHOD(host_take) {
	static const struct order_kind kind = {"take", "org.portal.host.devices", run_take};
	return order_begin(data, link, parameters, &kind);
}

HOST_METHOD(host_return) {
	static const struct order_kind kind = {"return", "org.portal.host.devices", run_return};
	return order_begin(data, link, parameters, &kind);
}

HOST_METHOD(host_release_gpu) {
	static const struct order_kind kind = {
		"release gpu", "org.portal.host.devices", run_release_gpu};
	return order_begin(data, link, parameters, &kind);
}

HOST_METHOD(host_recover) {
	static const struct order_kind kind = {"recover", "org.portal.host.devices", run_recover};
	return order_begin(data, link, parameters, &kind);
}

HOST_METHOD(host_switch) {
	static const struct order_kind kind = {"switch", "org.portal.host.switch", brain_switch};
	return order_begin(data, link, parameters, &kind);
}

HOST_METHOD(host_plan_switch) {
	static const struct order_kind kind = {
		"plan switch", "org.portal.host.switch", brain_plan_switch};
	return order_begin(data, link, parameters, &kind);
}
