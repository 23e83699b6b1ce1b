#include "config_strv.h"

#include <stdlib.h>
#include <string.h>

bool config_strv_add(char ***list, const char *text) {
	size_t count = 0;
	while (*list != NULL && (*list)[count] != NULL) {
		count++;
	}
	char **grown = reallocarray(*list, count + 2, sizeof(*grown));
	if (grown == NULL) {
		return false;
	}
	*list = grown;
	grown[count] = strdup(text);
	grown[count + 1] = NULL;
	return grown[count] != NULL;
}

void config_strv_free(char **list) {
	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		free(list[i]);
	}
	free(list);
}
