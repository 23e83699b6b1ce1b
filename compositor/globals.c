#include "globals.h"

#include <string.h>
#include <wlr/backend.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_alpha_modifier_v1.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_content_type_v1.h>
#include <wlr/types/wlr_cursor_shape_v1.h>
#include <wlr/types/wlr_data_control_v1.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_drm.h>
#include <wlr/types/wlr_export_dmabuf_v1.h>
#include <wlr/types/wlr_ext_data_control_v1.h>
#include <wlr/types/wlr_ext_image_capture_source_v1.h>
#include <wlr/types/wlr_ext_image_copy_capture_v1.h>
#include <wlr/types/wlr_fixes.h>
#include <wlr/types/wlr_foreign_toplevel_management_v1.h>
#include <wlr/types/wlr_fractional_scale_v1.h>
#include <wlr/types/wlr_gamma_control_v1.h>
#include <wlr/types/wlr_idle_inhibit_v1.h>
#include <wlr/types/wlr_idle_notify_v1.h>
#include <wlr/types/wlr_layer_shell_v1.h>
#include <wlr/types/wlr_linux_dmabuf_v1.h>
#include <wlr/types/wlr_linux_drm_syncobj_v1.h>
#include <wlr/types/wlr_output_management_v1.h>
#include <wlr/types/wlr_output_power_management_v1.h>
#include <wlr/types/wlr_pointer_constraints_v1.h>
#include <wlr/types/wlr_pointer_gestures_v1.h>
#include <wlr/types/wlr_presentation_time.h>
#include <wlr/types/wlr_primary_selection_v1.h>
#include <wlr/types/wlr_relative_pointer_v1.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_screencopy_v1.h>
#include <wlr/types/wlr_security_context_v1.h>
#include <wlr/types/wlr_server_decoration.h>
#include <wlr/types/wlr_single_pixel_buffer_v1.h>
#include <wlr/types/wlr_subcompositor.h>
#include <wlr/types/wlr_viewporter.h>
#include <wlr/types/wlr_virtual_keyboard_v1.h>
#include <wlr/types/wlr_virtual_pointer_v1.h>
#include <wlr/types/wlr_xdg_activation_v1.h>
#include <wlr/types/wlr_xdg_decoration_v1.h>
#include <wlr/types/wlr_xdg_output_v1.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "guard.h"
#include "label.h"
#include "server.h"

static bool in_list(const char *const list[], const char *name) {
	for (size_t i = 0; list[i] != NULL; i++) {
		if (strcmp(list[i], name) == 0) {
			return true;
		}
	}
	return false;
}

/*
 * What a client with a security context may see. A list of what is allowed, so that a global added
 * later, here or in a newer wlroots, is closed until someone has thought about it.
 */
static const char *const sandbox_allowed[] = {
	"org_kde_kwin_server_decoration_manager",
	"wl_compositor",
	"wl_fixes",
	"wl_output",
	"wl_seat",
	"wl_shm",
	"wl_subcompositor",
	"wp_alpha_modifier_v1",
	"wp_content_type_manager_v1",
	"wp_cursor_shape_manager_v1",
	"wp_fractional_scale_manager_v1",
	"wp_presentation",
	"wp_single_pixel_buffer_manager_v1",
	"wp_viewporter",
	"xdg_activation_v1",
	"xdg_wm_base",
	"zwp_idle_inhibit_manager_v1",
	"zwp_pointer_constraints_v1",
	"zwp_pointer_gestures_v1",
	"zwp_relative_pointer_manager_v1",
	"zxdg_decoration_manager_v1",
	"zxdg_output_manager_v1",
	NULL,
};

/* Also a sandboxed application of this machine, which is the user's own. A VM is not: there is no
 * clipboard between labels until there is a policy for it, and its pixels are in memory, never in a
 * buffer of this machine's graphics card. */
static const char *const local_sandbox_allowed[] = {
	"wl_data_device_manager",
	"wl_drm",
	"wp_linux_drm_syncobj_manager_v1",
	"zwp_linux_dmabuf_v1",
	"zwp_primary_selection_device_manager_v1",
	NULL,
};

static bool filter_global(
	const struct wl_client *client, const struct wl_global *global, void *data) {
	struct server *server = data;
	enum label_kind kind = label_kind_of_client(server, client);
	if (kind == LABEL_LOCAL) {
		return true;
	}
	const char *name = wl_global_get_interface(global)->name;
	return in_list(sandbox_allowed, name) ||
	       (kind == LABEL_SANDBOX && in_list(local_sandbox_allowed, name));
}

