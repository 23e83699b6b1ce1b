#ifndef HOST_TRANSACTION_JOURNAL_LINE_H
#define HOST_TRANSACTION_JOURNAL_LINE_H

#include <stddef.h>
#include <systemd/sd-json.h>

/* "CHECKSUM JSON\n", the checksum being the CRC-32 (ISO 3309) of the JSON in eight hexadecimal
 * digits. */

/* The caller's; `object` stays the caller's too. */
char *journal_line_format(sd_json_variant *object);
/* The object of a line of `length` bytes without its newline; NULL when it is not whole. The
 * caller's. */
sd_json_variant *journal_line_parse(const char *line, size_t length);

#endif
