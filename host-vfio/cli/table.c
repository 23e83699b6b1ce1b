#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/terminal.h"

enum { LAST_LEAST = 16 };

void table_init(struct table *table, const char *const headings[], size_t columns) {
	*table = (struct table){.columns = columns};
	for (size_t i = 0; i < columns; i++) {
		table_add(table, headings[i]);
	}
}

void table_finish(struct table *table) {
	strings_finish(&table->cells);
}

void table_add(struct table *table, const char *text) {
	strings_take(&table->cells, terminal_clean(must_copy(text && text[0] ? text : "-")));
}

void table_print(const struct table *table, FILE *file) {
	size_t *widths = must_alloc(table->columns, sizeof(*widths));
	for (size_t i = 0; i < table->cells.count; i++) {
		size_t width = strlen(table->cells.items[i]);
		if (width > widths[i % table->columns]) {
			widths[i % table->columns] = width;
		}
	}
	size_t width = terminal_width(file), used = 0;
	for (size_t i = 0; i + 1 < table->columns; i++) {
		used += widths[i] + 2;
	}
	/* In a terminal that is too narrow for the others, lines break as they may. */
	if (width < used + LAST_LEAST) {
		width = 0;
	}
	for (size_t i = 0; i < table->cells.count; i++) {
		size_t column = i % table->columns;
		if (column + 1 == table->columns) {
			terminal_wrap(table->cells.items[i], used, width, file);
		} else {
			fprintf(file, "%-*s  ", (int)widths[column], table->cells.items[i]);
		}
	}
	free(widths);
}
