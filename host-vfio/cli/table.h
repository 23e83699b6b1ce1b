#ifndef HOST_CLI_TABLE_H
#define HOST_CLI_TABLE_H

#include <stdio.h>

#include "base/strings.h"

/* Columns of text: padded to their widest cell; the last one goes on in the
 * next line where a terminal ends. */
struct table {
	size_t columns;
	struct strings cells;
};

/* `headings` are `columns` strings. */
void table_init(struct table *table, const char *const headings[], size_t columns);
void table_finish(struct table *table);
/* Adds the next cell of the row; rows follow each other by themselves. NULL is "-". */
void table_add(struct table *table, const char *text);
void table_print(const struct table *table, FILE *file);

#endif
