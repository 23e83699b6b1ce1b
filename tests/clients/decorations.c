/* decorations: who draws the frame, asked by KDE's protocol, as GTK does. */
#include "feature.h"
#include "window.h"

#include "server-decoration-client-protocol.h"

struct answer {
	uint32_t mode;
	bool come;
};

static void handle_mode(
	void *data, struct org_kde_kwin_server_decoration *decoration, uint32_t mode) {
	struct answer *answer = data;
	answer->mode = mode;
	answer->come = true;
}

static const struct org_kde_kwin_server_decoration_listener decoration_listener = {
	.mode = handle_mode,
};

static bool show(struct window *window, struct answer *answer, const char *stage) {
	client_wait(window->client, &answer->come);
	answer->come = false;
	client_log("mode %u", answer->mode);
	client_barrier(window->client, window->surface);
	return client_show_stage(window->client, stage);
}

void feature_decorations(struct client *client, int argc, char **argv) {
	if (client->kde_decorations == NULL) {
		client_fail("the compositor lacks org_kde_kwin_server_decoration_manager");
	}
	struct zxdg_decoration_manager_v1 *xdg = client->decorations;
	client->decorations = NULL; // what a window of this client would ask
	struct window *window = window_create(client, "decorations", 300, 200);
	client->decorations = xdg;

	struct answer answer = {0};
	struct org_kde_kwin_server_decoration *decoration =
		org_kde_kwin_server_decoration_manager_create(
			client->kde_decorations, window->surface);
	org_kde_kwin_server_decoration_add_listener(decoration, &decoration_listener, &answer);
	org_kde_kwin_server_decoration_request_mode(
		decoration, ORG_KDE_KWIN_SERVER_DECORATION_MODE_SERVER);
	window_draw(window, 300, 200, 16);
	if (!show(window, &answer, "by the compositor")) {
		goto out;
	}
	org_kde_kwin_server_decoration_request_mode(
		decoration, ORG_KDE_KWIN_SERVER_DECORATION_MODE_CLIENT);
	if (!show(window, &answer, "by the client")) {
		goto out;
	}
	org_kde_kwin_server_decoration_request_mode(
		decoration, ORG_KDE_KWIN_SERVER_DECORATION_MODE_SERVER);
	show(window, &answer, "by the compositor again");
out:
	org_kde_kwin_server_decoration_release(decoration);
	window_destroy(window);
}
