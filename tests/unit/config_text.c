#include "config_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void config_text_init(struct config_text *file, const char *text) {
	*file = (struct config_text){.directory = "/tmp/portal-config-XXXXXX"};
	assert_non_null(mkdtemp(file->directory));
	snprintf(file->path, sizeof(file->path), "%s/portal.scfg", file->directory);
	FILE *stream = fopen(file->path, "w");
	assert_non_null(stream);
	assert_true(fputs(text, stream) >= 0);
	assert_int_equal(fclose(stream), 0);
}

void config_text_finish(
	struct config_text *file, const struct config_error *error, char message[512]) {
	const char *start = strstr(error->message, "portal.scfg");
	snprintf(message, 512, "%s", start != NULL ? start : error->message);
	unlink(file->path);
	rmdir(file->directory);
}
