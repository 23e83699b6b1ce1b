#ifndef HOST_BASE_SIZE_H
#define HOST_BASE_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* "4G", "512M", "1048576": bytes, in powers of 1024. False for anything else. */
bool size_parse(const char *text, uint64_t *size);

/* What the text of /proc/meminfo says of the machine's memory, in bytes; 0 when it does not. */
uint64_t size_total_memory(const char *meminfo);

enum { SIZE_TEXT = 32 };
/* "1.5 GiB", "512 MiB", "17 B": with one digit behind the point where it is not whole. */
void size_format(uint64_t size, char text[SIZE_TEXT]);

#endif
