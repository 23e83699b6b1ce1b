#include "agent.h"
#include "app.h"
#include "connection.h"
#include "controller.h"
#include "output.h"
#include "seat.h"
#include "server.h"
#include "surface.h"
#include "watch.h"
#include <errno.h>
#include <heap_alloc.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <wlr/util/log.h>

// libwayland's 4 KiB would end a client that is slow to read.
#define CLIENT_BUFFER_MAX (1 << 20)

// Milliseconds of waiting for room in the heap that are nobody's business.
#define HUNGER_TIME 5000

static int handle_signal(int number, void *data) {
	struct agent *agent = data;
	wlr_log(WLR_INFO, "ending on signal %d", number);
	agent_stop(agent, EXIT_SUCCESS);
	return 0;
}

static void handle_client_created(struct wl_listener *listener, void *data) {
	struct agent *agent = wl_container_of(listener, agent, client_created);
	struct wl_client *client = data;
	if (app_create(agent, client) == NULL) {
		wl_client_post_no_memory(client);
	}
}

static int init_heap(struct agent *agent, const struct portal_heap_address *address) {
	const char *error = NULL;

	if (portal_heap_create(&agent->heap, address, &error) != 0) {
		wlr_log(WLR_ERROR, "no heap%s%s: %s (%s)", address->path[0] != '\0' ? " at " : "",
			address->path, error != NULL ? error : "failed", strerror(errno));
		return -1;
	}
	portal_heap_measure(&agent->heap, true);
	const struct portal_heap_header *header = &agent->heap.header;
	agent->heap_alloc =
		portal_heap_alloc_create(header->data_offset, header->size - header->data_offset);
	if (agent->heap_alloc == NULL) {
		wlr_log_errno(WLR_ERROR, "no books of the heap");
		portal_heap_finish(&agent->heap);
		return -1;
	}
	wlr_log(WLR_INFO, "heap of %lu MiB, reads %u MB/s, writes %u MB/s",
		(unsigned long)(header->size >> 20), agent->heap.read_speed,
		agent->heap.write_speed);
	return 0;
}

static void finish_heap(struct agent *agent) {
	portal_heap_alloc_destroy(agent->heap_alloc);
	portal_heap_finish(&agent->heap);
}

static int init_display(struct agent *agent) {
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

	agent->display = wl_display_create();
	if (agent->display == NULL) {
		wlr_log_errno(WLR_ERROR, "no display for the applications");
		return -1;
	}
	agent->loop = wl_display_get_event_loop(agent->display);
	wl_display_set_default_max_buffer_size(agent->display, CLIENT_BUFFER_MAX);
	agent->client_created.notify = handle_client_created;
	wl_display_add_client_created_listener(agent->display, &agent->client_created);
	agent->watch = watch_create(agent);
	agent->server = server_create(agent);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		agent->signals[i] =
			wl_event_loop_add_signal(agent->loop, numbers[i], handle_signal, agent);
	}
	if (agent->watch == NULL || agent->server == NULL) {
		wlr_log_errno(WLR_ERROR, "no display for the applications");
		return -1;
	}
	return 0;
}

static void finish_display(struct agent *agent) {
	if (agent->display == NULL) {
		return;
	}
	struct seat *seat, *seat_tmp;
	wl_list_for_each_safe (seat, seat_tmp, &agent->seats, link) {
		seat_destroy(seat);
	}
	struct output *output, *output_tmp;
	wl_list_for_each_safe (output, output_tmp, &agent->outputs, link) {
		output_destroy(output);
	}
	for (size_t i = 0; i < sizeof(agent->signals) / sizeof(agent->signals[0]); i++) {
		if (agent->signals[i] != NULL) {
			wl_event_source_remove(agent->signals[i]);
		}
	}
	if (agent->hunger != NULL) {
		wl_event_source_remove(agent->hunger);
	}
	if (agent->watch != NULL) {
		wl_protocol_logger_destroy(agent->watch);
	}
	wl_list_remove(&agent->client_created.link);
	server_destroy(agent->server);
	wl_display_destroy(agent->display);
}

int agent_init(struct agent *agent, const struct portal_heap_address *address,
	struct controller *controller) {
	*agent = (struct agent){.controller = controller};
	wl_list_init(&agent->apps);
	wl_list_init(&agent->outputs);
	wl_list_init(&agent->seats);
	wl_list_init(&agent->starved);
	wl_list_init(&agent->slots);

	if (init_heap(agent, address) != 0) {
		return -1;
	}
	agent->running = true; // until a controller that cannot be reached stops it
	if (init_display(agent) != 0) {
		goto error_display;
	}
	// A signal to end, heeded since just now, leaves no socket behind.
	if (agent_socket_init(&agent->socket) != 0) {
		const char *directory = getenv("XDG_RUNTIME_DIR");
		wlr_log_errno(WLR_ERROR, "no socket for applications in XDG_RUNTIME_DIR (%s)",
			directory != NULL ? directory : "not set");
		goto error_display;
	}
	if (controller_start(controller, agent) != 0) {
		goto error_socket;
	}
	sd_notify(0, "READY=1");
	return 0;

error_socket:
	agent_socket_finish(&agent->socket);
error_display:
	finish_display(agent);
	finish_heap(agent);
	return -1;
}

