#include "output_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_output_management_v1.h>
#include <wlr/types/wlr_output_power_management_v1.h>
#include <wlr/util/log.h>

#include "compositor_config.h"
#include "output.h"
#include "server.h"

static bool matches(const struct config_output *config, const struct wlr_output *wlr_output) {
	char description[256];
	output_describe(wlr_output, description, sizeof(description));
	return strcmp(config->name, "*") == 0 || strcmp(config->name, wlr_output->name) == 0 ||
	       strcmp(config->name, description) == 0;
}

/* Everything the configuration says of an output; a later block wins over an earlier one. */
static struct config_output merge(
	const struct compositor_config *config, const struct wlr_output *wlr_output) {
	struct config_output merged = {.enabled = -1, .transform = -1, .adaptive_sync = -1};
	for (size_t i = 0; i < config->outputs_len; i++) {
		const struct config_output *one = &config->outputs[i];
		if (!matches(one, wlr_output)) {
			continue;
		}
		merged.enabled = one->enabled >= 0 ? one->enabled : merged.enabled;
		merged.transform = one->transform >= 0 ? one->transform : merged.transform;
		merged.adaptive_sync =
			one->adaptive_sync >= 0 ? one->adaptive_sync : merged.adaptive_sync;
		merged.scale = one->scale > 0 ? one->scale : merged.scale;
		if (one->width > 0) {
			merged.width = one->width;
			merged.height = one->height;
			merged.refresh = one->refresh;
			merged.custom_mode = one->custom_mode;
		}
		if (one->has_position) {
			merged.has_position = true;
			merged.x = one->x;
			merged.y = one->y;
		}
	}
	return merged;
}

/* The offered mode of that size whose refresh rate is nearest, or the fastest when none is named.
 */
static struct wlr_output_mode *find_mode(
	struct wlr_output *wlr_output, const struct config_output *config) {
	struct wlr_output_mode *best = NULL, *mode;
	wl_list_for_each (mode, &wlr_output->modes, link) {
		if (mode->width != config->width || mode->height != config->height) {
			continue;
		}
		if (best == NULL ||
			(config->refresh > 0 ? abs(mode->refresh - config->refresh) <
						       abs(best->refresh - config->refresh)
					     : mode->refresh > best->refresh)) {
			best = mode;
		}
	}
	return best;
}

static void set_mode(struct wlr_output *wlr_output, struct wlr_output_state *state,
	const struct config_output *config) {
	if (config->width == 0) {
		struct wlr_output_mode *preferred = wlr_output_preferred_mode(wlr_output);
		if (preferred != NULL) {
			wlr_output_state_set_mode(state, preferred);
		}
		return;
	}
	struct wlr_output_mode *mode = find_mode(wlr_output, config);
	if (mode != NULL && !config->custom_mode) {
		wlr_output_state_set_mode(state, mode);
	} else if (config->custom_mode || wl_list_empty(&wlr_output->modes)) {
		// Outputs without a list of modes (headless, nested) take any.
		wlr_output_state_set_custom_mode(
			state, config->width, config->height, config->refresh);
	} else {
		wlr_log(WLR_ERROR, "output %s has no mode %dx%d; using its preferred one",
			wlr_output->name, config->width, config->height);
		wlr_output_state_set_mode(state, wlr_output_preferred_mode(wlr_output));
	}
}

static bool use_mode(struct wlr_output *wlr_output, struct wlr_output_mode *mode) {
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, true);
	if (mode != NULL) {
		wlr_output_state_set_mode(&state, mode);
	}
	bool ok = wlr_output_commit_state(wlr_output, &state);
	wlr_output_state_finish(&state);
	return ok;
}

/* A picture that is not as it was wanted is better than none: tries the preferred mode, then all.
 */
static bool use_any_mode(struct wlr_output *wlr_output) {
	if (use_mode(wlr_output, wlr_output_preferred_mode(wlr_output))) {
		return true;
	}
	struct wlr_output_mode *mode;
	wl_list_for_each (mode, &wlr_output->modes, link) {
		if (use_mode(wlr_output, mode)) {
			return true;
		}
	}
	return false;
}

