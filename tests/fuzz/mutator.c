/*
 * Longer conversations for fuzzers whose inputs are records. libFuzzer alone changes bytes, most of
 * which ends a conversation where it is changed; what goes wrong only with the third buffer of a
 * pool is not found that way. See libFuzzer's LLVMFuzzerCustomMutator().
 */
#include <string.h>

#include "mutator.h"

#define RECORDS_MAX 256

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed);

/* How many records there are; ends[0] is 0, which is where the first is looked for. */
static size_t find_records(const uint8_t *data, size_t size, size_t ends[RECORDS_MAX + 1]) {
	size_t count = 0;
	ends[0] = 0;
	while (count < RECORDS_MAX) {
		size_t end = fuzz_record_end(data, size, ends[count]);
		if (end == 0) {
			break;
		}
		ends[++count] = end;
	}
	return count;
}

/* A number below count, from a seed that is moved on. */
static size_t choose(unsigned int *seed, size_t count) {
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 8) % count;
}

/* Half of the time libFuzzer's own way; else some records are said again, at once or later. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed) {
	size_t ends[RECORDS_MAX + 1];
	size_t count = choose(&seed, 2) == 0 ? find_records(data, size, ends) : 0;
	/* The first record may have something before it. */
	if (count < 2) {
		return LLVMFuzzerMutate(data, size, size_max);
	}
	size_t first = 1 + choose(&seed, count - 1);
	size_t last = choose(&seed, 2) == 0 ? first : first + choose(&seed, count - first);
	size_t after = last + choose(&seed, count - last);
	size_t from = ends[first], length = ends[last + 1] - from, to = ends[after + 1];
	if (length > size_max - size) {
		return LLVMFuzzerMutate(data, size, size_max);
	}
	memmove(data + to + length, data + to, size - to);
	memcpy(data + to, data + from, length); /* all of which is before that place */
	for (size_t i = first; i <= last; i++) {
		fuzz_record_repeat(data + to + ends[i] - from);
	}
	return size + length;
}
