#include "config_file.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "utf8.h"

static char *user_path(void) {
	char *path = NULL;
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	int length = -1;
	if (config != NULL && config[0] == '/') {
		length = asprintf(&path, "%s/portal/portal.scfg", config);
	} else if (home != NULL && home[0] == '/') {
		length = asprintf(&path, "%s/.config/portal/portal.scfg", home);
	}
	return length < 0 ? NULL : path;
}

char *config_file_default_path(void) {
	char *path = user_path();
	if (path != NULL && access(path, F_OK) == 0) {
		return path;
	}
	free(path);
	if (access("/etc/portal/portal.scfg", F_OK) == 0) {
		return strdup("/etc/portal/portal.scfg");
	}
	errno = ENOENT;
	return NULL;
}

/* The line of the last character that was read. */
static int line_reached(FILE *stream) {
	long end = ftell(stream);
	int line = 1, letter;
	if (end < 0 || fseek(stream, 0, SEEK_SET) < 0) {
		return line;
	}
	for (; end > 1 && (letter = fgetc(stream)) != EOF; end--) {
		line += letter == '\n';
	}
	return line;
}

// libscfg writes what it found to standard error, without the file's name and with another number
// for the line: whoever reads the file says it once.
static int parse_quietly(struct scfg_block *root, FILE *stream) {
	char *said = NULL;
	size_t size = 0;
	FILE *own = stderr, *aside = open_memstream(&said, &size);
	if (aside != NULL) {
		stderr = aside;
	}
	int result = scfg_parse_file(root, stream);
	stderr = own;
	if (aside != NULL) {
		fclose(aside);
	}
	free(said);
	return result;
}

// What editors leave in a file without showing it would only make some word an unknown one.
static bool check_word(const struct config_file *file, const struct scfg_directive *directive,
	const char *word, struct config_error *error) {
	if (!utf8_is_whole(word)) {
		return config_fail(error, file, directive,
			"this line is not UTF-8; save the file in that encoding");
	}
	if (strncmp(word, "\xef\xbb\xbf", 3) == 0) {
		return config_fail(error, file, directive,
			"the file begins with a byte order mark; save it without");
	}
	if (strchr(word, '\r') != NULL) {
		return config_fail(error, file, directive,
			"lines end as on Windows, with a carriage return; save the file with Unix "
			"line ends");
	}
	return true;
}

static bool check_block(const struct config_file *file, const struct scfg_block *block,
	struct config_error *error) {
	for (size_t i = 0; i < block->directives_len; i++) {
		const struct scfg_directive *directive = &block->directives[i];
		bool good = check_word(file, directive, directive->name, error);
		for (size_t j = 0; good && j < directive->params_len; j++) {
			good = check_word(file, directive, directive->params[j], error);
		}
		if (!good || !check_block(file, &directive->children, error)) {
			return false;
		}
	}
	return true;
}

bool config_file_check_text(const struct config_file *file, struct config_error *error) {
	return check_block(file, &file->root, error);
}

bool config_file_load(struct config_file *file, const char *path, struct config_error *error) {
	*file = (struct config_file){0};
	struct stat status;
	FILE *stream = fopen(path, "re");
	if (stream == NULL) {
		snprintf(error->message, sizeof(error->message), "%s: %s", path, strerror(errno));
		return false;
	}
	if (fstat(fileno(stream), &status) == 0 && S_ISDIR(status.st_mode)) {
		snprintf(error->message, sizeof(error->message), "%s: %s", path, strerror(EISDIR));
		fclose(stream);
		return false;
	}
	int result = parse_quietly(&file->root, stream);
	int line = result == 0 ? 0 : line_reached(stream);
	fclose(stream);
	if (result != 0) {
		file->root = (struct scfg_block){0};
		snprintf(error->message, sizeof(error->message),
			"%.300s:%d: not valid scfg; look for a missing quote or brace here or "
			"above",
			path, line);
		return false;
	}
	file->path = strdup(path);
	if (file->path == NULL) {
		scfg_block_finish(&file->root);
		snprintf(error->message, sizeof(error->message), "%s: %s", path, strerror(ENOMEM));
		return false;
	}
	return true;
}

void config_file_finish(struct config_file *file) {
	free(file->path);
	scfg_block_finish(&file->root);
	*file = (struct config_file){0};
}

bool config_fail(struct config_error *error, const struct config_file *file,
	const struct scfg_directive *directive, const char *format, ...) {
	char text[384];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(error->message, sizeof(error->message), "%.100s:%d: %s", file->path,
		directive->lineno, text);
	return false;
}

/*
 * Edit distance in which swapping two neighbours costs one step, like any other single slip of the
 * hand. Words too long to be a directive are as far away as can be.
 */
static size_t distance(const char *a, const char *b) {
	enum { longest = 40 };
	size_t rows = strlen(a), columns = strlen(b);
	if (rows > longest || columns > longest) {
		return SIZE_MAX;
	}
	size_t table[longest + 1][longest + 1];
	for (size_t i = 0; i <= rows; i++) {
		table[i][0] = i;
	}
	for (size_t j = 0; j <= columns; j++) {
		table[0][j] = j;
	}
	for (size_t i = 1; i <= rows; i++) {
		for (size_t j = 1; j <= columns; j++) {
			size_t best = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (table[i - 1][j] + 1 < best) {
				best = table[i - 1][j] + 1;
			}
			if (table[i][j - 1] + 1 < best) {
				best = table[i][j - 1] + 1;
			}
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				table[i - 2][j - 2] + 1 < best) {
				best = table[i - 2][j - 2] + 1;
			}
			table[i][j] = best;
		}
	}
	return table[rows][columns];
}

