/* The compositor's settings in portal.scfg: what they become, what wins, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compositor_config.h"
#include "config_text.h"

/* Reads text on top of the built-in settings; the message is without the directory. NULL: refused.
 */
static struct compositor_config *read_text(const char *text, char message[512]) {
	struct config_text written;
	config_text_init(&written, text);
	struct config_file file;
	struct config_error error = {0};
	struct compositor_config *config = compositor_config_create();
	assert_non_null(config);
	assert_true(config_file_load(&file, written.path, &error));
	if (!compositor_config_read(config, &file, &error)) {
		compositor_config_destroy(config);
		config = NULL;
	}
	config_file_finish(&file);
	config_text_finish(&written, &error, message);
	return config;
}

static struct compositor_config *read_good(const char *text) {
	char message[512];
	struct compositor_config *config = read_text(text, message);
	assert_string_equal(message, "");
	assert_non_null(config);
	return config;
}

static void expect_refusal(const char *text, const char *expected) {
	char message[512];
	assert_null(read_text(text, message));
	assert_string_equal(message, expected);
}

static const struct config_binding *find_binding(
	const struct compositor_config *config, uint32_t modifiers, const char *key) {
	const struct config_binding *found = NULL;
	for (size_t i = 0; i < config->bindings_len; i++) {
		const struct config_binding *binding = &config->bindings[i];
		if (binding->modifiers == modifiers && strcmp(binding->key, key) == 0) {
			assert_null(found);
			found = binding;
		}
	}
	return found;
}

static void test_without_a_file_everything_has_a_value(void **state) {
	struct compositor_config *config = read_good("");
	assert_int_equal(config->theme.border_width, 4);
	assert_int_equal(config->focus, CONFIG_FOCUS_CLICK);
	assert_int_equal(config->fullscreen_label, CONFIG_FULLSCREEN_LABEL_BORDER);
	assert_int_equal(config->keyboard.repeat_rate, 25);
	assert_string_equal(find_binding(config, CONFIG_MODIFIER_ALT, "F4")->action, "close");
	assert_null(compositor_config_label(config, "work"));
	compositor_config_destroy(config);
}

static void test_a_label_is_found_by_the_name_of_its_vm(void **state) {
	struct compositor_config *config =
		read_good("vm work {\n\tlabel \"At work\" \"#2e9e4f\"\n}\n"
			  "vm work2 {\n\tdomain other\n}\n");
	const struct config_vm *label = compositor_config_label(config, "work");
	assert_non_null(label);
	assert_string_equal(label->label, "At work");
	assert_int_equal(label->color, 0x2e9e4f);
	assert_null(compositor_config_label(config, "work2"));
	compositor_config_destroy(config);
}

static void test_a_later_binding_takes_the_place_of_an_earlier_one(void **state) {
	struct compositor_config *config = read_good("bind super+Q spawn \"foot -a b\"\n"
						     "bind Ctrl+Shift++ close\n"
						     "unbind Alt+Tab\n");
	const struct config_binding *binding = find_binding(config, CONFIG_MODIFIER_SUPER, "Q");
	assert_non_null(binding);
	assert_null(find_binding(config, CONFIG_MODIFIER_SUPER, "q"));
	assert_string_equal(binding->action, "spawn");
	assert_string_equal(binding->args[0], "foot -a b");
	assert_null(binding->args[1]);
	assert_non_null(find_binding(config, CONFIG_MODIFIER_CTRL | CONFIG_MODIFIER_SHIFT, "+"));
	assert_null(find_binding(config, CONFIG_MODIFIER_ALT, "Tab"));
	compositor_config_destroy(config);
}

static void test_all_bindings_can_be_forgotten(void **state) {
	struct compositor_config *config = read_good("unbind all\nbind F1 close\n");
	assert_int_equal(config->bindings_len, 1);
	assert_int_equal(config->bindings[0].modifiers, 0);
	assert_int_equal(config->bindings[0].line, 2);
	compositor_config_destroy(config);
}

static void test_an_output_has_mode_place_scale_and_transform(void **state) {
	struct compositor_config *config = read_good("output DP-1 {\n"
						     "\tmode custom 2560x1440@143.912Hz\n"
						     "\tposition -2560 0\n"
						     "\tscale 1.25\n"
						     "\ttransform flipped-90\n"
						     "\tadaptive-sync on\n"
						     "}\n"
						     "output * {\n\tenabled off\n}\n");
	assert_int_equal(config->outputs_len, 2);
	const struct config_output *output = &config->outputs[0];
	assert_string_equal(output->name, "DP-1");
	assert_int_equal(output->width, 2560);
	assert_int_equal(output->height, 1440);
	assert_int_equal(output->refresh, 143912);
	assert_true(output->custom_mode);
	assert_int_equal(output->x, -2560);
	assert_true(output->scale == 1.25);
	assert_int_equal(output->transform, 5); // WL_OUTPUT_TRANSFORM_FLIPPED_90
	assert_int_equal(output->adaptive_sync, 1);
	assert_int_equal(output->enabled, -1);
	assert_int_equal(config->outputs[1].enabled, 0);
	compositor_config_destroy(config);
}

