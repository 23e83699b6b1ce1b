#include "bridge.h"

#include <errno.h>
#include <string.h>

#include "bridge-varlink.h"
#include "printable.h"

/* It answers at once, or hangs and is of no use. */
#define ANSWER_TIME UINT64_C(10000000) /* µs */

sd_varlink *bridge_connect(const char *path) {
	sd_varlink *link = NULL;
	int result = sd_varlink_connect_address(&link, path);
	if (result < 0) {
		errno = -result;
		return NULL;
	}
	/* A launch lasts as long as its program. */
	sd_varlink_set_relative_timeout(link, UINT64_MAX);
	return link;
}

void bridge_copy_text(char *to, size_t size, sd_json_variant *object, const char *key) {
	sd_json_variant *value = sd_json_variant_by_key(object, key);
	bool has = value != NULL && sd_json_variant_is_string(value);
	const char *untrusted_text = has ? sd_json_variant_string(value) : "";
	portal_printable_copy(to, size, untrusted_text, strlen(untrusted_text));
}

bool bridge_state_read(struct bridge_state *state, sd_json_variant *parameters) {
	*state = (struct bridge_state){0};
	sd_json_variant *value = sd_json_variant_by_key(parameters, "state");
	if (value == NULL || !sd_json_variant_is_string(value)) {
		return false;
	}
	state->ready = strcmp(sd_json_variant_string(value), "ready") == 0;
	bridge_copy_text(state->problem, sizeof(state->problem), parameters, "problem");
	bridge_copy_text(state->message, sizeof(state->message), parameters, "message");
	value = sd_json_variant_by_key(parameters, "windows");
	state->windows = value == NULL ? 0 : sd_json_variant_integer(value);
	value = sd_json_variant_by_key(parameters, "programs");
	state->programs = value == NULL ? 0 : sd_json_variant_integer(value);
	value = sd_json_variant_by_key(parameters, "heapInBuffers");
	state->heap_in_buffers = value == NULL ? 0 : sd_json_variant_integer(value);
	return true;
}

int bridge_get_state(const char *path, struct bridge_state *state) {
	sd_varlink *link = bridge_connect(path);
	if (link == NULL) {
		return -errno;
	}
	sd_varlink_set_relative_timeout(link, ANSWER_TIME);
	sd_json_variant *parameters = NULL;
	const char *error = NULL;
	int result = sd_varlink_call(link, BRIDGE_METHOD_GET_STATE, NULL, &parameters, &error);
	if (result >= 0 && (error != NULL || !bridge_state_read(state, parameters))) {
		result = -EPROTO;
	}
	sd_varlink_flush_close_unref(link);
	return result < 0 ? result : 0;
}

void bridge_quit(const char *path) {
	sd_varlink *link = bridge_connect(path);
	if (link != NULL) {
		const char *error = NULL;
		sd_varlink_set_relative_timeout(link, ANSWER_TIME);
		sd_varlink_call(link, BRIDGE_METHOD_QUIT, NULL, NULL, &error);
		sd_varlink_flush_close_unref(link);
	}
}
