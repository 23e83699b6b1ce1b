#include "label.h"

#include <ctype.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_security_context_v1.h>

#include "compositor_config.h"
#include "server.h"

#define ENGINE_VM "org.portal.vm"

static const struct wlr_security_context_v1_state *lookup(
	struct server *server, const struct wl_client *client) {
	return wlr_security_context_manager_v1_lookup_client(
		server->globals.security_context, client);
}

static bool is_vm(const struct wlr_security_context_v1_state *state) {
	return state->sandbox_engine != NULL && strcmp(state->sandbox_engine, ENGINE_VM) == 0;
}

enum label_kind label_kind_of_client(struct server *server, const struct wl_client *client) {
	const struct wlr_security_context_v1_state *state = lookup(server, client);
	if (state == NULL) {
		return LABEL_LOCAL;
	}
	return is_vm(state) ? LABEL_VM : LABEL_SANDBOX;
}

void label_clean_name(char clean[LABEL_NAME_SIZE], const char *untrusted_name) {
	size_t length = 0;
	for (; untrusted_name[length] != '\0' && length < LABEL_NAME_SIZE - 1; length++) {
		unsigned char c = (unsigned char)untrusted_name[length];
		clean[length] = c < 0x80 && isprint(c) ? (char)c : '?';
	}
	clean[length] = '\0';
}

void label_clean_title(char title[], size_t size, const char *untrusted_title) {
	size_t used = 0;
	const char *end;
	size_t length = strnlen(untrusted_title, size * 4);
	g_utf8_validate(untrusted_title, (gssize)length, &end);
	for (const char *p = untrusted_title; p < end; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		GUnicodeType type = g_unichar_type(c);
		char encoded[6];
		// Format characters include the ones that reorder text.
		if (type == G_UNICODE_CONTROL || type == G_UNICODE_FORMAT ||
			type == G_UNICODE_LINE_SEPARATOR || type == G_UNICODE_PARAGRAPH_SEPARATOR) {
			c = ' ';
		}
		int count = g_unichar_to_utf8(c, encoded);
		if (used + (size_t)count >= size) {
			break;
		}
		memcpy(title + used, encoded, (size_t)count);
		used += (size_t)count;
	}
	title[used] = '\0';
}

/* The names of a context are chosen by the one who made it. */
static char *printable(const char *format, const char *untrusted_name) {
	char clean[LABEL_NAME_SIZE], *text = NULL;
	label_clean_name(clean, untrusted_name);
	return asprintf(&text, format, clean) < 0 ? NULL : text;
}

static void init_vm(struct label *label, const struct compositor_config *config, const char *vm) {
	label->vm = strdup(vm);
	const struct config_vm *configured = compositor_config_label(config, vm);
	if (configured != NULL) {
		label->kind = LABEL_VM;
		label->text = strdup(configured->label);
		label->color = configured->color;
		return;
	}
	/* No machine: an agent on this one, whose programs are as local as any, but say so. */
	if (strcmp(vm, CONFIG_VM_LOCAL) == 0) {
		label->kind = LABEL_VM;
		label->text = strdup(CONFIG_VM_LOCAL);
		return;
	}
	label->kind = LABEL_UNKNOWN_VM;
	label->text = printable(vm[0] == '\0' ? "VM without a name%s" : "no label: %s", vm);
	label->color = config->theme.unknown;
}

void label_init(struct label *label, struct server *server, const struct wl_client *client) {
	const struct compositor_config *config = server->config;
	const struct wlr_security_context_v1_state *state = lookup(server, client);
	*label = (struct label){.kind = LABEL_LOCAL, .color = config->theme.local};
	if (state == NULL) {
		return;
	}
	if (is_vm(state)) {
		init_vm(label, config, state->instance_id != NULL ? state->instance_id : "");
		return;
	}
	label->kind = LABEL_SANDBOX;
	const char *name = state->app_id != NULL ? state->app_id : state->sandbox_engine;
	label->text = printable("sandbox: %s", name != NULL ? name : "unnamed");
}

void label_finish(struct label *label) {
	free(label->text);
	free(label->vm);
	*label = (struct label){0};
}

bool label_equal(const struct label *a, const struct label *b) {
	if (a->kind != b->kind) {
		return false;
	}
	const char *first = a->vm != NULL ? a->vm : a->text;
	const char *second = b->vm != NULL ? b->vm : b->text;
	return first == second || (first != NULL && second != NULL && strcmp(first, second) == 0);
}
