#include "printable.h"

static bool is_printable(char c) {
	return c >= ' ' && c <= '~';
}

void portal_printable_copy(char *to, size_t size, const char *untrusted_text, size_t length) {
	length = length < size - 1 ? length : size - 1;
	for (size_t i = 0; i < length; i++) {
		to[i] = is_printable(untrusted_text[i]) ? untrusted_text[i] : '?';
	}
	to[length] = '\0';
}

bool portal_printable_is(const char *untrusted_text, size_t length) {
	for (size_t i = 0; i < length; i++) {
		if (!is_printable(untrusted_text[i])) {
			return false;
		}
	}
	return true;
}
