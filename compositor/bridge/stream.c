#include "stream.h"

#include <stdint.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((target("sse4.1"))) static void read_lines(
	uint8_t *to, const uint8_t *from, size_t lines) {
	for (size_t i = 0; i < lines; i++, from += 64, to += 64) {
		/* The four loads of a line come from one fill buffer. */
		__m128i a = _mm_stream_load_si128((__m128i *)(uintptr_t)from);
		__m128i b = _mm_stream_load_si128((__m128i *)(uintptr_t)(from + 16));
		__m128i c = _mm_stream_load_si128((__m128i *)(uintptr_t)(from + 32));
		__m128i d = _mm_stream_load_si128((__m128i *)(uintptr_t)(from + 48));
		_mm_storeu_si128((__m128i *)to, a);
		_mm_storeu_si128((__m128i *)(to + 16), b);
		_mm_storeu_si128((__m128i *)(to + 32), c);
		_mm_storeu_si128((__m128i *)(to + 48), d);
	}
}

void bridge_stream_read(void *to, const void *from, size_t size) {
	size_t head = -(uintptr_t)from & 63;
	if (!__builtin_cpu_supports("sse4.1") || size < head + 64) {
		memcpy(to, from, size);
		return;
	}
	memcpy(to, from, head);
	size_t lines = (size - head) / 64, done = head + lines * 64;
	read_lines((uint8_t *)to + head, (const uint8_t *)from + head, lines);
	memcpy((uint8_t *)to + done, (const uint8_t *)from + done, size - done);
}
#else
void bridge_stream_read(void *to, const void *from, size_t size) {
	memcpy(to, from, size);
}
#endif
