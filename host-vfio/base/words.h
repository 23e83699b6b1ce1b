#ifndef HOST_BASE_WORDS_H
#define HOST_BASE_WORDS_H

#include <stdbool.h>

/* Does a line, in which any of the characters of `separators` part the words, have this one? A
 * "word" that holds a separator is looked for as a whole. */
bool words_contain(const char *line, const char *word, const char *separators);

#endif
