#include "memory/settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/size.h"
#include "memory/memory_plan.h"

static const uint64_t gib = 1024 * 1024 * 1024, mib = 1024 * 1024;

void memory_settings_init(struct memory_settings *settings) {
	*settings = (struct memory_settings){
		.reserve = 4 * gib,
		.percentile = 95,
		.headroom = 25,
		.half_life = 7 * 24 * 3600,
	};
}

void memory_settings_finish(struct memory_settings *settings) {
	for (size_t i = 0; i < settings->guests_count; i++) {
		free(settings->guests[i].name);
		free(settings->guests[i].domain);
	}
	free(settings->guests);
	*settings = (struct memory_settings){0};
}

/* A whole number within bounds, followed by `unit`. */
static bool read_count(
	const char *text, const char *unit, unsigned least, unsigned most, unsigned *count) {
	char *end;
	errno = 0;
	unsigned long number = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || errno || strcmp(end, unit) != 0 || number < least ||
		number > most) {
		return false;
	}
	*count = (unsigned)number;
	return true;
}

static bool read_half_life(const char *text, unsigned *seconds) {
	unsigned count;
	if (read_count(text, "d", 1, 3650, &count)) {
		*seconds = count * 24 * 3600;
		return true;
	}
	if (read_count(text, "h", 1, 87600, &count)) {
		*seconds = count * 3600;
		return true;
	}
	return false;
}

static bool read_unnamed(const char *text, bool *refuse) {
	*refuse = strcmp(text, "refuse") == 0;
	return *refuse || strcmp(text, "count") == 0;
}

int memory_settings_read(struct memory_settings *settings, const struct scfg_file *file,
	const struct scfg_directive *directive) {
	if (directive->params_len > 0 || settings->has_block) {
		return scfg_file_refuse(file, directive, "expected once: memory { ... }");
	}
	settings->planned = settings->has_block = true;
	for (size_t i = 0; i < directive->children.directives_len; i++) {
		const struct scfg_directive *child = &directive->children.directives[i];
		if (scfg_file_is_repeated(&directive->children, child)) {
			return scfg_file_refuse(file, child, "\"%s\" is there twice", child->name);
		}
		const char *value = child->params_len == 1 ? child->params[0] : "";
		bool good = false;
		if (strcmp(child->name, "budget") == 0) {
			good = size_parse(value, &settings->budget) && settings->budget > 0;
		} else if (strcmp(child->name, "reserve") == 0) {
			good = size_parse(value, &settings->reserve);
		} else if (strcmp(child->name, "percentile") == 0) {
			good = read_count(value, "", 1, 100, &settings->percentile);
		} else if (strcmp(child->name, "headroom") == 0) {
			good = read_count(value, "", 0, 1000, &settings->headroom);
		} else if (strcmp(child->name, "half-life") == 0) {
			good = read_half_life(value, &settings->half_life);
		} else if (strcmp(child->name, "unnamed") == 0) {
			good = read_unnamed(value, &settings->refuse_unnamed);
		}
		if (!good) {
			return scfg_file_refuse(file, child,
				"expected: budget SIZE, reserve SIZE, percentile 1..100, "
				"headroom PERCENT, half-life Nd or Nh, unnamed count or refuse");
		}
	}
	return 0;
}

static bool read_guest_child(struct memory_guest *guest, const struct scfg_directive *child) {
	if (strcmp(child->name, "memory") == 0 && child->params_len == 1) {
		return size_parse(child->params[0], &guest->memory);
	}
	if (strcmp(child->name, "domain") == 0 && child->params_len == 1 && child->params[0][0]) {
		guest->domain = must_copy(child->params[0]);
		return true;
	}
	return false;
}

static bool read_heap(struct memory_guest *guest, const struct scfg_directive *child) {
	return child->params_len == 2 && size_parse(child->params[0], &guest->heap_least) &&
	       size_parse(child->params[1], &guest->heap_most);
}

int memory_settings_read_guest(struct memory_settings *settings, const struct scfg_file *file,
	const struct scfg_directive *directive) {
	if (directive->params_len != 1 || directive->params[0][0] == '\0' ||
		memory_settings_find(settings, directive->params[0])) {
		return scfg_file_refuse(file, directive, "expected: guest NAME, each once");
	}
	settings->planned = true;
	settings->guests =
		must_grow(settings->guests, settings->guests_count, sizeof(*settings->guests));
	struct memory_guest *guest = &settings->guests[settings->guests_count++];
	*guest = (struct memory_guest){
		.name = must_copy(directive->params[0]), .heap_least = 64 * mib, .heap_most = gib};
	for (size_t i = 0; i < directive->children.directives_len; i++) {
		const struct scfg_directive *child = &directive->children.directives[i];
		if (scfg_file_is_repeated(&directive->children, child)) {
			return scfg_file_refuse(file, child, "\"%s\" is there twice", child->name);
		}
		if (strcmp(child->name, "heap") == 0 && read_heap(guest, child)) {
			if (!memory_plan_has_sizes(guest->heap_least, guest->heap_most)) {
				return scfg_file_refuse(file, child,
					"expected: heap LEAST MOST, LEAST 6M or more, and between "
					"them a multiple of 2M");
			}
			continue;
		}
		if (!read_guest_child(guest, child)) {
			return scfg_file_refuse(file, child,
				"expected: domain DOMAIN, memory SIZE, heap LEAST MOST");
		}
	}
	if (guest->memory == 0) {
		return scfg_file_refuse(file, directive,
			"guest %s has no memory: its block has to say how much it gets, such as "
			"\"memory 2G\"",
			guest->name);
	}
	return 0;
}

const struct memory_guest *memory_settings_find(
	const struct memory_settings *settings, const char *name) {
	for (size_t i = 0; i < settings->guests_count; i++) {
		if (strcmp(settings->guests[i].name, name) == 0) {
			return &settings->guests[i];
		}
	}
	return NULL;
}

static int read_block(
	void *data, const struct scfg_file *file, const struct scfg_directive *directive) {
	if (strcmp(directive->name, "memory") == 0) {
		return memory_settings_read(data, file, directive);
	}
	if (strcmp(directive->name, "guest") == 0) {
		return memory_settings_read_guest(data, file, directive);
	}
	return 0;
}

int memory_settings_load(struct memory_settings *settings, const char *path, struct error *error) {
	memory_settings_init(settings);
	int status = scfg_file_read(path, read_block, settings, error);
	if (status < 0) {
		memory_settings_finish(settings);
	}
	return status;
}
