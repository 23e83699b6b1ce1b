#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/must.h"
#include "base/text.h"
#include "memory/history.h"
#include "scfg/scfg_file.h"

static bool read_number(const struct scfg_directive *directive, uint64_t *number) {
	char *end;
	if (directive->params_len != 1 || directive->params[0][0] == '-') {
		return false;
	}
	errno = 0;
	*number = strtoull(directive->params[0], &end, 10);
	return errno == 0 && *end == '\0' && end != directive->params[0];
}

static bool read_weight(const struct scfg_directive *directive, struct history_guest *guest) {
	char *end, *weight_end;
	if (directive->params_len != 2) {
		return false;
	}
	unsigned long bucket = strtoul(directive->params[0], &end, 10);
	double weight = strtod(directive->params[1], &weight_end);
	if (*end != '\0' || *weight_end != '\0' || bucket >= HISTORY_BUCKETS || !isfinite(weight) ||
		weight < 0) {
		return false;
	}
	guest->weights[bucket] = weight;
	return true;
}

static bool read_child(const struct scfg_directive *child, struct history_guest *guest) {
	uint64_t number;
	if (strcmp(child->name, "weight") == 0) {
		return read_weight(child, guest);
	}
	if (!read_number(child, &number)) {
		return false;
	}
	if (strcmp(child->name, "updated") == 0) {
		guest->updated = (time_t)number;
	} else if (strcmp(child->name, "last") == 0) {
		guest->last = number;
	} else if (strcmp(child->name, "peak") == 0) {
		guest->peak = number;
	} else {
		return false;
	}
	return true;
}

static int read_guest(
	void *data, const struct scfg_file *file, const struct scfg_directive *directive) {
	struct history *history = data;
	bool good = strcmp(directive->name, "guest") == 0 && directive->params_len == 1 &&
		    !history_find(history, directive->params[0]);
	struct history_guest guest = {0};
	for (size_t i = 0; good && i < directive->children.directives_len; i++) {
		good = read_child(&directive->children.directives[i], &guest);
	}
	if (!good) {
		return scfg_file_refuse(file, directive, "not a guest's history");
	}
	guest.name = must_copy(directive->params[0]);
	history->guests = must_grow(history->guests, history->count, sizeof(guest));
	history->guests[history->count++] = guest;
	return 0;
}

int history_load(struct history *history, const char *path, struct error *error) {
	*history = (struct history){0};
	struct error reason;
	int status = scfg_file_read(path, read_guest, history, &reason);
	if (status < 0) {
		history_finish(history);
		/* Nobody writes it by hand, and has a brace to look for. */
		char *advice = strstr(reason.text, "; look for");
		if (advice) {
			*advice = '\0';
		}
		return error_set(error,
			"%.800s; the use of heaps is written there by itself: remove the file, and "
			"it is measured anew",
			reason.text);
	}
	return 0;
}

int history_save(const struct history *history, const char *path, struct error *error) {
	struct text text;
	text_init(&text);
	FILE *file = text.stream;
	for (size_t i = 0; i < history->count; i++) {
		const struct history_guest *guest = &history->guests[i];
		fprintf(file,
			"guest \"%s\" {\n\tupdated %lld\n\tlast %" PRIu64 "\n\tpeak %" PRIu64 "\n",
			guest->name, (long long)guest->updated, guest->last, guest->peak);
		for (unsigned k = 0; k < HISTORY_BUCKETS; k++) {
			/* Less than a second of long ago says nothing. */
			if (guest->weights[k] >= 1) {
				fprintf(file, "\tweight %u %.17g\n", k, guest->weights[k]);
			}
		}
		fputs("}\n", file);
	}
	return text_replace_file(&text, path, 0644, error);
}

int history_record(const char *path, const char *guest, uint64_t bytes, long seconds,
	unsigned half_life, struct error *error) {
	/* The file itself is replaced: the lock is another one. */
	char *lock_path = must_print("%s.lock", path);
	int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct history history;
	int status;
	if (lock < 0 || flock(lock, LOCK_EX) < 0) {
		status = error_set(error, "%s: %s", lock_path, strerror(errno));
	} else {
		status = history_load(&history, path, error);
	}
	if (status == 0) {
		history_add(&history, guest, bytes, seconds, time(NULL), half_life);
		status = history_save(&history, path, error);
		history_finish(&history);
	}
	if (lock >= 0) {
		close(lock);
	}
	free(lock_path);
	return status;
}
