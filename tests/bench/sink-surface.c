#include <stdlib.h>
#include <string.h>

#include "sink.h"
#include "stamp.h"

static void destroy_resource(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void take_sample(struct sink *sink, const struct stamp *stamp, uint64_t now) {
	if (sink->frames < SAMPLES_MAX) {
		sink->samples[sink->frames] = (uint32_t)((now - stamp->committed) / 100);
	}
	sink->frames++;
}

/* The stamp at the begin of a damaged rectangle. False when there is none. */
static bool read_stamp(struct wl_shm_buffer *buffer, const struct rectangle *at,
	struct stamp *stamp, uint64_t *last) {
	if (at->x < 0 || at->y < 0 || at->width < 8 || at->height < 1 ||
		at->x > wl_shm_buffer_get_width(buffer) - at->width ||
		at->y > wl_shm_buffer_get_height(buffer) - at->height) {
		return false;
	}
	size_t stride = (size_t)wl_shm_buffer_get_stride(buffer);
	const uint8_t *first = (const uint8_t *)wl_shm_buffer_get_data(buffer) +
			       (size_t)at->y * stride + (size_t)at->x * 4;
	const uint8_t *end = first + (size_t)(at->height - 1) * stride + (size_t)at->width * 4;
	memcpy(stamp, first, sizeof(*stamp));
	memcpy(last, end - sizeof(*last), sizeof(*last));
	return stamp->magic == STAMP_MAGIC;
}

static void look_at(struct surface *surface, struct wl_resource *buffer) {
	struct sink *sink = surface->sink;
	uint64_t now = stamp_now();
	struct wl_shm_buffer *shm = wl_shm_buffer_get(buffer);
	sink->commits++;
	if (shm == NULL) {
		return;
	}
	bool fresh = false;
	wl_shm_buffer_begin_access(shm);
	for (size_t i = 0; i < surface->damage_count && !fresh; i++) {
		struct stamp stamp;
		uint64_t last;
		if (read_stamp(shm, &surface->damages[i], &stamp, &last) &&
			stamp.serial != surface->serial) {
			fresh = true;
			sink->torn += last != stamp.serial;
			surface->serial = stamp.serial;
			take_sample(sink, &stamp, now);
		}
	}
	wl_shm_buffer_end_access(shm);
	sink->stale += !fresh;
}

static void forget_buffer(struct wl_resource **buffer, struct wl_listener *listener) {
	if (*buffer != NULL) {
		wl_list_remove(&listener->link);
		*buffer = NULL;
	}
}

static void handle_pending_destroy(struct wl_listener *listener, void *data) {
	struct surface *surface = wl_container_of(listener, surface, pending_destroy);
	forget_buffer(&surface->pending, listener);
}

static void handle_shown_destroy(struct wl_listener *listener, void *data) {
	struct surface *surface = wl_container_of(listener, surface, shown_destroy);
	forget_buffer(&surface->shown, listener);
}

static void keep_buffer(struct wl_resource **slot, struct wl_resource *buffer,
	struct wl_listener *listener, wl_notify_func_t notify) {
	*slot = buffer;
	if (buffer != NULL) {
		listener->notify = notify;
		wl_resource_add_destroy_listener(buffer, listener);
	}
}

static void surface_attach(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *buffer, int32_t x, int32_t y) {
	struct surface *surface = wl_resource_get_user_data(resource);
	forget_buffer(&surface->pending, &surface->pending_destroy);
	keep_buffer(&surface->pending, buffer, &surface->pending_destroy, handle_pending_destroy);
	surface->attached = true;
}

static void handle_frame_destroy(struct wl_resource *resource) {
	wl_list_remove(wl_resource_get_link(resource));
}

static void surface_frame(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct surface *surface = wl_resource_get_user_data(resource);
	struct wl_resource *callback = wl_resource_create(client, &wl_callback_interface, 1, id);
	wl_resource_set_implementation(callback, NULL, NULL, handle_frame_destroy);
	wl_list_insert(surface->pending_frames.prev, wl_resource_get_link(callback));
}

static void show(struct surface *surface) {
	struct wl_resource *buffer = surface->pending, *former = surface->shown;
	forget_buffer(&surface->pending, &surface->pending_destroy);
	surface->attached = false;
	if (buffer != NULL) {
		look_at(surface, buffer);
	}
	if (surface->sink->hold) {
		forget_buffer(&surface->shown, &surface->shown_destroy);
		keep_buffer(&surface->shown, buffer, &surface->shown_destroy, handle_shown_destroy);
		if (former != NULL && former != buffer) {
			wl_buffer_send_release(former);
		}
	} else if (buffer != NULL) {
		wl_buffer_send_release(buffer);
	}
}

void sink_answer_frames(struct surface *surface) {
	struct wl_resource *callback, *next;
	wl_resource_for_each_safe(callback, next, &surface->frames) {
		wl_callback_send_done(callback, (uint32_t)(stamp_now() / 1000000));
		wl_resource_destroy(callback);
	}
}

static void surface_commit(struct wl_client *client, struct wl_resource *resource) {
	struct surface *surface = wl_resource_get_user_data(resource);
	if (surface->toplevel != NULL && !surface->configured) {
		sink_configure(surface);
	}
	if (surface->attached) {
		show(surface);
	}
	surface->damage_count = 0;
	wl_list_insert_list(&surface->frames, &surface->pending_frames);
	wl_list_init(&surface->pending_frames);
	if (surface->sink->interval == 0) {
		sink_answer_frames(surface);
	}
}

static void surface_damage(struct wl_client *client, struct wl_resource *resource, int32_t x,
	int32_t y, int32_t width, int32_t height) {
	struct surface *surface = wl_resource_get_user_data(resource);
	if (surface->damage_count < DAMAGES_MAX) {
		surface->damages[surface->damage_count++] = (struct rectangle){x, y, width, height};
	}
}

static void ignore_region(
	struct wl_client *client, struct wl_resource *resource, struct wl_resource *region) {
}

static void ignore_number(struct wl_client *client, struct wl_resource *resource, int32_t number) {
}

static void ignore_offset(
	struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y) {
}

static const struct wl_surface_interface surface_impl = {
	.destroy = destroy_resource,
	.attach = surface_attach,
	.damage = surface_damage,
	.frame = surface_frame,
	.set_opaque_region = ignore_region,
	.set_input_region = ignore_region,
	.commit = surface_commit,
	.set_buffer_transform = ignore_number,
	.set_buffer_scale = ignore_number,
	.damage_buffer = surface_damage,
	.offset = ignore_offset,
};

static void handle_surface_destroy(struct wl_resource *resource) {
	struct surface *surface = wl_resource_get_user_data(resource);
	forget_buffer(&surface->pending, &surface->pending_destroy);
	forget_buffer(&surface->shown, &surface->shown_destroy);
	struct wl_resource *callback, *next;
	wl_resource_for_each_safe(callback, next, &surface->pending_frames) {
		wl_resource_destroy(callback);
	}
	wl_resource_for_each_safe(callback, next, &surface->frames) {
		wl_resource_destroy(callback);
	}
	wl_list_remove(&surface->link);
	if (surface->xdg_surface != NULL) {
		wl_resource_set_user_data(surface->xdg_surface, NULL);
	}
	if (surface->toplevel != NULL) {
		wl_resource_set_user_data(surface->toplevel, NULL);
	}
	free(surface);
}

void sink_create_surface(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct surface *surface = calloc(1, sizeof(*surface));
	surface->sink = wl_resource_get_user_data(resource);
	wl_list_init(&surface->pending_frames);
	wl_list_init(&surface->frames);
	wl_list_insert(&surface->sink->surfaces, &surface->link);
	struct wl_resource *surface_resource = wl_resource_create(
		client, &wl_surface_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(
		surface_resource, &surface_impl, surface, handle_surface_destroy);
}
