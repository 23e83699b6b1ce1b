#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-json.h>

#include "bridge.h"
#include "domain/manager.h"
#include "launch.h"
#include "machine_door.h"
#include "paths.h"
#include "say.h"
#include "status.h"

/* Seconds for a host to answer at its door. */
#define DOOR_TIMEOUT 30

/* The connections that were needed so far, one for each URI. */
struct connections {
	sd_event *loop;
	struct connection {
		const char *uri;
		struct domain_manager *manager; /* NULL: failed, or a door */
		struct error error;
		bool door; /* answered */
		struct host_answer answer;
	} *items;
	size_t len;
};

/* What is known of one guest. */
struct row {
	const struct config_vm *vm;
	const char *domain; /* state of the domain; NULL: it has none */
	bool asked; /* its bridge has answered */
	struct bridge_state bridge;
};

static void open_door(struct connection *connection) {
	const struct host_call list = {.method = PORTAL_CALL_LIST, .timeout = DOOR_TIMEOUT};
	connection->door = host_door_call(connection->uri, &list, &connection->answer) == RUN_OK &&
			   connection->answer.error == PORTAL_CALL_DONE;
}

static struct connection *connect_to(struct connections *connections, const char *uri) {
	for (size_t i = 0; i < connections->len; i++) {
		if (strcmp(connections->items[i].uri, uri) == 0) {
			return &connections->items[i];
		}
	}
	struct connection *connection = &connections->items[connections->len++];
	connection->uri = uri;
	if (host_door_is(uri)) {
		open_door(connection);
	} else {
		connection->manager = domain_manager_create(
			uri, connections->loop, NULL, NULL, &connection->error);
	}
	return connection;
}

static void connections_finish(struct connections *connections) {
	for (size_t i = 0; i < connections->len; i++) {
		struct connection *connection = &connections->items[i];
		if (connection->error.text[0] != '\0') {
			fprintf(stderr, "portal-run: %s: %s\n", connection->uri,
				connection->error.text);
		}
		domain_manager_destroy(connection->manager);
		free(connection->answer.guests);
	}
	sd_event_unref(connections->loop);
	free(connections->items);
}

static const char *domain_text(struct connections *connections, const struct config_vm *vm) {
	static const char *const texts[] = {
		[DOMAIN_ABSENT] = "not defined",
		[DOMAIN_OFF] = "off",
		[DOMAIN_RUNNING] = "running",
		[DOMAIN_PAUSED] = "paused",
		[DOMAIN_STOPPING] = "stopping",
	};
	if (strcmp(vm->name, CONFIG_VM_LOCAL) == 0 || vm->uri == NULL) {
		return NULL;
	}
	struct connection *connection = connect_to(connections, vm->uri);
	if (host_door_is(vm->uri)) {
		return connection->door ? texts[machine_door_state(&connection->answer, vm->domain)]
					: "no host";
	}
	enum domain_state state;
	struct error error;
	if (connection->manager == NULL ||
		domain_manager_get_state(connection->manager, vm->domain, &state, &error) < 0) {
		return "no libvirt";
	}
	return texts[state];
}

static struct row read_row(struct connections *connections, const struct config_vm *vm) {
	struct row row = {.vm = vm, .domain = domain_text(connections, vm)};
	struct guest_paths paths;
	row.asked = guest_paths_init(&paths, vm->name) == RUN_OK &&
		    bridge_get_state(paths.bridge, &row.bridge) == 0;
	return row;
}

static void print_rows(const struct row *rows, size_t count) {
	printf("%-20s %-12s %-8s %7s  %s\n", "NAME", "DOMAIN", "AGENT", "WINDOWS", "LABEL");
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		char windows[24] = "-";
		if (row->asked) {
			snprintf(windows, sizeof(windows), "%" PRId64, row->bridge.windows);
		}
		printf("%-20s %-12s %-8s %7s  %s\n", row->vm->name,
			row->domain != NULL ? row->domain : "-",
			!row->asked	    ? "-"
			: row->bridge.ready ? "ready"
					    : "waiting",
			windows, row->vm->label != NULL ? row->vm->label : "-");
	}
}

