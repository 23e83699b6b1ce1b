#ifndef PORTAL_FUZZ_MUTATOR_H
#define PORTAL_FUZZ_MUTATOR_H

/* What mutator.c has to know of a fuzzer's inputs. */

#include <stddef.h>
#include <stdint.h>

/* Where the record at this place ends, the first one's being 0; 0 where there is none. */
size_t fuzz_record_end(const uint8_t *data, size_t size, size_t at);

/* Makes a copy of a record one that can be said after it. */
void fuzz_record_repeat(uint8_t *record);

#endif
