#include "hostd/host_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/file.h"
#include "base/must.h"
#include "hostd/brain.h"
#include "hostd/budget.h"
#include "hostd/guest_call.h"
#include "hostd/host_interface.h"
#include "hostd/host_methods.h"
#include "hostd/order.h"
#include "hostd/watchers.h"
#include "inventory/json.h"

static sd_json_variant *build_state(struct daemon *daemon, const char *controller) {
	sd_json_variant *object = NULL, *vms = json_array();
	for (size_t i = 0; i < daemon->policy.vms_count; i++) {
		const struct policy_vm *vm = &daemon->policy.vms[i];
		sd_json_variant *entry = NULL;
		json_set_string(&entry, "name", vm->name);
		json_set_string(&entry, "domain", vm->domain);
		json_set_string(
			&entry, "role", vm->role == POLICY_ROLE_ROUTER ? "router" : "controller");
		json_set_string(&entry, "state",
			domains_state_name(domains_state(&daemon->domains, vm->domain)));
		json_append(&vms, entry);
	}
	const char *reason = daemon->domains.reason;
	json_set_string(&object, "libvirtProblem",
		daemon->domains.known ? NULL
		: reason	      ? reason
				      : "libvirt has not answered yet");
	json_set(&object, "vms", vms);
	const struct core *core = brain_core(daemon);
	json_set_flag(&object, "switching", core->phase != CORE_STAY);
	if (core->phase != CORE_STAY) {
		json_set_string(&object, "switchingTo", core->target);
	}
	json_set_flag(&object, "changing", daemon->change != NULL);
	json_set_number(&object, "deviceChanges", daemon->machine_changes);
	return object;
}

static int handle_get_state(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	int result = sd_varlink_dispatch(link, parameters, NULL, NULL);
	return result != 0 ? result : watchers_answer(data, link, flags, build_state, NULL);
}

static int handle_list_guests(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	int result = sd_varlink_dispatch(link, parameters, NULL, NULL);
	return result != 0 ? result : watchers_answer(data, link, flags, guest_list, NULL);
}

static int handle_get_memory(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	int result = sd_varlink_dispatch(link, parameters, NULL, NULL);
	if (result != 0) {
		return result;
	}
	sd_json_variant *reply = budget_json(data);
	result = sd_varlink_reply(link, reply);
	sd_json_variant_unref(reply);
	return result;
}

static void run_guest(struct order *order, bool start) {
	const struct guest_order guest = {
		.start = start,
		.force = order->force,
		.timeout_s = order->timeout_s,
		.guest = order->guest,
	};
	guest_call_begin(order->daemon, order->call, HOST_INTERFACE, &order->who, &guest);
	order_forget(order);
}

static void run_start_guest(struct order *order) {
	run_guest(order, true);
}

static void run_stop_guest(struct order *order) {
	run_guest(order, false);
}

static void run_report_heap(struct order *order) {
	if (guest_is_of(&order->daemon->policy, NULL, order->guest)) {
		guest_report_heap(
			order->daemon, order->call, HOST_INTERFACE, order->guest, order->used);
		order_forget(order);
	} else {
		order_fail(order, order->guest, "NoSuchGuest", "the host's policy has no guest %s",
			order->guest);
	}
}

static void run_reload(struct order *order) {
	struct error error;
	if (daemon_reload(order->daemon, &error) < 0) {
		order_fail(order, NULL, "Refused", "%s", error.text);
	} else {
		order_done(order, NULL, NULL);
	}
}

/* One handler for each method that changes something. */
#define ORDER(handler, what, action, run)                                                          \
	static int handler(sd_varlink *link, sd_json_variant *parameters,                          \
		sd_varlink_method_flags_t flags, void *data) {                                     \
		static const struct order_kind kind = {what, "org.portal.host." action, run};      \
		return order_begin(data, link, parameters, &kind);                                 \
	}

ORDER(handle_start_guest, "start guest", "guests", run_start_guest)
ORDER(handle_stop_guest, "stop guest", "guests", run_stop_guest)
ORDER(handle_report_heap, "report heap", "guests", run_report_heap)
ORDER(handle_reload, "reload", "configure", run_reload)

static void handle_disconnect(sd_varlink_server *server, sd_varlink *link, void *data) {
	daemon_forget(data, link);
}

static int bind_methods(sd_varlink_server *server) {
	return sd_varlink_server_bind_method_many(server, HOST_INTERFACE ".GetState",
		handle_get_state, HOST_INTERFACE ".ListGuests", handle_list_guests,
		HOST_INTERFACE ".GetMemory", handle_get_memory, HOST_INTERFACE ".StartGuest",
		handle_start_guest, HOST_INTERFACE ".StopGuest", handle_stop_guest,
		HOST_INTERFACE ".ReportHeap", handle_report_heap, HOST_INTERFACE ".Reload",
		handle_reload, HOST_INTERFACE ".ListDevices", host_list_devices,
		HOST_INTERFACE ".ListAssignments", host_list_assignments, HOST_INTERFACE ".Take",
		host_take, HOST_INTERFACE ".Return", host_return, HOST_INTERFACE ".ReleaseGpu",
		host_release_gpu, HOST_INTERFACE ".Recover", host_recover, HOST_INTERFACE ".Switch",
		host_switch, HOST_INTERFACE ".Hook", host_hook);
}

/* The socket that systemd hands over, else one of our own: everybody may connect, and is asked for
 * what he may then. */
static int listen_at(struct daemon *daemon, struct error *error) {
	int count = sd_listen_fds(1);
	if (count == 1) {
		int result = sd_varlink_server_listen_fd(daemon->server, SD_LISTEN_FDS_START);
		return result < 0
			       ? error_set(error, "the socket handed over: %s", strerror(-result))
			       : 0;
	}
	if (count > 1) {
		return error_set(error, "more than one socket was handed over");
	}
	const char *path = daemon->options->socket;
	char *directory = must_copy(path), *slash = strrchr(directory, '/');
	int status = 0;
	if (slash && slash != directory) {
		*slash = '\0';
		status = file_make_directory(directory, 0755, error);
	}
	free(directory);
	if (status < 0) {
		return -1;
	}
	int result = sd_varlink_server_listen_address(daemon->server, path, 0666);
	return result < 0 ? error_set(error, "%s: %s", path, strerror(-result)) : 0;
}

int host_server_init(struct daemon *daemon, struct error *error) {
	int result = sd_varlink_server_new(&daemon->server,
		SD_VARLINK_SERVER_ACCOUNT_UID | SD_VARLINK_SERVER_INHERIT_USERDATA);
	sd_varlink_server *server = daemon->server;
	if (result >= 0) {
		sd_varlink_server_set_userdata(server, daemon);
		sd_varlink_server_set_info(server, "Portal", "portal-hostd", PORTAL_VERSION, NULL);
		result = sd_varlink_server_add_interface(server, &vl_interface_org_portal_Host);
	}
	if (result >= 0) {
		result = bind_methods(server);
	}
	if (result >= 0) {
		result = sd_varlink_server_bind_disconnect(server, handle_disconnect);
	}
	if (result >= 0) {
		result = sd_varlink_server_attach_event(server, daemon->loop, CALLS_PRIORITY);
	}
	if (result < 0) {
		return error_set(error, "org.portal.Host: %s", strerror(-result));
	}
	return listen_at(daemon, error);
}

void host_server_finish(struct daemon *daemon) {
	daemon->server = sd_varlink_server_unref(daemon->server);
}
