#ifndef HOST_SETUP_WORDS_H
#define HOST_SETUP_WORDS_H

#include <stdbool.h>

#include "base/strings.h"

/* Words of a kernel's command line, within the files that hold it. */

/* Where words are added, those are taken out that contradict them, such as "iommu=off" beside
 * "iommu=pt": they would count wherever they are. */

/* `line` with the words that it lacks: behind it, or inside the value where it is a shell
 * assignment (NAME="value"), which is quoted then. The caller's. */
char *words_add(const char *line, const struct strings *words);
/* The text with the words added to each line that starts like this, indented or not; the caller's.
 * NULL when none does. */
char *words_add_to_lines(const char *text, const char *start, const struct strings *words);
/* The text without what contradicts the words in the lines that start like this; the caller's. NULL
 * when there is nothing of the kind. */
char *words_clear_lines(const char *text, const char *start, const struct strings *words);
/* Adds the contradicting words that fewer lines of `after` have than of `before`, each once. */
void words_find_cleared(struct strings *cleared, const char *before, const char *after);
/* Do two texts have the same words in the same lines, whatever blanks are around these? */
bool words_same(const char *a, const char *b);

#endif
