#include "cli/terminal.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE = 80, LEAST = 40 };

size_t terminal_width(FILE *file) {
	struct winsize size;
	if (!isatty(fileno(file)) || ioctl(fileno(file), TIOCGWINSZ, &size) < 0) {
		return 0;
	}
	return size.ws_col;
}

char *terminal_clean(char *text) {
	for (char *at = text; *at != '\0'; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f) {
			*at = '?';
		}
	}
	return text;
}

size_t terminal_paragraph(FILE *file) {
	size_t width = terminal_width(file);
	return width == 0 || width > LINE ? LINE : width < LEAST ? LEAST : width;
}

void terminal_wrap(const char *text, size_t indent, size_t width, FILE *file) {
	size_t at = indent;
	while (*text != '\0') {
		size_t length = strcspn(text, " ");
		/* A word that is longer than any line has one of its own. */
		if (width > 0 && at > indent && at + 1 + length > width) {
			fprintf(file, "\n%*s", (int)indent, "");
			at = indent;
		} else if (at > indent) {
			fputc(' ', file);
			at++;
		}
		fwrite(text, 1, length, file);
		at += length;
		text += length + strspn(text + length, " ");
	}
	fputc('\n', file);
}
