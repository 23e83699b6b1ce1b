#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "domain/manager.h"
#include "launch.h"
#include "paths.h"
#include "status.h"

/* The connections that were needed so far, one for each URI. */
struct connections {
	sd_event *loop;
	struct connection {
		const char *uri;
		struct domain_manager *manager; /* NULL: failed */
		struct error error;
	} *items;
	size_t len;
};

static struct connection *connect_to(struct connections *connections, const char *uri) {
	for (size_t i = 0; i < connections->len; i++) {
		if (strcmp(connections->items[i].uri, uri) == 0) {
			return &connections->items[i];
		}
	}
	struct connection *connection = &connections->items[connections->len++];
	connection->uri = uri;
	connection->manager =
		domain_manager_create(uri, connections->loop, NULL, NULL, &connection->error);
	return connection;
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
		return "-";
	}
	struct connection *connection = connect_to(connections, vm->uri);
	enum domain_state state;
	struct error error;
	if (connection->manager == NULL ||
		domain_manager_get_state(connection->manager, vm->domain, &state, &error) < 0) {
		return "no libvirt";
	}
	return texts[state];
}

static void print_row(struct connections *connections, const struct config_vm *vm) {
	const char *domain = domain_text(connections, vm), *agent = "-";
	char windows[24] = "-";
	struct guest_paths paths;
	struct bridge_state state;
	if (guest_paths_init(&paths, vm->name) == RUN_OK &&
		bridge_get_state(paths.bridge, &state) == 0) {
		agent = state.ready ? "ready" : "waiting";
		snprintf(windows, sizeof(windows), "%lld", (long long)state.windows);
	}
	printf("%-20s %-12s %-8s %7s  %s\n", vm->name, domain, agent, windows,
		vm->label != NULL ? vm->label : "-");
}

int launch_list(const struct settings *settings) {
	const struct config_vms *vms = &settings->vms;
	struct connections connections = {.items = calloc(vms->len + 1, sizeof(struct connection))};
	if (connections.items == NULL || sd_event_new(&connections.loop) < 0) {
		free(connections.items);
		return RUN_SYSTEM;
	}
	printf("%-20s %-12s %-8s %7s  %s\n", "NAME", "DOMAIN", "AGENT", "WINDOWS", "LABEL");
	for (size_t i = 0; i < vms->len; i++) {
		print_row(&connections, &vms->vms[i]);
	}
	struct config_vm local;
	if (config_vms_find(vms, CONFIG_VM_LOCAL) == NULL &&
		config_vm_init(&local, CONFIG_VM_LOCAL)) {
		print_row(&connections, &local);
		config_vm_finish(&local);
	}
	for (size_t i = 0; i < connections.len; i++) {
		const struct connection *connection = &connections.items[i];
		if (connection->manager == NULL) {
			fprintf(stderr, "portal-run: %s: %s\n", connection->uri,
				connection->error.text);
		}
		domain_manager_destroy(connection->manager);
	}
	sd_event_unref(connections.loop);
	free(connections.items);
	return RUN_OK;
}