static int row_to_json(const struct row *row, sd_json_variant **object) {
	const struct config_vm *vm = row->vm;
	const struct bridge_state *bridge = &row->bridge;
	char color[8] = "";
	snprintf(color, sizeof(color), "#%06x", vm->color & 0xffffff);
	const char *agent = !row->asked ? NULL : bridge->ready ? "ready" : "waiting";
	const char *message = row->asked && bridge->message[0] != '\0' ? bridge->message : NULL;
	return sd_json_buildo(object, SD_JSON_BUILD_PAIR_STRING("name", vm->name),
		SD_JSON_BUILD_PAIR_CONDITION(
			vm->label != NULL, "label", SD_JSON_BUILD_STRING(vm->label)),
		SD_JSON_BUILD_PAIR_CONDITION(
			vm->label != NULL, "color", SD_JSON_BUILD_STRING(color)),
		SD_JSON_BUILD_PAIR_CONDITION(
			row->domain != NULL, "domain", SD_JSON_BUILD_STRING(row->domain)),
		SD_JSON_BUILD_PAIR_CONDITION(agent != NULL, "agent", SD_JSON_BUILD_STRING(agent)),
		SD_JSON_BUILD_PAIR_CONDITION(
			message != NULL, "message", SD_JSON_BUILD_STRING(message)),
		SD_JSON_BUILD_PAIR_CONDITION(
			row->asked, "windows", SD_JSON_BUILD_INTEGER(bridge->windows)),
		SD_JSON_BUILD_PAIR_CONDITION(
			row->asked, "programs", SD_JSON_BUILD_INTEGER(bridge->programs)));
}

static int print_json(const struct row *rows, size_t count) {
	sd_json_variant *array = NULL;
	int result = sd_json_variant_new_array(&array, NULL, 0);
	for (size_t i = 0; i < count && result >= 0; i++) {
		sd_json_variant *object = NULL;
		result = row_to_json(&rows[i], &object);
		if (result >= 0) {
			result = sd_json_variant_append_array(&array, object);
		}
		sd_json_variant_unref(object);
	}
	if (result >= 0) {
		result = sd_json_variant_dump(
			array, SD_JSON_FORMAT_PRETTY | SD_JSON_FORMAT_NEWLINE, stdout, NULL);
	}
	sd_json_variant_unref(array);
	return result;
}

int launch_list(const struct run_options *options, const struct settings *settings) {
	const struct config_vms *vms = &settings->vms;
	/* Whether there are bridges could not be found out: said once, not for each guest. */
	struct guest_paths paths;
	int status = guest_paths_init(&paths, CONFIG_VM_LOCAL);
	if (status != RUN_OK) {
		return status;
	}
	struct connections connections = {.items = calloc(vms->len + 1, sizeof(struct connection))};
	struct row *rows = calloc(vms->len + 1, sizeof(*rows));
	struct config_vm local;
	bool add_local = config_vms_find(vms, CONFIG_VM_LOCAL) == NULL &&
			 config_vm_init(&local, CONFIG_VM_LOCAL);
	status = RUN_SYSTEM;
	if (connections.items != NULL && rows != NULL && sd_event_new(&connections.loop) >= 0) {
		size_t count = 0;
		for (; count < vms->len; count++) {
			rows[count] = read_row(&connections, &vms->vms[count]);
		}
		if (add_local) {
			rows[count++] = read_row(&connections, &local);
		}
		status = RUN_OK;
		if (!options->json) {
			print_rows(rows, count);
		} else {
			int printed = print_json(rows, count);
			status = printed < 0 ? say_failure(RUN_SYSTEM,
						       "cannot make JSON of the list: %s",
						       strerror(-printed))
					     : RUN_OK;
		}
	}
	if (add_local) {
		config_vm_finish(&local);
	}
	free(rows);
	connections_finish(&connections);
	return status;
}