static void test_devices_keep_what_is_not_said(void **state) {
	struct compositor_config *config = read_good("input \"*Touchpad*\" {\n"
						     "\ttap on\n"
						     "\taccel -0.5\n"
						     "\tscroll-method edge\n"
						     "}\n");
	const struct config_input *input = &config->inputs[0];
	assert_int_equal(input->tap, 1);
	assert_true(input->has_accel);
	assert_true(input->accel == -0.5);
	assert_int_equal(input->scroll_method, 2);
	assert_int_equal(input->natural_scroll, -1);
	assert_int_equal(input->click_method, -1);
	compositor_config_destroy(config);
}

static void test_a_border_can_be_thin_but_not_gone(void **state) {
	expect_refusal("theme {\n\tborder-width 0\n}\n",
		"portal.scfg:2: border-width: \"0\" is not a whole number from 1 to 32");
	expect_refusal("theme {\n\tpopup-border-width -1\n}\n",
		"portal.scfg:2: popup-border-width: \"-1\" is not a whole number from 1 to 32");
}

static void test_a_mistake_is_told_with_its_line(void **state) {
	expect_refusal("\n\nfocus sometimes\n",
		"portal.scfg:3: focus: \"sometimes\" is none of click, pointer");
	expect_refusal("vm a {\n\tlabel b red\n}\n",
		"portal.scfg:2: label: \"red\" is not a colour (#rrggbb)");
	expect_refusal("vm a {\n\tlable b \"#ffffff\"\n}\n",
		"portal.scfg:2: vm a has no \"lable\"; did you mean \"label\"?");
	expect_refusal("vm a\nvm a\n",
		"portal.scfg:2: a second block for vm a, the first is on line 1; make one of them");
	expect_refusal("bind Super+Q\n", "portal.scfg:1: bind wants at least 2 parameters");
	expect_refusal("output a {\n\tmode 10x\n}\n",
		"portal.scfg:2: mode: \"10x\" is not WIDTHxHEIGHT or WIDTHxHEIGHT@HERTZ");
	expect_refusal("output a {\n\tmode 10x10@0\n}\n",
		"portal.scfg:2: mode: \"10x10@0\" has no refresh rate up to 1000 Hz");
	expect_refusal("output a {\n\tscale nan\n}\n",
		"portal.scfg:2: scale: \"nan\" is not a number from 0.25 to 10");
	expect_refusal(
		"drag-modifiers Hyper\n", "portal.scfg:1: drag-modifiers: no modifier \"Hyper\"");
	expect_refusal(
		"keyboard {\n\trepeat 25\n}\n", "portal.scfg:2: repeat wants 2 parameters, not 1");
}

static void test_what_nobody_would_read_is_a_mistake(void **state) {
	expect_refusal("keyboard de\n",
		"portal.scfg:1: keyboard: \"de\" stands outside of the block; write keyboard { "
		"... }");
	expect_refusal("theme dark {\n}\n",
		"portal.scfg:1: theme: \"dark\" stands outside of the block; write theme { ... }");
	expect_refusal("focus click {\n\traise-on-focus off\n}\n",
		"portal.scfg:1: focus has no block; remove the braces");
}

static void test_a_file_that_is_no_plain_text_is_told_so(void **state) {
	expect_refusal("\xef\xbb\xbfkeyboard {\n}\n",
		"portal.scfg:1: the file begins with a byte order mark; save it without");
	expect_refusal("keyboard {\r\n\tlayout de\r\n}\r\n",
		"portal.scfg:1: lines end as on Windows, with a carriage return; save the file "
		"with Unix line ends");
	static const char *const wrong[] = {
		"\xe4", /* Latin-1 */
		"\x80", /* no first byte */
		"\xc0\xaf",
		"\xe0\x80\x80",
		"\xf0\x8f\xbf\xbf", /* overlong */
		"\xed\xa0\x80", /* a surrogate */
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", /* above U+10FFFF */
		"\xe2\x82",
		"\xf0\x9f\x98", /* cut off */
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[64];
		snprintf(text, sizeof(text), "vm a {\n\tlabel \"%s\" \"#123456\"\n}\n", wrong[i]);
		expect_refusal(text,
			"portal.scfg:2: this line is not UTF-8; save the file in that encoding");
	}
	/* The least and the most of each length. */
	compositor_config_destroy(read_good(
		"vm a {\n\tlabel \"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
		"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\" \"#123456\"\n}\n"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_file_everything_has_a_value),
		cmocka_unit_test(test_a_label_is_found_by_the_name_of_its_vm),
		cmocka_unit_test(test_a_later_binding_takes_the_place_of_an_earlier_one),
		cmocka_unit_test(test_all_bindings_can_be_forgotten),
		cmocka_unit_test(test_an_output_has_mode_place_scale_and_transform),
		cmocka_unit_test(test_devices_keep_what_is_not_said),
		cmocka_unit_test(test_a_border_can_be_thin_but_not_gone),
		cmocka_unit_test(test_a_mistake_is_told_with_its_line),
		cmocka_unit_test(test_what_nobody_would_read_is_a_mistake),
		cmocka_unit_test(test_a_file_that_is_no_plain_text_is_told_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
