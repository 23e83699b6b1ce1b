#ifndef CONFIG_STRV_H
#define CONFIG_STRV_H

#include <stdbool.h>

/** Appends a copy of TEXT to a NULL terminated list (NULL: empty). False when memory is out. */
bool config_strv_add(char ***list, const char *text);
void config_strv_free(char **list);

#endif
