#include "portalctl_table.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *text(sd_json_variant *object, const char *key) {
	sd_json_variant *value = sd_json_variant_by_key(object, key);
	return value != NULL && sd_json_variant_is_string(value) ? sd_json_variant_string(value)
								 : "-";
}

static int64_t number(sd_json_variant *object, const char *key) {
	return sd_json_variant_integer(sd_json_variant_by_key(object, key));
}

static bool is_set(sd_json_variant *object, const char *key) {
	return sd_json_variant_boolean(sd_json_variant_by_key(object, key));
}

/* WIDTHxHEIGHT+X+Y, as X11's tools write it */
static void format_box(char *out, size_t size, sd_json_variant *box) {
	snprintf(out, size, "%" PRId64 "x%" PRId64 "%+" PRId64 "%+" PRId64, number(box, "width"),
		number(box, "height"), number(box, "x"), number(box, "y"));
}

/* A terminal obeys control characters: titles come from applications, and from guests. */
static void print_untrusted(const char *untrusted_text) {
	for (const char *c = untrusted_text; *c != '\0'; c++) {
		bool control = (unsigned char)*c < 0x20 || *c == 0x7f ||
			       ((unsigned char)c[0] == 0xc2 && (unsigned char)c[1] < 0xa0);
		if (control) {
			putchar('?');
			c += (unsigned char)*c == 0xc2;
		} else {
			putchar(*c);
		}
	}
}

void portalctl_print_windows(sd_json_variant *windows) {
	size_t count = sd_json_variant_elements(windows);
	printf("%-4s %-12s %-16s %-20s %-10s %s\n", "ID", "VM", "LABEL", "GEOMETRY", "STATE",
		"TITLE");
	for (size_t i = 0; i < count; i++) {
		sd_json_variant *window = sd_json_variant_by_index(windows, i);
		char box[64], state[8] = "";
		format_box(box, sizeof(box), sd_json_variant_by_key(window, "box"));
		snprintf(state, sizeof(state), "%s%s%s%s", is_set(window, "focused") ? "*" : "",
			is_set(window, "maximized") ? "M" : "",
			is_set(window, "fullscreen") ? "F" : "",
			is_set(window, "minimized") ? "-" : "");
		const char *vm = text(window, "vm");
		printf("%-4" PRId64 " %-12s %-16s %-20s %-10s ", number(window, "id"),
			strcmp(vm, "-") == 0 ? text(window, "kind") : vm, text(window, "label"),
			box, state);
		print_untrusted(text(window, "title"));
		putchar('\n');
	}
}

void portalctl_print_outputs(sd_json_variant *outputs) {
	size_t count = sd_json_variant_elements(outputs);
	printf("%-12s %-20s %-18s %-6s %s\n", "NAME", "GEOMETRY", "MODE", "SCALE", "DESCRIPTION");
	for (size_t i = 0; i < count; i++) {
		sd_json_variant *output = sd_json_variant_by_index(outputs, i);
		char box[64], mode[64];
		format_box(box, sizeof(box), sd_json_variant_by_key(output, "box"));
		snprintf(mode, sizeof(mode), "%" PRId64 "x%" PRId64 "@%.2f",
			number(output, "width"), number(output, "height"),
			(double)number(output, "refresh") / 1000);
		printf("%-12s %-20s %-18s %-6g %s\n", text(output, "name"),
			is_set(output, "enabled") ? box : "off", mode,
			sd_json_variant_real(sd_json_variant_by_key(output, "scale")),
			text(output, "description"));
	}
}
