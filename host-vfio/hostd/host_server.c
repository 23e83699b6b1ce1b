#include "hostd/host_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/file.h"
#include "base/must.h"
#include "hostd/audit.h"
#include "hostd/brain.h"
#include "hostd/budget.h"
#include "hostd/guest_call.h"
#include "hostd/host_interface.h"
#include "hostd/host_methods.h"
#include "hostd/order.h"
#include "hostd/pace.h"
#include "hostd/watchers.h"
#include "inventory/json.h"

enum {
	/* Of one user: each can hold a message of 16 MiB that is not whole. */
	CONNECTIONS_OF_USER = 64,
	/* Of all users but root together; everything that is refused is a line in the log. */
	CALLS_AT_ONCE = 128,
	CALLS_INTERVAL = 50 * 1000, /* µs */
};

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

static int get_state(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	void *data) {
	int result = sd_varlink_dispatch(link, parameters, NULL, NULL);
	return result != 0 ? result : watchers_answer(data, link, flags, build_state, NULL);
}

static int list_guests(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	int result = sd_varlink_dispatch(link, parameters, NULL, NULL);
	return result != 0 ? result : watchers_answer(data, link, flags, guest_list, NULL);
}

static int get_memory(sd_varlink *link, sd_json_variant *parameters,
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

/* One for each method that changes something. */
#define ORDER(method, what, action, run)                                                           \
	static int method(sd_varlink *link, sd_json_variant *parameters,                           \
		sd_varlink_method_flags_t flags, void *data) {                                     \
		static const struct order_kind kind = {what, "org.portal.host." action, run};      \
		return order_begin(data, link, parameters, &kind);                                 \
	}

ORDER(start_guest, "start guest", "guests", run_start_guest)
ORDER(stop_guest, "stop guest", "guests", run_stop_guest)
ORDER(report_heap, "report heap", "guests", run_report_heap)
ORDER(reload, "reload", "configure", run_reload)

static void handle_disconnect(sd_varlink_server *server, sd_varlink *link, void *data) {
	daemon_forget(data, link);
}

/* Root is heard at once, everybody else in turn. */
static bool is_turn(struct daemon *daemon, sd_varlink *link, sd_varlink_method_flags_t flags) {
	uid_t uid;
	return (sd_varlink_get_peer_uid(link, &uid) >= 0 && uid == 0) ||
	       pace_allows(daemon->strangers, link, flags);
}

#define METHOD(handler, method)                                                                    \
	static int handler(sd_varlink *link, sd_json_variant *parameters,                          \
		sd_varlink_method_flags_t flags, void *data) {                                     \
		return is_turn(data, link, flags) ? method(link, parameters, flags, data) : 0;     \
	}

METHOD(handle_get_state, get_state)
METHOD(handle_list_guests, list_guests)
METHOD(handle_get_memory, get_memory)
METHOD(handle_start_guest, start_guest)
METHOD(handle_stop_guest, stop_guest)
METHOD(handle_report_heap, report_heap)
METHOD(handle_reload, reload)
METHOD(handle_list_devices, host_list_devices)
METHOD(handle_list_assignments, host_list_assignments)
METHOD(handle_take, host_take)
METHOD(handle_return, host_return)
METHOD(handle_release_gpu, host_release_gpu)
METHOD(handle_recover, host_recover)
METHOD(handle_switch, host_switch)
METHOD(handle_plan_switch, host_plan_switch)
METHOD(handle_hook, host_hook)

static int bind_methods(sd_varlink_server *server) {
	return sd_varlink_server_bind_method_many(server, HOST_INTERFACE ".GetState",
		handle_get_state, HOST_INTERFACE ".ListGuests", handle_list_guests,
		HOST_INTERFACE ".GetMemory", handle_get_memory, HOST_INTERFACE ".StartGuest",
		handle_start_guest, HOST_INTERFACE ".StopGuest", handle_stop_guest,
		HOST_INTERFACE ".ReportHeap", handle_report_heap, HOST_INTERFACE ".Reload",
		handle_reload, HOST_INTERFACE ".ListDevices", handle_list_devices,
		HOST_INTERFACE ".ListAssignments", handle_list_assignments, HOST_INTERFACE ".Take",
		handle_take, HOST_INTERFACE ".Return", handle_return, HOST_INTERFACE ".ReleaseGpu",
		handle_release_gpu, HOST_INTERFACE ".Recover", handle_recover,
		HOST_INTERFACE ".Switch", handle_switch, HOST_INTERFACE ".PlanSwitch",
		handle_plan_switch, HOST_INTERFACE ".Hook", handle_hook);
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

static void handle_slowed(void *data) {
	say(LOG_WARNING, "users other than root call more often than one should: their calls wait");
}

int host_server_init(struct daemon *daemon, struct error *error) {
	const struct pace_options pace = {
		.most = CALLS_AT_ONCE,
		.interval = CALLS_INTERVAL,
		.slowed = handle_slowed,
	};
	daemon->strangers = pace_create(daemon->loop, &pace);
	if (!daemon->strangers) {
		return error_set(error, "org.portal.Host: no timer");
	}
	int result = sd_varlink_server_new(&daemon->server,
		SD_VARLINK_SERVER_ACCOUNT_UID | SD_VARLINK_SERVER_INHERIT_USERDATA);
	sd_varlink_server *server = daemon->server;
	if (result >= 0) {
		sd_varlink_server_set_userdata(server, daemon);
		sd_varlink_server_set_info(server, "Portal", "portal-hostd", PORTAL_VERSION, NULL);
		result = sd_varlink_server_add_interface(server, &vl_interface_org_portal_Host);
	}
	if (result >= 0) {
		result = sd_varlink_server_set_connections_per_uid_max(server, CONNECTIONS_OF_USER);
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
	pace_destroy(daemon->strangers);
	daemon->strangers = NULL;
}
