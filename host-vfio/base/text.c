#include "base/text.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/must.h"

void text_init(struct text *text) {
	*text = (struct text){0};
	text->stream = must_have(open_memstream(&text->content, &text->size));
}

char *text_take(struct text *text) {
	/* Nothing but memory can run out here. */
	bool whole = fclose(text->stream) == 0;
	char *content = must_have(whole ? text->content : NULL);
	text->content = NULL;
	return content;
}

int text_replace_file(struct text *text, const char *path, mode_t mode, struct error *error) {
	char *content = text_take(text);
	int status = file_replace(path, content, text->size, mode, error);
	free(content);
	return status;
}
