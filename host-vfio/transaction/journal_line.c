#include "transaction/journal_line.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

static uint32_t checksum(const char *data, size_t size) {
	uint32_t crc = ~0u;
	for (size_t i = 0; i < size; i++) {
		crc ^= (unsigned char)data[i];
		for (int bit = 0; bit < 8; bit++) {
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
		}
	}
	return ~crc;
}

char *journal_line_format(sd_json_variant *object) {
	char *text = NULL;
	if (sd_json_variant_format(object, 0, &text) < 0) {
		abort();
	}
	char *line = must_print("%08x %s\n", checksum(text, strlen(text)), text);
	free(text);
	return line;
}

sd_json_variant *journal_line_parse(const char *line, size_t length) {
	char digits[9];
	if (length < 10 || line[8] != ' ' || memchr(line, '\0', length)) {
		return NULL;
	}
	memcpy(digits, line, 8);
	digits[8] = '\0';
	char expected[9];
	snprintf(expected, sizeof(expected), "%08x", checksum(line + 9, length - 9));
	if (strcmp(digits, expected) != 0) {
		return NULL;
	}
	char *text = strndup(line + 9, length - 9);
	sd_json_variant *object = NULL;
	if (!text || sd_json_parse(text, 0, &object, NULL, NULL) < 0) {
		object = NULL;
	}
	free(text);
	return object;
}