void agent_finish(struct agent *agent) {
	wl_display_destroy_clients(agent->display);
	agent_controller_down(agent);
	controller_destroy(agent->controller);
	if (agent->retry != NULL) {
		wl_event_source_remove(agent->retry);
	}
	finish_display(agent);
	agent_socket_finish(&agent->socket);
	finish_heap(agent);
}

int agent_run(struct agent *agent) {
	struct app *app;

	while (agent->running) {
		wl_display_flush_clients(agent->display);
		wl_list_for_each (app, &agent->apps, link) {
			if (app->connection != NULL) {
				connection_flush(app->connection);
			}
		}
		if (agent->connection != NULL) {
			connection_flush(agent->connection);
		}
		controller_flush(agent->controller);
		// What is tried again before events are waited for is to be flushed before, too.
		int timeout = agent->retry != NULL ? 0 : -1;
		if (wl_event_loop_dispatch(agent->loop, timeout) < 0 && errno != EINTR) {
			wlr_log_errno(WLR_ERROR, "waiting for events failed");
			return EXIT_FAILURE;
		}
	}
	return agent->status;
}

void agent_read_delivered(struct agent *agent) {
	struct app *app;

	if (agent->connection != NULL) { // first: outputs and seats that the others name
		connection_read_delivered(agent->connection);
	}
	// Nothing that is read makes or frees an application; its connection can end over it.
	wl_list_for_each (app, &agent->apps, link) {
		if (app->connection != NULL) {
			connection_read_delivered(app->connection);
		}
	}
}

void agent_stop(struct agent *agent, int status) {
	agent->running = false;
	agent->status = status;
}

static void handle_retry(void *data) {
	struct agent *agent = data;
	struct wl_list waiting;

	agent->retry = NULL;
	wl_list_init(&waiting);
	wl_list_insert_list(&waiting, &agent->starved);
	wl_list_init(&agent->starved);
	// Each in its turn, whoever else is taken off by that.
	while (!wl_list_empty(&waiting)) {
		struct surface *surface = wl_container_of(waiting.next, surface, starved_link);
		wl_list_remove(&surface->starved_link);
		wl_list_insert(agent->starved.prev, &surface->starved_link);
		surface_update(surface);
	}
}

static int handle_hunger(void *data) {
	struct agent *agent = data;
	if (!wl_list_empty(&agent->starved)) {
		wlr_log(WLR_ERROR,
			"the heap of %" PRIu64
			" MiB is full: %d surfaces wait for room in it; close "
			"windows, or give the VM a larger one (\"heap-size\")",
			agent->heap.header.size >> 20, wl_list_length(&agent->starved));
	}
	return 0;
}

void agent_starved(struct agent *agent) {
	if (!wl_list_empty(&agent->starved)) {
		return;
	}
	if (agent->hunger == NULL) {
		agent->hunger = wl_event_loop_add_timer(agent->loop, handle_hunger, agent);
	}
	if (agent->hunger != NULL) {
		wl_event_source_timer_update(agent->hunger, HUNGER_TIME);
	}
}

void agent_heap_freed(struct agent *agent) {
	// Not at once: whoever frees may be in the middle of a commit.
	if (agent->retry == NULL && !wl_list_empty(&agent->starved)) {
		agent->retry = wl_event_loop_add_idle(agent->loop, handle_retry, agent);
	}
}

void agent_controller_up(struct agent *agent) {
	if (agent->connection != NULL) {
		return;
	}
	agent->connection = connection_create(agent, NULL);
	if (agent->connection == NULL) {
		controller_lost(agent->controller, errno);
	}
}

void agent_controller_ready(struct agent *agent) {
	struct app *app;

	output_sweep(agent);
	seat_sweep(agent);
	if (!agent->server->started) {
		if (server_start(agent->server, agent->connection) != 0) {
			wlr_log_errno(WLR_ERROR, "cannot serve applications");
			agent_stop(agent, EXIT_FAILURE);
			return;
		}
		if (wl_display_add_socket_fd(agent->display, agent->socket.fd) != 0) {
			wlr_log_errno(WLR_ERROR, "cannot listen for applications");
			agent_stop(agent, EXIT_FAILURE);
			return;
		}
		agent->socket.fd = -1;
		wlr_log(WLR_INFO, "applications connect to WAYLAND_DISPLAY=%s", agent->socket.name);
	}
	wl_list_for_each (app, &agent->apps, link) {
		app_connect(app);
	}
}

void agent_controller_down(struct agent *agent) {
	struct app *app;

	output_forget_all(agent);
	seat_forget_all(agent);
	wl_list_for_each (app, &agent->apps, link) {
		app_disconnect(app);
	}
	connection_destroy(agent->connection);
	agent->connection = NULL;
}
