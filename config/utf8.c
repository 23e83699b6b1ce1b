#include "utf8.h"

#include <stddef.h>
#include <string.h>

/* The length of the character that a text begins with; 0: that is none. RFC 3629. */
static size_t character_length(const unsigned char *text) {
	static const struct {
		unsigned char first, last; /* of its first byte */
		unsigned char least, most; /* of its second */
		size_t length;
	} forms[] = {
		{0x01, 0x7f, 0, 0, 1},
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, /* no surrogates */
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (text[0] < forms[i].first || text[0] > forms[i].last) {
			continue;
		}
		size_t length = 1;
		if (forms[i].length > 1 && text[1] >= forms[i].least && text[1] <= forms[i].most) {
			length = 2;
			while (length < forms[i].length && (text[length] & 0xc0) == 0x80) {
				length++;
			}
		}
		return length == forms[i].length ? length : 0;
	}
	return 0;
}

bool utf8_is_whole(const char *text) {
	size_t length = 1;
	for (const char *at = text; *at != '\0' && length != 0; at += length) {
		length = character_length((const unsigned char *)at);
	}
	return length != 0;
}

/* Those of ASCII, and C1, U+0080 to U+009F. */
static bool is_control(const char *text) {
	const unsigned char *bytes = (const unsigned char *)text;
	return bytes[0] < 0x20 || bytes[0] == 0x7f || (bytes[0] == 0xc2 && bytes[1] < 0xa0);
}

static void clean(char *text, bool controls) {
	size_t length;
	for (char *at = text; *at != '\0'; at += length) {
		length = character_length((const unsigned char *)at);
		if (length == 0) {
			*at = '?';
			length = 1;
		} else if (controls && is_control(at)) {
			memset(at, '?', length);
		}
	}
}

void utf8_make_whole(char *text) {
	clean(text, false);
}

void utf8_make_printable(char *text) {
	clean(text, true);
}
