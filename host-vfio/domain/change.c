#include "domain/change.h"

#include <stdlib.h>

#include "domain/diff.h"
#include "domain/document.h"

/* FNV-1a: tells an accident from none, not an attack; whoever may edit domains needs none. */
static uint64_t hash(const char *text) {
	uint64_t value = UINT64_C(0xcbf29ce484222325);
	for (; *text != '\0'; text++) {
		value = (value ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	}
	return value;
}

int domain_change_prepare(struct domain_change *change, struct domain_manager *manager,
	const char *name, const struct domain_edit *edit, struct error *error) {
	*change = (struct domain_change){0};
	int result = domain_manager_get_definition(manager, name, &change->read, error);
	if (result == 0) {
		result = domain_manager_get_state(manager, name, &change->state, error);
	}
	if (result < 0) {
		domain_change_finish(change);
		return result;
	}
	xmlDoc *document = domain_document_parse(change->read, error);
	char *before = document == NULL ? NULL : domain_document_format(document);
	if (document == NULL || domain_edit_apply(document, edit, error) < 0) {
		result = DOMAIN_FAILURE_REFUSED;
		domain_change_finish(change);
	} else {
		change->after = domain_document_format(document);
		change->diff = diff_lines(before, change->after);
		change->token = hash(change->read);
	}
	free(before);
	xmlFreeDoc(document);
	return result;
}

int domain_change_commit(const struct domain_change *change, struct domain_manager *manager,
	const char *name, struct error *error) {
	return domain_manager_redefine(manager, name, change->read, change->after, error);
}

void domain_change_finish(struct domain_change *change) {
	free(change->read);
	free(change->after);
	free(change->diff);
	*change = (struct domain_change){0};
}
