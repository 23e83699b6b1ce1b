#include "transaction/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "inventory/json.h"

/* Takes the text over. */
static struct finding *add(struct findings *findings, bool blocks, char *text) {
	findings->items = must_grow(findings->items, findings->count, sizeof(*findings->items));
	struct finding *finding = &findings->items[findings->count++];
	*finding = (struct finding){.blocks = blocks, .text = text};
	return finding;
}

void findings_add(struct findings *findings, bool blocks, const char *format, ...) {
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0) {
		abort();
	}
	va_end(args);
	add(findings, blocks, text);
}

void findings_add_holder(struct findings *findings, bool blocks, const struct pci_device *device,
	const struct holder *holder) {
	char *subject = must_print("%s is in use: ", device->name);
	char *sentence = holder_sentence(holder);
	struct finding *finding = add(findings, blocks, must_print("%s%s", subject, sentence));
	finding->subject = strlen(subject);
	finding->pid = holder->kind == HOLDER_PROCESS ? holder->pid : 0;
	finding->vm = finding->pid != 0 && holder->through &&
		      strncmp(holder->through, "/dev/vfio/", 10) == 0;
	free(sentence);
	free(subject);
}

bool findings_block(const struct findings *findings) {
	for (size_t i = 0; i < findings->count; i++) {
		if (findings->items[i].blocks) {
			return true;
		}
	}
	return false;
}

/* A process has many nodes open. */
static bool is_told(const struct findings *findings, size_t index) {
	const struct finding *finding = &findings->items[index];
	for (size_t i = 0; i < index && finding->pid; i++) {
		if (findings->items[i].blocks && findings->items[i].pid == finding->pid) {
			return true;
		}
	}
	return false;
}

static bool same_subject(const struct finding *finding, const struct finding *other) {
	return other && finding->subject > 0 && finding->subject == other->subject &&
	       strncmp(finding->text, other->text, finding->subject) == 0;
}

/* False: there is no room for it, and for how many are left out. The first has room in any case. */
static bool tell(struct error *error, const char *separator, const char *text) {
	enum { FOR_THE_REST = sizeof("; and  more") + 20 };
	if (error->text[0] &&
		strlen(error->text) + strlen(separator) + strlen(text) + FOR_THE_REST >
			sizeof(error->text)) {
		return false;
	}
	strlcat(error->text, separator, sizeof(error->text));
	strlcat(error->text, text, sizeof(error->text));
	return true;
}

int findings_refuse(const struct findings *findings, struct error *error) {
	const struct finding *last = NULL;
	struct error told = {""};
	size_t left = 0;
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];
		if (!finding->blocks || is_told(findings, i)) {
			continue;
		}
		bool same = same_subject(finding, last);
		if (tell(&told,
			    !last  ? ""
			    : same ? ", "
				   : "; ",
			    finding->text + (same ? finding->subject : 0))) {
			last = finding;
		} else {
			left++;
		}
	}
	if (left > 0) {
		char *rest = must_print("; and %zu more", left);
		strlcat(told.text, rest, sizeof(told.text));
		free(rest);
	}
	return last ? error_set(error, "%s", told.text) : 0;
}

sd_json_variant *findings_json(const struct findings *findings) {
	sd_json_variant *array = json_array();
	for (size_t i = 0; i < findings->count; i++) {
		sd_json_variant *finding = NULL;
		json_set_flag(&finding, "blocks", findings->items[i].blocks);
		json_set_string(&finding, "text", findings->items[i].text);
		json_append(&array, finding);
	}
	return array;
}

void findings_finish(struct findings *findings) {
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->items[i].text);
	}
	free(findings->items);
	*findings = (struct findings){0};
}
