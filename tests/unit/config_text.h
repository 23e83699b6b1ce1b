#ifndef TESTS_CONFIG_TEXT_H
#define TESTS_CONFIG_TEXT_H

#include "config_file.h"

/* A configuration file of its own for one text; it fails the test when it cannot be written. */
struct config_text {
	char directory[32], path[64];
};

void config_text_init(struct config_text *file, const char *text);
/* Removes it. The error's message without the directory goes to `message`. */
void config_text_finish(
	struct config_text *file, const struct config_error *error, char message[512]);

#endif
