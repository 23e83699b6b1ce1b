#include "controller-channel.h"
#include "agent.h"
#include "launch.h"
#include "link.h"
#include "session.h"
#include <channel.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>
#include <wlr/util/log.h>

// Connections, most of which have not proven themselves yet.
#define SESSIONS_MAX 8

/* Whoever connects and says nothing must not keep out the one that has the key. */
static void drop_oldest(struct channel_controller *controller) {
	struct session *session;
	wl_list_for_each_reverse (session, &controller->sessions, link) {
		if (!session->ready && !session->closed) {
			portal_channel_fail(session->channel, PORTAL_BYE_QUOTA,
				"too many connections without a greeting");
			return;
		}
	}
}

static int handle_connection(int fd, uint32_t mask, void *data) {
	struct channel_controller *controller = data;
	struct portal_transport *transport = portal_transport_accept(controller->listener);

	if (transport == NULL) {
		if (errno != EAGAIN) {
			wlr_log_errno(WLR_ERROR, "cannot accept a controller");
		}
		return 0;
	}
	if (wl_list_length(&controller->sessions) >= SESSIONS_MAX) {
		drop_oldest(controller);
	}
	if (session_create(controller, transport) == NULL) {
		wlr_log_errno(WLR_ERROR, "cannot greet a controller");
	}
	return 0;
}

static void handle_cleanup(void *data) {
	struct channel_controller *controller = data;
	struct session *session, *tmp;

	controller->cleanup = NULL;
	wl_list_for_each_safe (session, tmp, &controller->sessions, link) {
		if (session->closed) {
			session_destroy(session);
		}
	}
}

void channel_controller_closed(struct channel_controller *controller, struct session *session) {
	struct agent *agent = controller->base.agent;

	session->closed = true;
	if (controller->active == session) {
		controller->active = NULL;
		agent_controller_down(agent);
	}
	if (controller->cleanup == NULL) {
		controller->cleanup =
			wl_event_loop_add_idle(agent->loop, handle_cleanup, controller);
	}
}

void channel_controller_ready(struct channel_controller *controller, struct session *session) {
	struct agent *agent = controller->base.agent;
	struct session *former = controller->active;

	if (former != NULL) {
		portal_channel_fail(
			former->channel, PORTAL_BYE_REPLACED, "another controller took over");
	}
	controller->active = session;
	agent_controller_up(agent);
}

/*
 * A listening socket can be handed over as systemd does (sd_listen_fds(3)): then whoever started
 * the agent can let the bridge connect at once, before the agent has come this far.
 */
static struct portal_transport_listener *listen_or_inherit(
	const struct portal_transport_address *address) {
	if (sd_listen_fds(1) != 1) {
		return portal_transport_listen(address);
	}
	fcntl(SD_LISTEN_FDS_START, F_SETFD, FD_CLOEXEC);
	return portal_transport_listener_from_socket(SD_LISTEN_FDS_START, address);
}

static int channel_start(struct controller *base) {
	struct channel_controller *controller = wl_container_of(base, controller, base);

	controller->listener = listen_or_inherit(&controller->address);
	if (controller->listener == NULL) {
		wlr_log_errno(WLR_ERROR, "cannot listen at %s", controller->transport);
		return -1;
	}
	controller->source = wl_event_loop_add_fd(base->agent->loop,
		portal_transport_listener_get_fd(controller->listener), WL_EVENT_READABLE,
		handle_connection, controller);
	if (controller->source == NULL) {
		wlr_log_errno(WLR_ERROR, "cannot listen at %s", controller->transport);
		return -1;
	}
	return 0;
}

static int channel_open(struct controller *base, const char *name, struct link **link) {
	struct channel_controller *controller = wl_container_of(base, controller, base);
	if (controller->active == NULL) {
		errno = ENOTCONN;
		return -1;
	}
	return session_open(controller->active, name, link);
}

static void channel_lost(struct controller *base, int error) {
	struct channel_controller *controller = wl_container_of(base, controller, base);
	if (controller->active != NULL) {
		portal_channel_fail(controller->active->channel, PORTAL_BYE_FAILURE,
			"the agent's own connection ended: %s", strerror(error));
	}
}

static bool channel_clock_offset(struct controller *base, int64_t *offset) {
	struct channel_controller *controller = wl_container_of(base, controller, base);
	struct session *session = controller->active;

	*offset = 0;
	return session != NULL && (session->same_kernel || portal_channel_get_clock_offset(
								   session->channel, offset, NULL));
}

static void channel_flush(struct controller *base) {
	struct channel_controller *controller = wl_container_of(base, controller, base);
	struct session *session, *tmp;
	wl_list_for_each_safe (session, tmp, &controller->sessions, link) {
		session_flush(session);
	}
}

static void channel_destroy(struct controller *base) {
	struct channel_controller *controller = wl_container_of(base, controller, base);
	struct session *session, *tmp;

	wl_list_for_each_safe (session, tmp, &controller->sessions, link) {
		if (!session->closed) {
			portal_channel_fail(
				session->channel, PORTAL_BYE_DONE, "the agent is ending");
		}
		session_destroy(session);
	}
	launch_finish(controller);
	if (controller->cleanup != NULL) {
		wl_event_source_remove(controller->cleanup);
	}
	if (controller->source != NULL) {
		wl_event_source_remove(controller->source);
	}
	portal_transport_listener_destroy(controller->listener);
	explicit_bzero(controller->key, sizeof(controller->key));
	free(controller);
}

static const struct controller_impl channel_impl = {
	.start = channel_start,
	.open = channel_open,
	.lost = channel_lost,
	.clock_offset = channel_clock_offset,
	.flush = channel_flush,
	.destroy = channel_destroy,
};

struct controller *controller_create_channel(
	const char *transport, const char *key_path, const char *name) {
	struct channel_controller *controller = calloc(1, sizeof(*controller));
	const char *error = "invalid";

	if (controller == NULL) {
		wlr_log_errno(WLR_ERROR, "no memory");
		return NULL;
	}
	controller->base.impl = &channel_impl;
	controller->name = name;
	controller->transport = transport;
	wl_list_init(&controller->sessions);
	wl_list_init(&controller->programs);
	if (portal_transport_parse(&controller->address, transport, &error) != 0) {
		wlr_log(WLR_ERROR, "transport %s: %s", transport, error);
		goto error;
	}
	if (key_path != NULL) {
		if (portal_auth_load_key(key_path, controller->key) != 0) {
			wlr_log(WLR_ERROR, "key %s: %s", key_path,
				errno == EINVAL
					? "no key, which is 32 bytes or 64 hexadecimal digits"
					: strerror(errno));
			goto error;
		}
		controller->has_key = true;
	} else if (portal_transport_needs_key(&controller->address)) {
		wlr_log(WLR_ERROR,
			"transport %s needs the VM's key: --key, or the credential "
			"portal.key",
			transport);
		goto error;
	}
	if (getrandom(controller->session_id, sizeof(controller->session_id), 0) !=
		sizeof(controller->session_id)) {
		wlr_log_errno(WLR_ERROR, "no random numbers");
		goto error;
	}
	return &controller->base;

error:
	free(controller);
	return NULL;
}
