#include "vm_block.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "paths.h"
#include "say.h"
#include "status.h"

static int failure(const char *path) {
	return say_failure(RUN_CONFIG, "%s: %s", path, strerror(errno));
}

int vm_block_init(struct vm_block *block, const char *found, const char *own, bool asked) {
	*block = (struct vm_block){.path = found};
	if (found != NULL && faccessat(AT_FDCWD, found, W_OK, AT_EACCESS) == 0) {
		return RUN_OK;
	}
	if (found != NULL && (asked || strcmp(found, own) == 0)) {
		return failure(found);
	}
	/* His own file takes the place of the system's, so it has to say what that says. */
	*block = (struct vm_block){.path = own, .original = found};
	return paths_make_directories(own) ? RUN_OK : failure(own);
}

/* The whole of a file, to be freed; NULL with errno. */
static char *read_whole(const char *path) {
	FILE *stream = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;
	if (stream == NULL) {
		return NULL;
	}
	/* A configuration has no NUL; what follows one was not read before either. */
	if (getdelim(&text, &size, '\0', stream) < 0) {
		int error = errno;
		free(text);
		text = ferror(stream) ? NULL : strdup("");
		errno = error;
	}
	fclose(stream);
	return text;
}

static bool write_whole(int fd, const char *text) {
	size_t size = strlen(text);
	while (size > 0) {
		ssize_t written = write(fd, text, size);
		if (written < 0) {
			return false;
		}
		text += written;
		size -= (size_t)written;
	}
	return true;
}

/* Half a block would make the rest of the file unreadable, too: it is taken back. */
static bool append(int fd, const char *path, bool created, const char *const texts[]) {
	struct stat before;
	bool written = fstat(fd, &before) == 0;
	for (size_t i = 0; written && texts[i] != NULL; i++) {
		written = write_whole(fd, texts[i]);
	}
	if (written && fsync(fd) < 0 && errno != EINVAL) {
		written = false;
	}
	int error = errno;
	if (!written && (created ? unlink(path) : ftruncate(fd, before.st_size)) < 0) {
		say("%s: what was begun could not be taken back: %s", path, strerror(errno));
	}
	errno = error;
	return written;
}

int vm_block_add(const struct vm_block *block, const char *vm) {
	char text[256]; /* a name has up to 63 characters */
	snprintf(text, sizeof(text), "vm %s {\n\tlabel \"%s\" \"#808080\"\n}\n", vm, vm);
	int fd = open(block->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	bool created = fd >= 0;
	if (fd < 0 && errno == EEXIST) {
		fd = open(block->path, O_WRONLY | O_APPEND | O_CLOEXEC);
	}
	bool copy = created && block->original != NULL;
	char *original = fd >= 0 && copy ? read_whole(block->original) : strdup("");
	const char *const texts[] = {original, created && !copy ? "" : "\n", text, NULL};
	bool done = fd >= 0 && original != NULL && append(fd, block->path, created, texts);
	int status = done ? RUN_OK : failure(block->path);
	if (fd >= 0) {
		close(fd);
	}
	free(original);
	if (done) {
		say("added \"vm %s\" to %s%s%s: give it a label colour and a command there", vm,
			block->path, copy ? ", otherwise a copy of " : "",
			copy ? block->original : "");
	}
	return status;
}
