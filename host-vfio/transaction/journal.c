#include "transaction/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/must.h"
#include "inventory/json.h"
#include "transaction/journal_line.h"
#include "transaction/worker.h"

struct journal {
	int fd;
};

/* One more than the highest number in the directory, corrupt files included. */
static uint64_t next_number(const char *directory) {
	uint64_t highest = 0;
	DIR *stream = opendir(directory);
	const struct dirent *entry;
	while (stream && (entry = readdir(stream))) {
		uint64_t number = strtoull(entry->d_name, NULL, 10);
		highest = number > highest ? number : highest;
	}
	if (stream) {
		closedir(stream);
	}
	return highest + 1;
}

static struct journal *open_journal(const char *path, struct error *error) {
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0) {
		error_set(error, "%s: %s", path, strerror(errno));
		return NULL;
	}
	struct journal *journal = must_alloc(1, sizeof(*journal));
	journal->fd = fd;
	return journal;
}

struct journal *journal_begin(const char *directory, const char *what, const char *boot,
	const struct plan *plan, struct error *error) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "begin", what);
	json_set_number(&object, "version", 1);
	json_set_string(&object, "boot", boot);
	json_set(&object, "plan", plan_json(plan));
	char *line = journal_line_format(object);
	char *path = must_print("%s/%020" PRIu64 ".journal", directory, next_number(directory));
	struct journal *journal = NULL;
	if (file_replace(path, line, strlen(line), 0644, error) == 0) {
		journal = open_journal(path, error);
	}
	free(path);
	free(line);
	sd_json_variant_unref(object);
	return journal;
}

struct journal *journal_resume(const struct journal_record *record, struct error *error) {
	struct journal *journal = open_journal(record->path, error);
	/* A torn line would swallow the next one. */
	if (journal && ftruncate(journal->fd, (off_t)record->size) < 0) {
		error_set(error, "%s: %s", record->path, strerror(errno));
		journal_destroy(journal);
		return NULL;
	}
	return journal;
}

static int append(struct journal *journal, sd_json_variant *object) {
	char *line = journal_line_format(object);
	sd_json_variant_unref(object);
	size_t length = strlen(line);
	off_t end = lseek(journal->fd, 0, SEEK_END);
	ssize_t written = end < 0 ? -1 : write(journal->fd, line, length);
	free(line);
	if (written < 0 || (size_t)written != length) {
		int saved = written < 0 ? errno : ENOSPC;
		/* A part of a line would make the next one unreadable; should this fail too, the
		 * checksum tells. */
		if (end >= 0 && ftruncate(journal->fd, end) < 0) {
			saved = EIO;
		}
		errno = saved;
		return -1;
	}
	return fdatasync(journal->fd);
}

int journal_step(struct journal *journal, size_t index) {
	sd_json_variant *object = NULL;
	json_set_number(&object, "step", index);
	return append(journal, object);
}

int journal_end(struct journal *journal, enum journal_outcome outcome) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "end", outcome == JOURNAL_COMMITTED ? "committed" : "undone");
	return append(journal, object);
}

void journal_destroy(struct journal *journal) {
	if (journal) {
		close(journal->fd);
		free(journal);
	}
}

static int take_lock(void *data) {
	/* The lock belongs to the open file, which this process shares with its parent. */
	return flock(*(int *)data, LOCK_EX) < 0 ? errno : 0;
}

static int open_lock(const char *path) {
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
}

int journal_wait_for_lock(const char *directory) {
	char *path = must_print("%s/lock", directory);
	int fd = open_lock(path);
	free(path);
	if (fd < 0) {
		return -1;
	}
	int waited = flock(fd, LOCK_EX | LOCK_NB) < 0;
	int status = waited && flock(fd, LOCK_EX) < 0 ? -1 : waited;
	close(fd);
	return status;
}

int journal_lock(const char *directory, unsigned deadline_ms, struct error *error) {
	if (file_make_directory(directory, 0755, error) < 0) {
		return -1;
	}
	char *path = must_print("%s/lock", directory);
	int fd = open_lock(path);
	if (fd < 0) {
		error_set(error, "%s: %s", path, strerror(errno));
	} else {
		struct worker_result result = worker_run(take_lock, &fd, deadline_ms);
		if (result.state != WORKER_DONE) {
			error_set(error,
				"another change of devices is under way, or a step of one still "
				"hangs in the kernel (%s is locked)",
				path);
			close(fd);
			fd = -1;
		}
	}
	free(path);
	return fd;
}
