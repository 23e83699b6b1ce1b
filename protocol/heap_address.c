#include <errno.h>
#include <string.h>

#include "heap.h"

static const struct heap_kind {
	const char *prefix;
	enum portal_heap_kind kind;
} kinds[] = {
	{"memfd:", PORTAL_HEAP_MEMFD},
	{"file:", PORTAL_HEAP_FILE},
	{"dax:", PORTAL_HEAP_DAX},
	{"ivshmem:", PORTAL_HEAP_IVSHMEM},
};

static int fail(const char **error, const char *text) {
	if (error != NULL) {
		*error = text;
	}
	errno = EINVAL;
	return -1;
}

static unsigned int suffix_shift(const char *suffix) {
	static const char *const suffixes[] = {"", "K", "M", "G"};
	for (unsigned int i = 0; i < 4; i++) {
		if (strcmp(suffix, suffixes[i]) == 0) {
			return i * 10;
		}
	}
	return UINT32_MAX;
}

int portal_heap_parse_size(const char *text, uint64_t *size) {
	const uint64_t max = (uint64_t)1 << 44;
	const char *at = text;
	uint64_t value = 0;
	for (; *at >= '0' && *at <= '9' && value < max; at++) {
		value = value * 10 + (uint64_t)(*at - '0');
	}
	unsigned int shift = suffix_shift(at);
	if (at == text || shift == UINT32_MAX || value == 0 || value > max >> shift) {
		return fail(NULL, NULL);
	}
	*size = value << shift;
	return 0;
}

int portal_heap_parse(struct portal_heap_address *address, const char *text, const char **error) {
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i].prefix);
		if (strncmp(text, kinds[i].prefix, length) != 0) {
			continue;
		}
		const char *rest = text + length;
		*address = (struct portal_heap_address){.kind = kinds[i].kind};
		if (address->kind == PORTAL_HEAP_MEMFD) {
			bool wrong =
				*rest != '\0' && portal_heap_parse_size(rest, &address->size) < 0;
			return wrong ? fail(error, "the heap's SIZE is not a number with K, M or G")
				     : 0;
		}
		if (*rest == '\0' || strlen(rest) >= sizeof(address->path)) {
			return fail(error, "the heap's PATH is empty or over 255 bytes");
		}
		strcpy(address->path, rest);
		return 0;
	}
	return fail(error, "a heap is memfd:SIZE, file:PATH, dax:PATH or ivshmem:PCI-ADDRESS");
}
