/*
 * Both sides of a Wayland connection, each free to say anything. What the checks let through is
 * held against a second, simpler account of what would harm: memory beyond the heap, ids that
 * libwayland would end the connection for, strings without an end.
 */
#include <assert.h>
#include <stdlib.h>

#include "mutator.h"
#include "quota.h"
#include "records.h"
#include "wire-impl.h"
#include "wire-tables.h"

#define HEAP_SIZE 65536
#define HEAP_BASE 128
#define IDS 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct model {
	uint8_t *heap; /* HEAP_BASE + HEAP_SIZE bytes: a sanitizer watches its ends */
	uint32_t pools[IDS]; /* sizes, by the pool's id */
	bool used[IDS]; /* as libwayland-server's map has them: from create to delete_id */
	uint32_t next_id;
};

static uint32_t word_at(const uint8_t *message, size_t index) {
	uint32_t word;
	memcpy(&word, message + PORTAL_WIRE_HEADER + 4 * index, 4);
	return word;
}

/* What a compositor would do with a buffer: reach its first and its last byte. */
static void read_buffer(const struct model *model, uint32_t pool, const uint8_t *message) {
	int64_t offset = (int32_t)word_at(message, 1), height = (int32_t)word_at(message, 3);
	int64_t stride = (int32_t)word_at(message, 4);
	volatile uint8_t sink = model->heap[offset];
	sink = model->heap[offset + stride * height - 1];
	(void)sink;
	assert(offset >= HEAP_BASE);
	assert(pool >= IDS || offset + stride * height <= model->pools[pool]);
}

/* wl_shm's requests, as libwayland understands them. */
static void check_shm(
	struct model *model, const struct portal_wire_info *info, const uint8_t *message) {
	uint32_t id = word_at(message, 0);
	if (info->interface == PORTAL_WIRE_WL_SHM) {
		if (info->opcode == PORTAL_REQUEST_WL_SHM_CREATE_POOL && id < IDS) {
			model->pools[id] = word_at(message, 1);
		}
	} else if (info->opcode == PORTAL_REQUEST_WL_SHM_POOL_RESIZE && info->object < IDS) {
		assert(word_at(message, 0) >= model->pools[info->object]);
		model->pools[info->object] = word_at(message, 0);
	} else if (info->opcode == PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER) {
		read_buffer(model, info->object, message);
	}
}

/* wl_map_reserve_new() of libwayland's server. */
static void reserve_id(struct model *model, uint32_t id) {
	assert(id >= 2 && id <= model->next_id);
	if (id == model->next_id) {
		model->next_id++;
	}
	if (id < IDS) {
		assert(!model->used[id]);
		model->used[id] = true;
	}
}

/* Over a message's arguments; descriptors, which have no place in it, are passed over. */
struct walk {
	const struct portal_wire_message *description;
	const uint8_t *message;
	size_t size, at; /* `at` is behind `arg` and its content */
	unsigned int index; /* of the one after `arg` */
	const struct portal_wire_arg *arg;
	size_t place; /* of its word, which a string's or array's content follows */
	uint32_t word;
};

/* False: there is no further one, or not the whole of it. */
static bool walk_next(struct walk *walk) {
	const struct portal_wire_message *description = walk->description;
	while (walk->index < description->n_args &&
		description->args[walk->index].type == PORTAL_WIRE_ARG_FD) {
		walk->index++;
	}
	if (walk->index == description->n_args || walk->size - walk->at < 4) {
		return false;
	}
	walk->arg = &description->args[walk->index];
	walk->place = walk->at;
	memcpy(&walk->word, walk->message + walk->place, 4);
	bool content = walk->arg->type == PORTAL_WIRE_ARG_STRING ||
		       walk->arg->type == PORTAL_WIRE_ARG_ARRAY;
	size_t length = 4 + (content ? ((size_t)walk->word + 3) / 4 * 4 : 0);
	if (length > walk->size - walk->at) {
		return false;
	}
	walk->at += length;
	walk->index++;
	return true;
}

static void check_args(struct model *model, const struct portal_wire_message *description,
	bool event, const uint8_t *message, size_t size) {
	struct walk walk = {description, message, size, .at = PORTAL_WIRE_HEADER};
	while (walk_next(&walk)) {
		if (walk.arg->type == PORTAL_WIRE_ARG_NEW_ID && !event) {
			reserve_id(model, walk.word);
		} else if (walk.arg->type == PORTAL_WIRE_ARG_STRING && walk.word > 0) {
			assert(strlen((const char *)message + walk.place + 4) + 1 == walk.word);
		}
	}
	assert(walk.index == description->n_args);
	assert(walk.at == size);
}

