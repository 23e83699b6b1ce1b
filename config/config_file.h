#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <scfg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A configuration file as read, before anyone gives its directives a meaning. Every reader of
 * portal.scfg (the compositor's settings, the VMs) starts from one of these, so that all of them
 * report mistakes the same way: "PATH:LINE: what is wrong".
 */
struct config_file {
	char *path;
	struct scfg_block root;
};

/* One message for the user; the first mistake wins. */
struct config_error {
	char message[512];
};

/**
 * The file that is read when none is named: $XDG_CONFIG_HOME/portal/portal.scfg (~/.config when
 * unset), else /etc/portal/portal.scfg. Returns a string the caller frees, or NULL with errno
 * ENOENT when neither exists.
 */
char *config_file_default_path(void);

/** Reads and parses PATH. On failure nothing needs to be finished and the error says why. */
bool config_file_load(struct config_file *file, const char *path, struct config_error *error);
void config_file_finish(struct config_file *file);

/** Fails unless all words are UTF-8, as scfg is, and free of what Windows puts into files. */
bool config_file_check_text(const struct config_file *file, struct config_error *error);

/** Sets the error to "PATH:LINE: message" and returns false, for `return config_fail(…)`. */
bool config_fail(struct config_error *error, const struct config_file *file,
	const struct scfg_directive *directive, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * The same for a directive that WHERE ("vm demo") does not have: names the nearest of NAMES (NULL
 * terminated) when one is near enough to be a slip, else all.
 */
bool config_fail_unknown(struct config_error *error, const struct config_file *file,
	const struct scfg_directive *directive, const char *where, const char *const names[]);

/** The one of NAMES (NULL terminated) that WORD most likely meant, or NULL. */
const char *config_nearest(const char *word, const char *const names[]);

/** Fails unless the directive has between MIN and MAX parameters. */
bool config_need_params(const struct config_file *file, const struct scfg_directive *directive,
	size_t min, size_t max, struct config_error *error);

/*
 * Parameter number INDEX (from 0, present) as a value. On failure the error says what was expected
 * and nothing is stored.
 */
bool config_param_int(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, int min, int max, int *value, struct config_error *error);
bool config_param_double(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, double min, double max, double *value, struct config_error *error);
/** on, yes, true; off, no, false */
bool config_param_bool(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, bool *value, struct config_error *error);
/** Bytes, more than 0: "4096", or in steps of 1024 "16K", "256M", "1G" */
bool config_param_size(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, uint64_t *value, struct config_error *error);
/** The same from a string, for command lines. */
bool config_parse_size(const char *text, uint64_t *value);
/** "#rrggbb" as 0x00rrggbb */
bool config_param_color(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, uint32_t *value, struct config_error *error);
/** One of COUNT words; stores its position. */
bool config_param_word(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, const char *const words[], size_t count, int *value,
	struct config_error *error);
/** A copy of the parameter; an earlier *VALUE is freed. */
bool config_param_string(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, char **value, struct config_error *error);

#endif
