#include "tree/machine_file.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#define SIGNATURE "portal-machine 1"

/* Many times what the largest machine is written down in. */
enum { FILE_MAX = 32 * 1024 * 1024 };

struct parser {
	struct memory_tree *tree;
	const char *name;
	unsigned line_number;
	char *directory; /* the section's path */
	char *file; /* path of a text file whose continuation lines may follow */
	char *text;
	size_t text_size;
	FILE *text_stream;
	struct error *error;
};

static int complain(struct parser *parser, const char *reason) {
	if (parser->line_number == 0) {
		return error_set(parser->error, "%s: %s", parser->name, reason);
	}
	return error_set(
		parser->error, "%s, line %u: %s", parser->name, parser->line_number, reason);
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes the escapes in place. The length, or -1. */
static ssize_t unescape(char *text) {
	char *out = text;
	for (const char *in = text; *in != '\0'; in++) {
		if (*in != '\\') {
			*out++ = *in;
			continue;
		}
		in++;
		if (*in == '\\') {
			*out++ = '\\';
		} else if (*in == 't') {
			*out++ = '\t';
		} else if (*in == 'x' && hex_digit(in[1]) >= 0 && hex_digit(in[2]) >= 0) {
			*out++ = (char)(hex_digit(in[1]) << 4 | hex_digit(in[2]));
			in += 2;
		} else {
			return -1;
		}
	}
	*out = '\0';
	return out - text;
}

static char *path_of(const struct parser *parser, const char *name) {
	return must_print("%s/%s", parser->directory, name);
}

/* The text file that was begun is complete. */
static int finish_file(struct parser *parser) {
	if (!parser->file) {
		return 0;
	}
	fclose(parser->text_stream);
	int status =
		memory_tree_put_file(parser->tree, parser->file, parser->text, parser->text_size);
	if (status < 0) {
		complain(parser, strerror(errno));
	}
	free(parser->text);
	free(parser->file);
	parser->file = NULL;
	return status;
}

static int begin_file(struct parser *parser, const char *name, char *value) {
	parser->text_stream = open_memstream(&parser->text, &parser->text_size);
	if (!parser->text_stream) {
		return complain(parser, strerror(errno));
	}
	parser->file = path_of(parser, name);
	if (value[0] == '\0') {
		return 0; /* an empty line, or lines that follow */
	}
	ssize_t length = unescape(value);
	if (length < 0) {
		return complain(parser, "bad escape");
	}
	fwrite(value, 1, (size_t)length, parser->text_stream);
	fputc('\n', parser->text_stream);
	return 0;
}

static int continue_file(struct parser *parser, char *line) {
	if (!parser->file) {
		return complain(parser, "an indented line that continues nothing");
	}
	ssize_t length = unescape(line);
	if (length < 0) {
		return complain(parser, "bad escape");
	}
	fwrite(line, 1, (size_t)length, parser->text_stream);
	fputc('\n', parser->text_stream);
	return 0;
}

static int put_binary(struct parser *parser, const char *name, const char *value) {
	size_t digits = strlen(value);
	unsigned char *data = must_alloc(digits / 2 + 1, 1);
	for (size_t i = 0; i < digits; i++) {
		int digit = hex_digit(value[i]);
		if (digit < 0 || digits % 2 != 0) {
			free(data);
			return complain(parser, "not a row of hexadecimal bytes");
		}
		data[i / 2] = (unsigned char)(data[i / 2] << 4 | digit);
	}
	char *path = path_of(parser, name);
	int status = memory_tree_put_file(parser->tree, path, data, digits / 2);
	if (status < 0) {
		complain(parser, strerror(errno));
	}
	free(path);
	free(data);
	return status;
}

static int put_link(struct parser *parser, const char *name, char *target) {
	if (unescape(target) <= 0) {
		return complain(parser, "bad link target");
	}
	char *path = path_of(parser, name);
	int status = memory_tree_put_link(parser->tree, path, target);
	if (status < 0) {
		complain(parser, strerror(errno));
	}
	free(path);
	return status;
}

static int begin_section(struct parser *parser, char *line) {
	size_t length = strlen(line);
	if (line[length - 1] != ']' || length >= PATH_MAX) {
		return complain(parser, "a section is [/ABSOLUTE/PATH]");
	}
	line[length - 1] = '\0';
	ssize_t plain = unescape(line + 1);
	if (plain < 0 || (size_t)plain != strlen(line + 1)) {
		return complain(parser, "bad escape");
	}
	free(parser->directory);
	parser->directory = must_copy(line + 1);
	if (memory_tree_put_directory(parser->tree, parser->directory) < 0) {
		return complain(parser, "a section is [/ABSOLUTE/PATH]");
	}
	return 0;
}

static int parse_entry(struct parser *parser, char *line) {
	if (!parser->directory) {
		return complain(parser, "an entry before the first section");
	}
	char *space = strchr(line, ' ');
	if (!space || space == line) {
		return complain(parser, "expected NAME = TEXT, NAME : BYTES or NAME -> TARGET");
	}
	*space = '\0';
	char *sign = space + 1;
	size_t sign_length = strcspn(sign, " ");
	char *value = sign + sign_length;
	value += *value == ' ';
	if (unescape(line) <= 0 || strchr(line, '/')) {
		return complain(parser, "bad name");
	}
	if (sign_length == 1 && sign[0] == '=') {
		return begin_file(parser, line, value);
	}
	if (sign_length == 1 && sign[0] == ':') {
		return put_binary(parser, line, value);
	}
	if (sign_length == 2 && strncmp(sign, "->", 2) == 0) {
		return put_link(parser, line, value);
	}
	return complain(parser, "expected NAME = TEXT, NAME : BYTES or NAME -> TARGET");
}

/* A value of its own line is empty: it is the one newline that the file holds. */
static int finish_if_not_continued(struct parser *parser, const char *line) {
	if (line[0] == '\t') {
		return 0;
	}
	if (parser->file && fflush(parser->text_stream) == 0 && parser->text_size == 0) {
		fputc('\n', parser->text_stream);
	}
	return finish_file(parser);
}

static int parse_line(struct parser *parser, char *line) {
	if (parser->line_number == 1) {
		return strcmp(line, SIGNATURE) == 0
			       ? 0
			       : complain(parser, "not a recorded machine (no \"" SIGNATURE "\")");
	}
	if (finish_if_not_continued(parser, line) < 0) {
		return -1;
	}
	switch (line[0]) {
	case '\0':
	case '#':
		return 0;
	case '\t':
		return continue_file(parser, line + 1);
	case '[':
		return begin_section(parser, line);
	default:
		return parse_entry(parser, line);
	}
}

struct memory_tree *machine_file_parse(FILE *file, const char *name, struct error *error) {
	struct parser parser = {.tree = memory_tree_create(), .name = name, .error = error};
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int status = 0;
	while (status == 0 && (length = getline(&line, &size, file)) >= 0) {
		parser.line_number++;
		if (memchr(line, '\0', (size_t)length)) {
			status = complain(&parser, "a zero byte");
			break;
		}
		if (length > 0 && line[length - 1] == '\n') {
			line[length - 1] = '\0';
		}
		status = parse_line(&parser, line);
	}
	if (status == 0 && ferror(file)) {
		status = complain(&parser, strerror(errno));
	}
	if (status == 0 && parser.line_number == 0) {
		status = complain(&parser, "empty");
	}
	if (finish_if_not_continued(&parser, "") < 0) {
		status = -1;
	}
	free(line);
	free(parser.directory);
	if (status < 0) {
		tree_destroy(memory_tree_base(parser.tree));
		return NULL;
	}
	return parser.tree;
}

struct memory_tree *machine_file_load(const char *path, struct error *error) {
	FILE *file = fopen(path, "re");
	if (!file) {
		error_set(error, "%s: %s", path, strerror(errno));
		return NULL;
	}
	/* What is no recording may have no end, or no lines: /dev/zero has neither. */
	struct memory_tree *tree = NULL;
	char *text = must_alloc(FILE_MAX + 1, 1);
	size_t size = fread(text, 1, FILE_MAX + 1, file);
	if (ferror(file)) {
		error_set(error, "%s: %s", path, strerror(errno));
	} else if (size > FILE_MAX) {
		error_set(error, "%s: not a recorded machine (it is larger than %d MiB)", path,
			FILE_MAX >> 20);
	} else if (size == 0) {
		error_set(error, "%s: empty", path);
	} else {
		FILE *stream = must_have(fmemopen(text, size, "r"));
		tree = machine_file_parse(stream, path, error);
		fclose(stream);
	}
	free(text);
	fclose(file);
	return tree;
}

struct writer {
	FILE *file;
	char *section; /* the directory whose header was written last */
};

static void write_escaped(FILE *file, const char *text, size_t length, const char *also) {
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '\\') {
			fputs("\\\\", file);
		} else if (c == '\t') {
			fputs("\\t", file);
		} else if (c < 0x20 || c >= 0x7f || strchr(also, c)) {
			fprintf(file, "\\x%02x", c);
		} else {
			fputc(c, file);
		}
	}
}

