#include "control_state.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "output.h"
#include "seat.h"
#include "server.h"
#include "toplevel.h"

#define BUILD_BOX(box)                                                                             \
	SD_JSON_BUILD_OBJECT(SD_JSON_BUILD_PAIR_INTEGER("x", (box).x),                             \
		SD_JSON_BUILD_PAIR_INTEGER("y", (box).y),                                          \
		SD_JSON_BUILD_PAIR_INTEGER("width", (box).width),                                  \
		SD_JSON_BUILD_PAIR_INTEGER("height", (box).height))

static int append_output(sd_json_variant **array, const struct output *output) {
	const struct wlr_output *wlr_output = output->wlr_output;
	char description[256];
	output_describe(wlr_output, description, sizeof(description));
	return sd_json_variant_append_arraybo(array,
		SD_JSON_BUILD_PAIR_STRING("name", wlr_output->name),
		SD_JSON_BUILD_PAIR_STRING("description", description),
		SD_JSON_BUILD_PAIR_BOOLEAN("enabled", wlr_output->enabled),
		SD_JSON_BUILD_PAIR("box", BUILD_BOX(output->box)),
		SD_JSON_BUILD_PAIR("usable", BUILD_BOX(output->usable)),
		SD_JSON_BUILD_PAIR_INTEGER("width", wlr_output->width),
		SD_JSON_BUILD_PAIR_INTEGER("height", wlr_output->height),
		SD_JSON_BUILD_PAIR_INTEGER("refresh", wlr_output->refresh),
		SD_JSON_BUILD_PAIR_REAL("scale", wlr_output->scale));
}

static const char *kind_name(enum label_kind kind) {
	switch (kind) {
	case LABEL_LOCAL:
		return "local";
	case LABEL_VM:
		return "vm";
	case LABEL_UNKNOWN_VM:
		return "unknown-vm";
	case LABEL_SANDBOX:
		return "sandbox";
	}
	return "";
}

/* A guest may send any bytes as a title; JSON is UTF-8. */
static void valid_utf8(char *out, size_t size, const char *untrusted_text) {
	const char *end;
	g_utf8_validate(untrusted_text != NULL ? untrusted_text : "", -1, &end);
	size_t length = untrusted_text != NULL ? (size_t)(end - untrusted_text) : 0;
	length = length < size - 1 ? length : size - 1;
	// Not through the middle of a character.
	while (length > 0 && untrusted_text + length < end &&
		((unsigned char)untrusted_text[length] & 0xc0) == 0x80) {
		length--;
	}
	memcpy(out, length > 0 ? untrusted_text : "", length);
	out[length] = '\0';
}

static int append_window(sd_json_variant **array, struct toplevel *toplevel) {
	struct seat *seat = wl_container_of(toplevel->server->seats.next, seat, link);
	struct output *output = toplevel_find_output(toplevel);
	const struct label *label = &toplevel->label;
	struct wlr_box frame = toplevel_outer_box(toplevel);
	char title[512], app_id[256], text[512], vm[256], color[8];
	pid_t pid;
	valid_utf8(title, sizeof(title), toplevel->xdg->title);
	valid_utf8(app_id, sizeof(app_id), toplevel->xdg->app_id);
	// Both can be what someone has made up: a name of a context, a file in another encoding.
	valid_utf8(text, sizeof(text), label->text);
	valid_utf8(vm, sizeof(vm), label->vm);
	snprintf(color, sizeof(color), "#%06x", label->color & 0xffffff);
	wl_client_get_credentials(
		wl_resource_get_client(toplevel->xdg->resource), &pid, NULL, NULL);
	return sd_json_variant_append_arraybo(array,
		SD_JSON_BUILD_PAIR_UNSIGNED("id", toplevel->id),
		SD_JSON_BUILD_PAIR_STRING("title", title),
		SD_JSON_BUILD_PAIR_STRING("appId", app_id),
		SD_JSON_BUILD_PAIR_STRING("kind", kind_name(label->kind)),
		SD_JSON_BUILD_PAIR_STRING("vm", label->vm != NULL ? vm : NULL),
		SD_JSON_BUILD_PAIR_STRING("label", label->text != NULL ? text : NULL),
		SD_JSON_BUILD_PAIR_STRING("color", color),
		SD_JSON_BUILD_PAIR("box", BUILD_BOX(toplevel->box)),
		SD_JSON_BUILD_PAIR("frame", BUILD_BOX(frame)),
		SD_JSON_BUILD_PAIR_STRING(
			"output", output != NULL ? output->wlr_output->name : NULL),
		SD_JSON_BUILD_PAIR_BOOLEAN(
			"focused", seat->focused == toplevel && seat->focused_layer == NULL),
		SD_JSON_BUILD_PAIR_BOOLEAN("maximized", toplevel->layout == TOPLEVEL_MAXIMIZED),
		SD_JSON_BUILD_PAIR_BOOLEAN("fullscreen", toplevel->fullscreen),
		SD_JSON_BUILD_PAIR_BOOLEAN("minimized", toplevel->minimized),
		SD_JSON_BUILD_PAIR_INTEGER("pid", pid));
}

static int build_arrays(
	struct server *server, sd_json_variant **outputs, sd_json_variant **windows) {
	int result = sd_json_variant_new_array(outputs, NULL, 0);
	if (result < 0) {
		return result;
	}
	result = sd_json_variant_new_array(windows, NULL, 0);
	struct output *output;
	wl_list_for_each (output, &server->outputs, link) {
		if (result >= 0) {
			result = append_output(outputs, output);
		}
	}
	struct toplevel *toplevel;
	wl_list_for_each (toplevel, &server->toplevels, link) {
		if (result >= 0 && toplevel->mapped) {
			result = append_window(windows, toplevel);
		}
	}
	return result;
}

int control_state_build(struct server *server, sd_json_variant **state) {
	sd_json_variant *outputs = NULL, *windows = NULL;
	int result = build_arrays(server, &outputs, &windows);
	if (result >= 0) {
		result = sd_json_buildo(state, SD_JSON_BUILD_PAIR_STRING("display", server->socket),
			SD_JSON_BUILD_PAIR_VARIANT("outputs", outputs),
			SD_JSON_BUILD_PAIR_VARIANT("windows", windows));
	}
	sd_json_variant_unref(outputs);
	sd_json_variant_unref(windows);
	return result;
}
