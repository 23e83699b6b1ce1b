#ifndef CONFIG_UTF8_H
#define CONFIG_UTF8_H

#include <stdbool.h>

bool utf8_is_whole(const char *text);
/* What is not whole UTF-8, as where a text was cut off, becomes question marks: JSON takes no
 * other. */
void utf8_make_whole(char *text);
/* So does what is no character to be seen, and would steer a terminal. */
void utf8_make_printable(char *text);

#endif