static void write_section(struct writer *writer, const char *path, size_t length) {
	if (writer->section && strlen(writer->section) == length &&
		strncmp(writer->section, path, length) == 0) {
		return;
	}
	free(writer->section);
	writer->section = must_alloc(length + 1, 1);
	memcpy(writer->section, path, length);
	fputs("\n[", writer->file);
	if (length == 0) {
		fputc('/', writer->file); /* the root, where /lib is a link nowadays */
	}
	write_escaped(writer->file, path, length, "");
	fputs("]\n", writer->file);
}

static void write_text(FILE *file, const char *data, size_t size) {
	const char *newline = memchr(data, '\n', size);
	if (size > 1 && newline == data + size - 1) {
		fputs(" = ", file);
		write_escaped(file, data, size - 1, "");
		fputc('\n', file);
		return;
	}
	fputs(" =\n", file);
	if (size == 1) {
		return;
	}
	for (const char *line = data; line < data + size; line = newline + 1) {
		newline = memchr(line, '\n', (size_t)(data + size - line));
		fputc('\t', file);
		write_escaped(file, line, (size_t)(newline - line), "");
		fputc('\n', file);
	}
}

static void write_file(FILE *file, const unsigned char *data, size_t size) {
	if (size > 0 && data[size - 1] == '\n' && !memchr(data, '\0', size)) {
		write_text(file, (const char *)data, size);
		return;
	}
	fputs(" : ", file);
	for (size_t i = 0; i < size; i++) {
		fprintf(file, "%02x", data[i]);
	}
	fputc('\n', file);
}

static void write_node(
	const char *path, enum memory_node_kind kind, const void *data, size_t size, void *user) {
	struct writer *writer = user;
	if (kind == MEMORY_DIRECTORY) {
		/* The header otherwise comes with the first entry. */
		if (size == 0) {
			write_section(writer, path, strlen(path));
		}
		return;
	}
	const char *name = path_name(path);
	write_section(writer, path, (size_t)(name - path) - 1);
	write_escaped(writer->file, name, strlen(name), " ");
	if (kind == MEMORY_LINK) {
		fputs(" -> ", writer->file);
		write_escaped(writer->file, data, size, "");
		fputc('\n', writer->file);
	} else {
		write_file(writer->file, data, size);
	}
}

int machine_file_write(const struct memory_tree *tree, FILE *file) {
	struct writer writer = {.file = file};
	fputs(SIGNATURE "\n", file);
	memory_tree_visit(tree, write_node, &writer);
	free(writer.section);
	if (fflush(file) != 0 || ferror(file)) {
		return -1;
	}
	return 0;
}
