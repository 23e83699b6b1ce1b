#ifndef HOST_CLI_TERMINAL_H
#define HOST_CLI_TERMINAL_H

#include <stddef.h>
#include <stdio.h>

/* The columns of the terminal that a stream goes to; 0 when it goes to none: nothing is cut there.
 */
size_t terminal_width(FILE *file);
/* Replaces what a terminal would act upon: names come from devices and other people's processes. In
 * place; returns the text. */
char *terminal_clean(char *text);
/* The columns that a paragraph is best read in: at most 80, fewer in a narrow terminal. */
size_t terminal_paragraph(FILE *file);
/* Prints words as lines of at most `width` columns; 0: one line. Those after the first begin with
 * `indent` spaces; the caller has printed as much before the first. */
void terminal_wrap(const char *text, size_t indent, size_t width, FILE *file);

#endif
