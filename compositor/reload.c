#include "reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_xcursor_manager.h>
#include <wlr/util/log.h>

#include "action.h"
#include "compositor_config.h"
#include "input.h"
#include "keyboard.h"
#include "output.h"
#include "seat.h"
#include "server.h"
#include "toplevel.h"

static bool check_bindings(
	const struct compositor_config *config, const char *path, struct config_error *error) {
	const char *why;
	const struct config_binding *wrong = action_check(config, &why);
	if (wrong == NULL) {
		return true;
	}
	snprintf(error->message, sizeof(error->message), "%.200s:%d: bind %.60s %.60s: %s", path,
		wrong->line, wrong->key, wrong->action, why);
	return false;
}

static bool check_keyboard(
	const struct compositor_config *config, const char *path, struct config_error *error) {
	const struct config_keyboard *keyboard = &config->keyboard;
	if (keyboard->line == 0 || keyboard_check_config(keyboard)) {
		return true;
	}
	snprintf(error->message, sizeof(error->message),
		"%.200s:%d: there is no keyboard layout \"%.60s\" with variant \"%.60s\" and "
		"options \"%.60s\"",
		path, keyboard->line, keyboard->layout != NULL ? keyboard->layout : "",
		keyboard->variant != NULL ? keyboard->variant : "",
		keyboard->options != NULL ? keyboard->options : "");
	return false;
}

static bool read_file(
	struct compositor_config *config, const char *path, struct config_error *error) {
	struct config_file file;
	bool ok = config_file_load(&file, path, error);
	if (ok) {
		ok = compositor_config_read(config, &file, error) &&
		     check_bindings(config, path, error) && check_keyboard(config, path, error);
		config_file_finish(&file);
	}
	return ok;
}

struct compositor_config *reload_read_config(const char *named, struct config_error *error) {
	struct compositor_config *config = compositor_config_create();
	if (config == NULL) {
		snprintf(error->message, sizeof(error->message), "out of memory");
		return NULL;
	}
	// Looked for each time: the user may have begun without one.
	char *usual = named == NULL ? config_file_default_path() : NULL;
	const char *path = named != NULL ? named : usual;
	bool ok = path == NULL || read_file(config, path, error);
	free(usual);
	if (!ok) {
		compositor_config_destroy(config);
		return NULL;
	}
	return config;
}

static bool same_cursor(const struct config_theme *a, const struct config_theme *b) {
	bool same_name = a->cursor_theme == b->cursor_theme ||
			 (a->cursor_theme != NULL && b->cursor_theme != NULL &&
				 strcmp(a->cursor_theme, b->cursor_theme) == 0);
	return same_name && a->cursor_size == b->cursor_size;
}

bool reload_config(struct server *server, struct config_error *error) {
	struct config_error local_error;
	error = error != NULL ? error : &local_error;
	struct compositor_config *config = reload_read_config(server->config_path, error);
	if (config == NULL) {
		wlr_log(WLR_ERROR, "the configuration stays as it was: %s", error->message);
		return false;
	}
	struct compositor_config *old = server->config;
	server->config = config;
	if (!same_cursor(&old->theme, &config->theme)) {
		server_load_cursor_theme(server);
	}
	compositor_config_destroy(old);
	struct toplevel *toplevel;
	wl_list_for_each (toplevel, &server->toplevels, link) {
		toplevel_update_label(toplevel);
	}
	output_configure_all(server);
	wl_list_for_each (toplevel, &server->toplevels, link) {
		if (toplevel->mapped) {
			toplevel_refresh(toplevel);
		}
	}
	input_configure_all(server);
	seat_reload_cursors(server);
	wlr_log(WLR_INFO, "configuration read again");
	return true;
}
