#include "inventory/cpuset.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

bool cpuset_has(const struct cpuset *set, unsigned cpu) {
	return cpu < CPUSET_MAX && (set->words[cpu / 64] >> cpu % 64 & 1) != 0;
}

void cpuset_add(struct cpuset *set, unsigned cpu) {
	set->words[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

static void take_out(struct cpuset *set, unsigned cpu) {
	set->words[cpu / 64] &= ~(UINT64_C(1) << cpu % 64);
}

void cpuset_add_all(struct cpuset *set, const struct cpuset *other) {
	for (size_t i = 0; i < CPUSET_MAX / 64; i++) {
		set->words[i] |= other->words[i];
	}
}

unsigned cpuset_count(const struct cpuset *set) {
	unsigned count = 0;
	for (size_t i = 0; i < CPUSET_MAX / 64; i++) {
		count += (unsigned)__builtin_popcountll(set->words[i]);
	}
	return count;
}

unsigned cpuset_next(const struct cpuset *set, unsigned from) {
	while (from < CPUSET_MAX && !cpuset_has(set, from)) {
		from++;
	}
	return from;
}

/* A number at *text, which then stands behind it. */
static bool read_cpu(const char **text, unsigned *cpu) {
	char *end;
	if (**text < '0' || **text > '9') {
		return false;
	}
	unsigned long value = strtoul(*text, &end, 10);
	*text = end;
	*cpu = (unsigned)value;
	return value < CPUSET_MAX;
}

bool cpuset_parse(const char *text, struct cpuset *set) {
	memset(set, 0, sizeof(*set));
	while (*text != '\0') {
		bool out = *text == '^';
		unsigned first, last;
		text += out;
		if (!read_cpu(&text, &first)) {
			return false;
		}
		last = first;
		if (*text == '-' && !out) {
			text++;
			if (!read_cpu(&text, &last) || last < first) {
				return false;
			}
		}
		for (unsigned cpu = first; cpu <= last; cpu++) {
			if (out) {
				take_out(set, cpu);
			} else {
				cpuset_add(set, cpu);
			}
		}
		if (*text == ',' && text[1] != '\0') {
			text++;
		} else if (*text != '\0') {
			return false;
		}
	}
	return true;
}

char *cpuset_format(const struct cpuset *set) {
	struct text text;
	text_init(&text);
	const char *separator = "";
	for (unsigned cpu = cpuset_next(set, 0); cpu < CPUSET_MAX; cpu = cpuset_next(set, cpu)) {
		unsigned first = cpu;
		while (cpuset_has(set, cpu)) {
			cpu++;
		}
		if (cpu - first == 1) {
			fprintf(text.stream, "%s%u", separator, first);
		} else {
			fprintf(text.stream, "%s%u-%u", separator, first, cpu - 1);
		}
		separator = ",";
	}
	return text_take(&text);
}
