#include "base/size.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool size_parse(const char *text, uint64_t *size) {
	static const char units[] = "KMGT";
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || errno) {
		return false;
	}
	const char *unit = *end ? strchr(units, *end) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	if (end[unit != NULL] != '\0' || number > UINT64_MAX >> shift) {
		return false;
	}
	*size = (uint64_t)number << shift;
	return true;
}

uint64_t size_total_memory(const char *meminfo) {
	const char *line = meminfo ? strstr(meminfo, "MemTotal:") : NULL;
	unsigned long long kib = line ? strtoull(line + strlen("MemTotal:"), NULL, 10) : 0;
	return kib > UINT64_MAX / 1024 ? 0 : kib * 1024;
}

void size_format(uint64_t size, char text[SIZE_TEXT]) {
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	unsigned unit = 0;
	uint64_t rest = 0;
	while (size >= 1024 && unit < 4) {
		rest = size % 1024;
		size /= 1024;
		unit++;
	}
	if (rest * 10 / 1024) {
		snprintf(text, SIZE_TEXT, "%" PRIu64 ".%u %s", size, (unsigned)(rest * 10 / 1024),
			units[unit]);
	} else {
		snprintf(text, SIZE_TEXT, "%" PRIu64 " %s", size, units[unit]);
	}
}
