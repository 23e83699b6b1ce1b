#include "scfg/scfg_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config_file.h"

int scfg_file_read(const char *path, scfg_file_directive *read, void *data, struct error *error) {
	struct config_file config;
	struct config_error config_error;
	/* Whatever else keeps it from being read is told by the reader. */
	if (access(path, F_OK) < 0 && errno == ENOENT) {
		return 0;
	}
	if (!config_file_load(&config, path, &config_error)) {
		return error_set(error, "%s", config_error.message);
	}
	const struct scfg_file file = {.path = path, .error = error};
	int status = 0;
	for (size_t i = 0; status == 0 && i < config.root.directives_len; i++) {
		status = read(data, &file, &config.root.directives[i]);
	}
	config_file_finish(&config);
	return status;
}

bool scfg_file_is_repeated(const struct scfg_block *block, const struct scfg_directive *directive) {
	const struct scfg_directive *first = block->directives;
	while (first < directive && strcmp(first->name, directive->name) != 0) {
		first++;
	}
	return first < directive;
}

int scfg_file_refuse(
	const struct scfg_file *file, const struct scfg_directive *at, const char *format, ...) {
	char reason[256];
	va_list args;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return error_set(file->error, "%s, line %d: %s", file->path, at->lineno, reason);
}