void output_state_configure(struct output *output) {
	struct wlr_output *wlr_output = output->wlr_output;
	struct config_output config = merge(output->server->config, wlr_output);
	bool enabled = config.enabled != 0;
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, enabled);
	if (enabled) {
		set_mode(wlr_output, &state, &config);
		wlr_output_state_set_scale(&state, config.scale > 0 ? (float)config.scale : 1);
		wlr_output_state_set_transform(
			&state, config.transform >= 0 ? (enum wl_output_transform)config.transform
						      : WL_OUTPUT_TRANSFORM_NORMAL);
		if (config.adaptive_sync >= 0 && wlr_output->adaptive_sync_supported) {
			wlr_output_state_set_adaptive_sync_enabled(&state, config.adaptive_sync);
		}
	}
	bool ok = wlr_output_commit_state(wlr_output, &state);
	wlr_output_state_finish(&state);
	if (!ok) {
		wlr_log(WLR_ERROR, "output %s: its configuration does not work", wlr_output->name);
		ok = wlr_output->enabled || use_any_mode(wlr_output);
	}
	if (ok) {
		output_set_shown(
			output, wlr_output->enabled, config.has_position, config.x, config.y);
	}
	output_state_publish(output->server);
}

void output_state_publish(struct server *server) {
	struct wlr_output_configuration_v1 *configuration = wlr_output_configuration_v1_create();
	if (configuration == NULL) {
		return;
	}
	struct output *output;
	wl_list_for_each (output, &server->outputs, link) {
		struct wlr_output_configuration_head_v1 *head =
			wlr_output_configuration_head_v1_create(configuration, output->wlr_output);
		if (head != NULL) {
			/* One that is dark only is still there; see handle_power(). */
			head->state.enabled = output->scene_output != NULL;
			head->state.x = output->box.x;
			head->state.y = output->box.y;
		}
	}
	wlr_output_manager_v1_set_configuration(server->globals.output_manager, configuration);
}

static bool try_head(
	struct server *server, struct wlr_output_configuration_head_v1 *head, bool test) {
	struct wlr_output *wlr_output = head->state.output;
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_head_v1_state_apply(&head->state, &state);
	bool ok = test ? wlr_output_test_state(wlr_output, &state)
		       : wlr_output_commit_state(wlr_output, &state);
	wlr_output_state_finish(&state);
	struct output *output;
	wl_list_for_each (output, &server->outputs, link) {
		if (!test && ok && output->wlr_output == wlr_output) {
			output_set_shown(
				output, head->state.enabled, true, head->state.x, head->state.y);
		}
	}
	return ok;
}

static void handle_configuration(
	struct server *server, struct wlr_output_configuration_v1 *configuration, bool test) {
	bool ok = true;
	struct wlr_output_configuration_head_v1 *head;
	// What is switched off first leaves its part of the graphics card to the others.
	for (int enabled = 0; enabled <= 1; enabled++) {
		wl_list_for_each (head, &configuration->heads, link) {
			if (head->state.enabled == (enabled == 1)) {
				ok = try_head(server, head, test) && ok;
			}
		}
	}
	if (ok) {
		wlr_output_configuration_v1_send_succeeded(configuration);
	} else {
		wlr_output_configuration_v1_send_failed(configuration);
	}
	wlr_output_configuration_v1_destroy(configuration);
	if (!test) {
		output_state_publish(server);
	}
}

static void handle_apply(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, output_apply);
	handle_configuration(server, data, false);
}

static void handle_test(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, output_test);
	handle_configuration(server, data, true);
}

/* Off here means dark: the output stays in the layout, and its windows where they are. */
static void handle_power(struct wl_listener *listener, void *data) {
	const struct wlr_output_power_v1_set_mode_event *event = data;
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, event->mode == ZWLR_OUTPUT_POWER_V1_MODE_ON);
	if (!wlr_output_commit_state(event->output, &state)) {
		wlr_log(WLR_ERROR, "output %s could not be switched", event->output->name);
	}
	wlr_output_state_finish(&state);
}

void output_state_init(struct server *server) {
	server->output_apply.notify = handle_apply;
	wl_signal_add(&server->globals.output_manager->events.apply, &server->output_apply);
	server->output_test.notify = handle_test;
	wl_signal_add(&server->globals.output_manager->events.test, &server->output_test);
	server->output_power_mode.notify = handle_power;
	wl_signal_add(&server->globals.output_power->events.set_mode, &server->output_power_mode);
}

void output_state_finish(struct server *server) {
	wl_list_remove(&server->output_apply.link);
	wl_list_remove(&server->output_test.link);
	wl_list_remove(&server->output_power_mode.link);
}
