/*
 * Whether the committed corpus reaches every request and event of the allow-list: each must pass
 * the checks in at least one of the files.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "records.h"
#include "wire-tables.h"

#define OPCODES 32

struct coverage {
	bool reached[PORTAL_WIRE_INTERFACES][2][OPCODES];
};

static void run(struct coverage *coverage, const uint8_t *data, size_t size) {
	struct portal_wire *wire = portal_wire_create(65536 + 128, 128, NULL);
	uint8_t message[PORTAL_WIRE_MESSAGE_MAX];
	size_t at = 0, length;
	bool event;
	while (wire && (length = record_next(data, size, &at, &event, message)) > 0) {
		struct portal_wire_info info;
		enum portal_wire_verdict verdict =
			event ? portal_wire_event(wire, message, length, &info)
			      : portal_wire_request(wire, message, length, &info);
		if (verdict == PORTAL_WIRE_REFUSE || verdict == PORTAL_WIRE_VIOLATION) {
			break;
		}
		if (verdict == PORTAL_WIRE_PASS) {
			coverage->reached[info.interface][event][info.opcode] = true;
		}
	}
	portal_wire_destroy(wire);
}

static int run_directory(struct coverage *coverage, const char *path) {
	DIR *directory = opendir(path);
	if (!directory) {
		perror(path);
		return -1;
	}
	for (struct dirent *entry; (entry = readdir(directory));) {
		static uint8_t data[1 << 20];
		char name[4096];
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		FILE *file = entry->d_name[0] != '.' ? fopen(name, "rb") : NULL;
		if (file) {
			run(coverage, data, fread(data, 1, sizeof(data), file));
			fclose(file);
		}
	}
	closedir(directory);
	return 0;
}

/* A message about an object of an interface no guest can have: never passes. */
static bool is_impossible(const struct portal_wire_message *message) {
	for (unsigned int i = 0; i < message->n_args; i++) {
		if (message->args[i].type == PORTAL_WIRE_ARG_OBJECT &&
			message->args[i].interface == PORTAL_WIRE_NONE &&
			!message->args[i].nullable) {
			return true;
		}
	}
	return false;
}

static int count_missing(const struct coverage *coverage, unsigned int index, bool event) {
	const struct portal_wire_interface *interface = &portal_wire_interfaces[index];
	unsigned int count = event ? interface->n_events : interface->n_requests;
	int missing = 0;
	for (unsigned int i = 0; i < count; i++) {
		const struct portal_wire_message *message =
			event ? &interface->events[i] : &interface->requests[i];
		if (i >= OPCODES || coverage->reached[index][event][i] == is_impossible(message)) {
			printf("%s.%s is %s\n", interface->name, message->name,
				is_impossible(message) ? "reached, and cannot be" : "not reached");
			missing++;
		}
	}
	return missing;
}

int main(int argc, char *argv[]) {
	static struct coverage coverage;
	int missing = 0;
	if (argc != 2 || run_directory(&coverage, argv[1]) < 0) {
		fprintf(stderr, "usage: wire-coverage DIRECTORY\n");
		return 2;
	}
	for (unsigned int i = 0; i < PORTAL_WIRE_INTERFACES; i++) {
		missing += count_missing(&coverage, i, false) + count_missing(&coverage, i, true);
	}
	printf("%d messages of the allow-list are missing in the corpus\n", missing);
	return missing == 0 ? 0 : 1;
}
