/* power on|off: switches all outputs (wlr-output-power-management). */
#include <string.h>

#include "feature.h"
#include "wlr-output-power-management-unstable-v1-client-protocol.h"

#define MAX_OUTPUTS 8

struct power {
	struct zwlr_output_power_manager_v1 *manager;
	struct wl_output *outputs[MAX_OUTPUTS];
	size_t outputs_len;
};

static void handle_global(
	struct client *client, uint32_t name, const char *interface, uint32_t version) {
	struct power *power = client->data;
	if (strcmp(interface, zwlr_output_power_manager_v1_interface.name) == 0) {
		power->manager = wl_registry_bind(
			client->registry, name, &zwlr_output_power_manager_v1_interface, 1);
	} else if (strcmp(interface, wl_output_interface.name) == 0 &&
		   power->outputs_len < MAX_OUTPUTS) {
		power->outputs[power->outputs_len++] =
			wl_registry_bind(client->registry, name, &wl_output_interface, 3);
	}
}

static void handle_mode(void *data, struct zwlr_output_power_v1 *control, uint32_t mode) {
	/* The mode asked for comes back by itself. */
}

static void handle_failed(void *data, struct zwlr_output_power_v1 *control) {
	client_fail("the output cannot be switched");
}

static const struct zwlr_output_power_v1_listener listener = {
	.mode = handle_mode,
	.failed = handle_failed,
};

void feature_power(struct client *client, int argc, char **argv) {
	struct power power = {0};
	client->data = &power;
	client->global = handle_global;
	client_restart_registry(client);
	client_roundtrip(client);
	if (argc < 1 || power.manager == NULL) {
		client_fail("no zwlr_output_power_manager_v1, or not told on or off");
	}
	for (size_t i = 0; i < power.outputs_len; i++) {
		struct zwlr_output_power_v1 *control =
			zwlr_output_power_manager_v1_get_output_power(
				power.manager, power.outputs[i]);
		zwlr_output_power_v1_add_listener(control, &listener, NULL);
		zwlr_output_power_v1_set_mode(control, strcmp(argv[0], "on") == 0);
		client_roundtrip(client);
		zwlr_output_power_v1_destroy(control);
		wl_output_release(power.outputs[i]);
	}
	zwlr_output_power_manager_v1_destroy(power.manager);
}