static void check_passed(struct model *model, const struct portal_wire_info *info, bool event,
	const uint8_t *message, size_t size) {
	const struct portal_wire_interface *interface = &portal_wire_interfaces[info->interface];
	assert(info->interface < PORTAL_WIRE_INTERFACES);
	assert(info->opcode < (event ? interface->n_events : interface->n_requests));
	check_args(model, &(event ? interface->events : interface->requests)[info->opcode], event,
		message, size);
	if (!event && (info->interface == PORTAL_WIRE_WL_SHM ||
			      info->interface == PORTAL_WIRE_WL_SHM_POOL)) {
		check_shm(model, info, message);
	}
	if (event && info->interface == PORTAL_WIRE_WL_DISPLAY &&
		info->opcode == PORTAL_EVENT_WL_DISPLAY_DELETE_ID && word_at(message, 0) < IDS) {
		model->used[word_at(message, 0)] = false;
	}
}

/*
 * Gives what a request creates the id that is next. A record that says so stays a right one when
 * it is said again, or after others: so conversations become long, and not only wrong.
 */
static void number_new_id(
	const struct model *model, const struct portal_wire *wire, uint8_t *message, size_t size) {
	uint32_t header[2];
	memcpy(header, message, sizeof(header));
	const struct portal_object *object = portal_objects_get(&wire->objects, header[0]);
	uint32_t opcode = header[1] & 0xffff;
	if (!object || object->interface >= PORTAL_WIRE_INTERFACES ||
		opcode >= portal_wire_interfaces[object->interface].n_requests) {
		return;
	}
	const struct portal_wire_message *request =
		&portal_wire_interfaces[object->interface].requests[opcode];
	struct walk walk = {request, message, size, .at = PORTAL_WIRE_HEADER};
	while (walk_next(&walk)) {
		if (walk.arg->type == PORTAL_WIRE_ARG_NEW_ID) {
			memcpy(message + walk.place, &model->next_id, 4);
			return;
		}
	}
}

static void run(struct portal_wire *wire, struct model *model, const uint8_t *data, size_t size) {
	uint8_t message[PORTAL_WIRE_MESSAGE_MAX];
	size_t at = 0, length;
	bool event;
	for (;;) {
		uint8_t flags = at < size ? data[at] : 0;
		length = record_next(data, size, &at, &event, message);
		if (length == 0) {
			return;
		}
		struct portal_wire_info info;
		if (!event && (flags & RECORD_NEXT_ID) != 0) {
			number_new_id(model, wire, message, length);
		}
		enum portal_wire_verdict verdict =
			event ? portal_wire_event(wire, message, length, &info)
			      : portal_wire_request(wire, message, length, &info);
		if (verdict == PORTAL_WIRE_REFUSE || verdict == PORTAL_WIRE_VIOLATION) {
			for (const char *c = portal_wire_error(wire); *c != '\0'; c++) {
				assert(*c >= ' ' && *c <= '~');
			}
			return;
		}
		if (verdict == PORTAL_WIRE_PASS) {
			check_passed(model, &info, event, message, length);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct portal_quota quota;
	struct model model = {.heap = malloc(HEAP_BASE + HEAP_SIZE), .next_id = 2};
	portal_quota_init(&quota, HEAP_SIZE);
	quota.limit[PORTAL_QUOTA_OBJECTS] = 1000;
	quota.limit[PORTAL_QUOTA_SURFACES] = 100;
	quota.limit[PORTAL_QUOTA_BUFFERS] = 100;
	quota.limit[PORTAL_QUOTA_POOLS] = 10;
	struct portal_wire *wire = portal_wire_create(HEAP_BASE + HEAP_SIZE, HEAP_BASE, &quota);
	if (model.heap && wire) {
		memset(model.heap, 0, HEAP_BASE + HEAP_SIZE);
		run(wire, &model, data, size);
	}
	portal_wire_destroy(wire);
	for (unsigned int kind = 0; kind < PORTAL_QUOTA_KINDS; kind++) {
		assert(quota.used[kind] == 0);
	}
	free(model.heap);
	return 0;
}

size_t fuzz_record_end(const uint8_t *data, size_t size, size_t at) {
	uint8_t message[PORTAL_WIRE_MESSAGE_MAX];
	bool event;
	return record_next(data, size, &at, &event, message) > 0 ? at : 0;
}

void fuzz_record_repeat(uint8_t *record) {
	record[0] |= RECORD_NEXT_ID;
}