const char *config_nearest(const char *word, const char *const names[]) {
	const char *nearest = NULL;
	// One slip in every three letters is a slip, more is another word.
	size_t least = strlen(word) / 3 + 2;
	for (; *names != NULL; names++) {
		size_t steps = distance(word, *names);
		if (steps < least) {
			nearest = *names;
			least = steps;
		}
	}
	return nearest;
}

bool config_fail_unknown(struct config_error *error, const struct config_file *file,
	const struct scfg_directive *directive, const char *where, const char *const names[]) {
	const char *nearest = config_nearest(directive->name, names);
	if (nearest != NULL) {
		return config_fail(error, file, directive,
			"%s has no \"%.40s\"; did you mean \"%s\"?", where, directive->name,
			nearest);
	}
	char list[256] = "";
	for (size_t i = 0; names[i] != NULL; i++) {
		size_t used = strlen(list);
		snprintf(list + used, sizeof(list) - used, "%s%s", i == 0 ? "" : ", ", names[i]);
	}
	return config_fail(error, file, directive, "%s has no \"%.40s\"; there are %s", where,
		directive->name, list);
}

bool config_need_params(const struct config_file *file, const struct scfg_directive *directive,
	size_t min, size_t max, struct config_error *error) {
	if (directive->params_len >= min && directive->params_len <= max) {
		return true;
	}
	if (min == max) {
		return config_fail(error, file, directive, "%s wants %zu parameter%s, not %zu",
			directive->name, min, min == 1 ? "" : "s", directive->params_len);
	}
	if (max == SIZE_MAX) {
		return config_fail(error, file, directive, "%s wants at least %zu parameter%s",
			directive->name, min, min == 1 ? "" : "s");
	}
	return config_fail(error, file, directive, "%s wants %zu to %zu parameters, not %zu",
		directive->name, min, max, directive->params_len);
}

bool config_parse_size(const char *text, uint64_t *value) {
	if (!isdigit((unsigned char)text[0])) {
		return false;
	}
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	unsigned shift = 0;
	switch (*end) {
	case 'K':
	case 'k':
		shift = 10;
		break;
	case 'M':
	case 'm':
		shift = 20;
		break;
	case 'G':
	case 'g':
		shift = 30;
		break;
	}
	if (errno != 0 || end[shift != 0] != '\0' || number == 0 || number > UINT64_MAX >> shift) {
		return false;
	}
	*value = (uint64_t)number << shift;
	return true;
}

bool config_param_double(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, double min, double max, double *value, struct config_error *error) {
	const char *text = directive->params[index];
	char *end;
	errno = 0;
	double number = strtod(text, &end);
	if (end == text || *end != '\0' || errno != 0 || !isfinite(number) || number < min ||
		number > max) {
		return config_fail(error, file, directive,
			"%s: \"%s\" is not a number from %g to %g", directive->name, text, min,
			max);
	}
	*value = number;
	return true;
}

bool config_param_int(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, int min, int max, int *value, struct config_error *error) {
	const char *text = directive->params[index];
	char *end;
	errno = 0;
	long number = strtol(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || number < min || number > max) {
		return config_fail(error, file, directive,
			"%s: \"%s\" is not a whole number from %d to %d", directive->name, text,
			min, max);
	}
	*value = (int)number;
	return true;
}

bool config_param_size(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, uint64_t *value, struct config_error *error) {
	const char *text = directive->params[index];
	if (!config_parse_size(text, value)) {
		return config_fail(error, file, directive,
			"%s: \"%s\" is not a size: a number with K, M or G, such as 256M",
			directive->name, text);
	}
	return true;
}

bool config_param_word(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, const char *const words[], size_t count, int *value,
	struct config_error *error) {
	const char *text = directive->params[index];
	char list[256] = "";
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, words[i]) == 0) {
			*value = (int)i;
			return true;
		}
		size_t used = strlen(list);
		snprintf(list + used, sizeof(list) - used, "%s%s", i == 0 ? "" : ", ", words[i]);
	}
	return config_fail(
		error, file, directive, "%s: \"%s\" is none of %s", directive->name, text, list);
}

bool config_param_bool(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, bool *value, struct config_error *error) {
	static const char *const words[] = {"on", "off", "yes", "no", "true", "false"};
	int word;
	if (!config_param_word(file, directive, index, words, 6, &word, error)) {
		return false;
	}
	*value = word % 2 == 0;
	return true;
}

bool config_param_color(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, uint32_t *value, struct config_error *error) {
	const char *text = directive->params[index];
	if (strlen(text) != 7 || text[0] != '#' ||
		strspn(text + 1, "0123456789abcdefABCDEF") != 6) {
		return config_fail(error, file, directive, "%s: \"%s\" is not a colour (#rrggbb)",
			directive->name, text);
	}
	*value = (uint32_t)strtoul(text + 1, NULL, 16);
	return true;
}

bool config_param_string(const struct config_file *file, const struct scfg_directive *directive,
	size_t index, char **value, struct config_error *error) {
	char *copy = strdup(directive->params[index]);
	if (copy == NULL) {
		return config_fail(error, file, directive, "%s", strerror(ENOMEM));
	}
	free(*value);
	*value = copy;
	return true;
}