/* Pixels and their description. */
static bool create_rendering(struct server *server) {
	struct wl_display *display = server->display;
	if (!wlr_renderer_init_wl_shm(server->renderer, display)) {
		return false;
	}
	if (wlr_renderer_get_texture_formats(server->renderer, WLR_BUFFER_CAP_DMABUF) != NULL) {
		wlr_drm_create(display, server->renderer);
		struct wlr_linux_dmabuf_v1 *dmabuf =
			wlr_linux_dmabuf_v1_create_with_renderer(display, 5, server->renderer);
		if (dmabuf != NULL) {
			wlr_scene_set_linux_dmabuf_v1(server->scene, dmabuf);
		}
	}
	int drm_fd = wlr_renderer_get_drm_fd(server->renderer);
	if (drm_fd >= 0 && server->renderer->features.timeline &&
		server->backend->features.timeline) {
		wlr_linux_drm_syncobj_manager_v1_create(display, 1, drm_fd);
	}
	server->compositor = wlr_compositor_create(display, 6, server->renderer);
	return server->compositor != NULL && wlr_subcompositor_create(display) != NULL &&
	       wlr_viewporter_create(display) != NULL &&
	       wlr_single_pixel_buffer_manager_v1_create(display) != NULL &&
	       wlr_alpha_modifier_v1_create(display) != NULL &&
	       wlr_content_type_manager_v1_create(display, 1) != NULL &&
	       wlr_fractional_scale_manager_v1_create(display, 1) != NULL &&
	       wlr_presentation_create(display, server->backend, 2) != NULL &&
	       wlr_fixes_create(display, 1) != NULL;
}

static bool create_windows(struct server *server) {
	struct wl_display *display = server->display;
	struct globals *globals = &server->globals;
	globals->xdg_shell = wlr_xdg_shell_create(display, 7);
	globals->layer_shell = wlr_layer_shell_v1_create(display, 5);
	globals->xdg_decoration = wlr_xdg_decoration_manager_v1_create(display);
	globals->kde_decoration = wlr_server_decoration_manager_create(display);
	globals->activation = wlr_xdg_activation_v1_create(display);
	globals->foreign_toplevel = wlr_foreign_toplevel_manager_v1_create(display);
	globals->security_context = wlr_security_context_manager_v1_create(display);
	if (globals->kde_decoration != NULL) {
		wlr_server_decoration_manager_set_default_mode(
			globals->kde_decoration, WLR_SERVER_DECORATION_MANAGER_MODE_SERVER);
	}
	return globals->xdg_shell != NULL && globals->layer_shell != NULL &&
	       globals->xdg_decoration != NULL && globals->kde_decoration != NULL &&
	       globals->activation != NULL && globals->foreign_toplevel != NULL &&
	       globals->security_context != NULL;
}

static bool create_input(struct server *server) {
	struct wl_display *display = server->display;
	struct globals *globals = &server->globals;
	globals->relative_pointer = wlr_relative_pointer_manager_v1_create(display);
	globals->pointer_constraints = wlr_pointer_constraints_v1_create(display);
	globals->pointer_gestures = wlr_pointer_gestures_v1_create(display);
	globals->cursor_shape = wlr_cursor_shape_manager_v1_create(display, 1);
	globals->virtual_keyboard = wlr_virtual_keyboard_manager_v1_create(display);
	globals->virtual_pointer = wlr_virtual_pointer_manager_v1_create(display);
	globals->idle_notifier = wlr_idle_notifier_v1_create(display);
	globals->idle_inhibit = wlr_idle_inhibit_v1_create(display);
	return globals->relative_pointer != NULL && globals->pointer_constraints != NULL &&
	       globals->pointer_gestures != NULL && globals->cursor_shape != NULL &&
	       globals->virtual_keyboard != NULL && globals->virtual_pointer != NULL &&
	       globals->idle_notifier != NULL && globals->idle_inhibit != NULL &&
	       wlr_data_device_manager_create(display) != NULL &&
	       wlr_primary_selection_v1_device_manager_create(display) != NULL &&
	       wlr_data_control_manager_v1_create(display) != NULL &&
	       wlr_ext_data_control_manager_v1_create(display, 1) != NULL;
}

static bool create_outputs(struct server *server) {
	struct wl_display *display = server->display;
	struct globals *globals = &server->globals;
	globals->output_manager = wlr_output_manager_v1_create(display);
	globals->output_power = wlr_output_power_manager_v1_create(display);
	struct wlr_gamma_control_manager_v1 *gamma = wlr_gamma_control_manager_v1_create(display);
	if (gamma != NULL) {
		wlr_scene_set_gamma_control_manager_v1(server->scene, gamma);
	}
	return globals->output_manager != NULL && globals->output_power != NULL && gamma != NULL &&
	       wlr_xdg_output_manager_v1_create(display, server->layout) != NULL &&
	       wlr_screencopy_manager_v1_create(display) != NULL &&
	       wlr_export_dmabuf_manager_v1_create(display) != NULL &&
	       wlr_ext_image_copy_capture_manager_v1_create(display, 1) != NULL &&
	       wlr_ext_output_image_capture_source_manager_v1_create(display, 1) != NULL;
}

bool globals_create(struct server *server) {
	wl_display_set_global_filter(server->display, filter_global, server);
	return guard_create(server->display) && create_rendering(server) &&
	       create_windows(server) && create_input(server) && create_outputs(server);
}
