/* A screen that refuses modes, which no headless output does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <wlr/backend.h>
#include <wlr/interfaces/wlr_output.h>
#include <wlr/types/wlr_foreign_toplevel_management_v1.h>
#include <wlr/types/wlr_output_management_v1.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <wlr/util/log.h>

#include "compositor_config.h"
#include "output.h"
#include "output_state.h"
#include "server.h"
#include "taskbar.h"
#include "toplevel.h"

struct screen {
	struct wlr_output base;
	struct wlr_output_mode modes[3]; /* the first is the preferred one */
	int works; /* the only mode that does, -1: none */
};

static bool commit(struct wlr_output *base, const struct wlr_output_state *state) {
	struct screen *screen = wl_container_of(base, screen, base);
	bool enables = (state->committed & WLR_OUTPUT_STATE_ENABLED) && state->enabled;
	bool sets_mode = state->committed & WLR_OUTPUT_STATE_MODE;
	return !(enables || sets_mode) ||
	       (sets_mode && screen->works >= 0 && state->mode == &screen->modes[screen->works]);
}

static void destroy(struct wlr_output *base) {
	struct screen *screen = wl_container_of(base, screen, base);
	wlr_output_finish(base);
	free(screen);
}

static const struct wlr_output_impl impl = {.commit = commit, .destroy = destroy};

static struct screen *plug_in(struct server *server, int works) {
	static const int sizes[][2] = {{1920, 1080}, {1280, 720}, {800, 600}};
	struct screen *screen = calloc(1, sizeof(*screen));
	assert_non_null(screen);
	wlr_output_init(&screen->base, server->backend, &impl, server->loop, NULL);
	wlr_output_set_name(&screen->base, "TEST-1");
	screen->works = works;
	for (int i = 0; i < 3; i++) {
		screen->modes[i] = (struct wlr_output_mode){
			.width = sizes[i][0],
			.height = sizes[i][1],
			.refresh = 60000,
			.preferred = i == 0,
		};
		wl_list_insert(screen->base.modes.prev, &screen->modes[i].link);
	}
	wl_signal_emit_mutable(&server->backend->events.new_output, &screen->base);
	return screen;
}

static int setup(void **state) {
	setenv("WLR_BACKENDS", "headless", true);
	setenv("WLR_RENDERER", "pixman", true);
	wlr_log_init(WLR_SILENT, NULL);
	struct compositor_config *config = compositor_config_create();
	assert_non_null(config);
	config->outputs = calloc(1, sizeof(*config->outputs));
	assert_non_null(config->outputs);
	config->outputs_len = 1;
	config->outputs[0] = (struct config_output){
		.name = strdup("TEST-1"),
		.enabled = -1,
		.transform = -1,
		.adaptive_sync = -1,
		.width = 4000,
		.height = 3000,
		.custom_mode = true,
	};
	*state = server_create(config, NULL);
	return *state != NULL ? 0 : -1;
}

static int teardown(void **state) {
	server_destroy(*state);
	return 0;
}

static void test_a_screen_that_refuses_its_configuration_is_shown_in_a_mode_that_works(
	void **state) {
	struct server *server = *state;
	for (int works = 0; works < 3; works++) {
		struct screen *screen = plug_in(server, works);
		struct output *output = output_from_wlr_output(server, &screen->base);
		assert_non_null(output);
		assert_int_equal(output->box.width, screen->modes[works].width);
		assert_int_equal(output->box.height, screen->modes[works].height);
		wlr_output_destroy(&screen->base);
		assert_true(wl_list_empty(&server->outputs));
	}
}

static void test_a_screen_that_refuses_everything_is_left_dark(void **state) {
	struct server *server = *state;
	struct screen *screen = plug_in(server, -1);
	assert_null(output_from_wlr_output(server, &screen->base));
	assert_null(output_active(server));
	wlr_output_destroy(&screen->base);
}

static void test_a_screen_that_is_dark_only_is_told_as_switched_on(void **state) {
	struct server *server = *state;
	struct screen *screen = plug_in(server, 0);
	struct wlr_output_state dark;
	wlr_output_state_init(&dark);
	wlr_output_state_set_enabled(&dark, false);
	assert_true(wlr_output_commit_state(&screen->base, &dark));
	wlr_output_state_finish(&dark);
	assert_false(screen->base.enabled);
	output_state_publish(server); /* as when another one comes */
	struct wlr_output_manager_v1 *manager = server->globals.output_manager;
	assert_int_equal(wl_list_length(&manager->heads), 1);
	struct wlr_output_head_v1 *head = wl_container_of(manager->heads.next, head, link);
	assert_true(head->state.enabled);
	wlr_output_destroy(&screen->base);
}

/* Which screens a bar shows a window on. */
static struct wlr_output *shown_on(struct server *server) {
	struct wlr_foreign_toplevel_manager_v1 *manager = server->globals.foreign_toplevel;
	struct wlr_foreign_toplevel_handle_v1 *handle =
		wl_container_of(manager->toplevels.next, handle, link);
	struct wlr_foreign_toplevel_handle_v1_output *shown;
	assert_true(wl_list_length(&handle->outputs) <= 1);
	wl_list_for_each (shown, &handle->outputs, link) {
		return shown->output;
	}
	return NULL;
}

/* The new one is where the old one was, in memory as well: what was told of that is no news of it.
 */
static void test_a_bar_is_told_of_a_screen_that_takes_anothers_place(void **state) {
	struct server *server = *state;
	struct wlr_xdg_surface surface = {0};
	struct wlr_xdg_toplevel xdg = {.base = &surface};
	struct toplevel toplevel = {.server = server, .xdg = &xdg, .box = {10, 10, 100, 100}};
	struct screen *former = plug_in(server, 0);
	wl_list_insert(&server->toplevels, &toplevel.link);
	toplevel.taskbar = taskbar_entry_create(&toplevel);
	assert_non_null(toplevel.taskbar);
	assert_ptr_equal(shown_on(server), &former->base);
	wlr_output_destroy(&former->base);
	assert_null(shown_on(server));
	struct screen *latter = plug_in(server, 0);
	taskbar_entry_update(toplevel.taskbar);
	assert_ptr_equal(shown_on(server), &latter->base);
	taskbar_entry_destroy(toplevel.taskbar);
	wl_list_remove(&toplevel.link);
	if (toplevel.changed != NULL) {
		wl_event_source_remove(toplevel.changed);
	}
	wlr_output_destroy(&latter->base);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_screen_that_refuses_its_configuration_is_shown_in_a_mode_that_works,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_screen_that_refuses_everything_is_left_dark, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_screen_that_is_dark_only_is_told_as_switched_on, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_bar_is_told_of_a_screen_that_takes_anothers_place, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
