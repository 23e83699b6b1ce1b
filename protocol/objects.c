#include "objects.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "wire-tables.h"

static bool is_server_id(uint32_t id) {
	return id >= PORTAL_OBJECTS_SERVER;
}

struct portal_object *portal_objects_get(const struct portal_objects *objects, uint32_t id) {
	if (is_server_id(id)) {
		id -= PORTAL_OBJECTS_SERVER;
		return id < objects->server.count ? &objects->server.at[id] : NULL;
	}
	return id != 0 && id < objects->client.count ? &objects->client.at[id] : NULL;
}

static int grow(struct portal_object **at, uint32_t *capacity) {
	uint32_t wanted = *capacity ? *capacity * 2 : 64;
	struct portal_object *grown = realloc(*at, wanted * sizeof(*grown));
	if (!grown) {
		return -1;
	}
	*at = grown;
	*capacity = wanted;
	return 0;
}

static struct portal_object *append(struct portal_objects *objects, bool server) {
	struct portal_object **at = server ? &objects->server.at : &objects->client.at;
	uint32_t *count = server ? &objects->server.count : &objects->client.count;
	uint32_t *capacity = server ? &objects->server.capacity : &objects->client.capacity;
	if (*count == *capacity && grow(at, capacity) < 0) {
		return NULL;
	}
	struct portal_object *object = &(*at)[(*count)++];
	*object = (struct portal_object){0};
	return object;
}

struct portal_object *portal_objects_insert(
	struct portal_objects *objects, uint32_t id, uint8_t interface, uint8_t version) {
	bool server = is_server_id(id);
	uint32_t next =
		server ? PORTAL_OBJECTS_SERVER + objects->server.count : objects->client.count;
	struct portal_object *object;
	if (id == next) {
		object = append(objects, server);
		if (!object) {
			errno = ENOMEM;
			return NULL;
		}
	} else {
		object = portal_objects_get(objects, id);
		if (!object || object->state == PORTAL_OBJECT_ALIVE ||
			(object->state == PORTAL_OBJECT_ZOMBIE && !server)) {
			errno = EINVAL;
			return NULL;
		}
	}
	*object = (struct portal_object){
		.state = PORTAL_OBJECT_ALIVE,
		.interface = interface,
		.version = version,
	};
	return object;
}

int portal_objects_init(struct portal_objects *objects) {
	*objects = (struct portal_objects){0};
	/* Id 0 is null and never given away. */
	if (!append(objects, false) ||
		!portal_objects_insert(objects, 1, PORTAL_WIRE_WL_DISPLAY, 1)) {
		portal_objects_finish(objects);
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

void portal_objects_finish(struct portal_objects *objects) {
	free(objects->client.at);
	free(objects->server.at);
	*objects = (struct portal_objects){0};
}
