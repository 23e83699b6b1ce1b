/* The vm blocks of portal.scfg: what is accepted, and what is said about the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_text.h"
#include "config_vm.h"

/* Reads text as a file of its own; the message is without the directory. */
static bool read_text(const char *text, struct config_vms *vms, char message[512]) {
	struct config_text written;
	config_text_init(&written, text);

	struct config_file file;
	struct config_error error = {0};
	bool ok = config_file_load(&file, written.path, &error);
	if (ok) {
		ok = config_vms_read(vms, &file, &error);
		config_file_finish(&file);
	}
	config_text_finish(&written, &error, message);
	return ok;
}

static void read_good(const char *text, struct config_vms *vms) {
	char message[512];
	bool ok = read_text(text, vms, message);
	assert_string_equal(message, "");
	assert_true(ok);
}

static void expect_refusal(const char *text, const char *expected) {
	struct config_vms vms = {0};
	char message[512];
	assert_false(read_text(text, &vms, message));
	assert_string_equal(message, expected);
	assert_null(vms.vms);
	assert_int_equal(vms.len, 0);
}

static void test_every_key_of_a_vm_is_read(void **state) {
	struct config_vms vms;
	read_good("vm firefox {\n"
		  "\tdomain portal-firefox\n"
		  "\turi qemu:///session\n"
		  "\tlabel \"Web, untrusted\" \"#Cc3300\"\n"
		  "\ttransport vsock-unix:/run/a:b.sock:7000\n"
		  "\theap file:/dev/shm/firefox\n"
		  "\theap-size 1G\n"
		  "\tkey /etc/portal/firefox.key\n"
		  "\tcommand firefox --no-remote \"a b\"\n"
		  "\tenv MOZ_ENABLE_WAYLAND 1\n"
		  "\tenv EMPTY \"\"\n"
		  "\tidle-stop 15\n"
		  "}\n",
		&vms);
	assert_int_equal(vms.len, 1);
	const struct config_vm *vm = config_vms_find(&vms, "firefox");
	assert_non_null(vm);
	assert_string_equal(vm->name, "firefox");
	assert_string_equal(vm->domain, "portal-firefox");
	assert_string_equal(vm->uri, "qemu:///session");
	assert_string_equal(vm->label, "Web, untrusted");
	assert_int_equal(vm->color, 0xcc3300);
	assert_string_equal(vm->transport, "vsock-unix:/run/a:b.sock:7000");
	assert_int_equal(vm->transport_line, 5);
	assert_string_equal(vm->heap, "file:/dev/shm/firefox");
	assert_int_equal(vm->heap_line, 6);
	assert_int_equal(vm->heap_size, UINT64_C(1) << 30);
	assert_string_equal(vm->key, "/etc/portal/firefox.key");
	assert_string_equal(vm->command[0], "firefox");
	assert_string_equal(vm->command[1], "--no-remote");
	assert_string_equal(vm->command[2], "a b");
	assert_null(vm->command[3]);
	assert_int_equal(vm->env_len, 2);
	assert_string_equal(vm->env[0].name, "MOZ_ENABLE_WAYLAND");
	assert_string_equal(vm->env[0].value, "1");
	assert_string_equal(vm->env[1].name, "EMPTY");
	assert_string_equal(vm->env[1].value, "");
	assert_int_equal(vm->idle_stop, 15);
	assert_int_equal(vm->line, 1);
	config_vms_finish(&vms);
}

static void test_an_empty_block_has_the_defaults(void **state) {
	struct config_vms vms;
	read_good("# nothing\n\nvm demo\n", &vms);
	const struct config_vm *vm = config_vms_find(&vms, "demo");
	assert_non_null(vm);
	assert_string_equal(vm->domain, "demo");
	assert_string_equal(vm->uri, geteuid() == 0 ? "qemu:///system" : "qemu:///session");
	assert_null(vm->label);
	assert_null(vm->transport);
	assert_null(vm->heap);
	assert_null(vm->key);
	assert_null(vm->command);
	assert_int_equal(vm->heap_size, 256 << 20);
	assert_int_equal(vm->idle_stop, 0);
	assert_int_equal(vm->line, 3);
	assert_null(config_vms_find(&vms, "dem"));
	config_vms_finish(&vms);
}

static void test_the_blocks_of_other_programs_are_left_to_them(void **state) {
	struct config_vms vms;
	read_good("output DP-1 {\n\tnonsense\n}\nvm demo\nfocus click\n", &vms);
	assert_int_equal(vms.len, 1);
	config_vms_finish(&vms);
}

static void test_a_vm_that_something_else_starts_has_no_uri(void **state) {
	struct config_vms vms;
	read_good("vm demo {\n\turi none\n}\n", &vms);
	assert_null(vms.vms[0].uri);
	config_vms_finish(&vms);
}

static void test_a_slip_in_a_name_is_answered_with_the_name(void **state) {
	expect_refusal("vm demo {\n\n\tlable x\n}\n",
		"portal.scfg:3: vm demo has no \"lable\"; did you mean \"label\"?");
	expect_refusal("vm demo {\n\tidle_stop 3\n}\n",
		"portal.scfg:2: vm demo has no \"idle_stop\"; did you mean \"idle-stop\"?");
	expect_refusal("\nvmm demo {\n}\n",
		"portal.scfg:2: the file has no \"vmm\"; did you mean \"vm\"?");
}

static void test_another_word_is_answered_with_the_words_there_are(void **state) {
	expect_refusal("vm demo {\n\tzebra x\n}\n",
		"portal.scfg:2: vm demo has no \"zebra\"; there are command, domain, env, heap, "
		"heap-size, idle-stop, key, label, transport, uri");
}

static void test_wrong_values_are_told_how_to_be_right(void **state) {
	expect_refusal("vm a {\n\tlabel x red\n}\n",
		"portal.scfg:2: label: \"red\" is not a colour (#rrggbb)");
	expect_refusal("vm a {\n\tlabel x\n}\n", "portal.scfg:2: label wants 2 parameters, not 1");
	expect_refusal("vm a {\n\tdomain \"\"\n}\n",
		"portal.scfg:2: domain is empty; write the name that `virsh list --all` shows");
	expect_refusal("vm a {\n\theap-size 12Q\n}\n",
		"portal.scfg:2: heap-size: \"12Q\" is not a size: a number with K, M or G, such as "
		"256M");
	expect_refusal("vm a {\n\theap-size 4M\n}\n",
		"portal.scfg:2: heap-size: 4M is too small for windows; write 16M or more");
	expect_refusal("vm a {\n\tkey k\n}\n",
		"portal.scfg:2: key: \"k\" is not an absolute path; begin it with /");
	expect_refusal("vm a {\n\turi system\n}\n",
		"portal.scfg:2: uri: \"system\" is not a libvirt connection; write qemu:///system, "
		"qemu:///session, or none for a guest that something else starts");
	expect_refusal("vm a {\n\tenv A=B c\n}\n",
		"portal.scfg:2: env: \"A=B\" is not the name of a variable; write env NAME VALUE");
	expect_refusal("vm a {\n\tidle-stop soon\n}\n",
		"portal.scfg:2: idle-stop: \"soon\" is not a whole number from 0 to 10080");
	expect_refusal("vm a {\n\tdomain x {\n\t\ty\n\t}\n}\n",
		"portal.scfg:2: domain has no block; remove the braces");
	expect_refusal("vm ../a\n", "portal.scfg:1: \"../a\" cannot be a vm's name; use up to 63 "
				    "letters, digits, dots, "
				    "dashes and underscores, a letter or digit first");
}

static void test_what_stands_twice_is_refused(void **state) {
	expect_refusal("vm a {\n\tdomain x\n\tdomain y\n}\n",
		"portal.scfg:3: domain stands a second time, the first is on line 2; keep one of "
		"them");
	expect_refusal("vm a {\n\tlabel x \"#123456\"\n}\nvm b\nvm a\n",
		"portal.scfg:5: a second block for vm a, the first is on line 1; make one of them");
}

static void test_the_local_guest_has_a_label_but_no_domain(void **state) {
	struct config_vms vms;
	read_good("vm local {\n\tlabel Here \"#00ff00\"\n\theap-size 64M\n}\n", &vms);
	assert_string_equal(vms.vms[0].label, "Here");
	config_vms_finish(&vms);
	expect_refusal("vm local {\n\tdomain x\n}\n",
		"portal.scfg:2: vm local is the agent on this machine and has no domain; remove "
		"the "
		"line, or give the virtual machine another name");
}

static void test_a_syntax_error_has_its_line(void **state) {
	expect_refusal("vm a {\n\tlabel \"x\n}\n",
		"portal.scfg:2: not valid scfg; look for a missing quote or brace here or above");
	expect_refusal("vm a\n}\n",
		"portal.scfg:2: not valid scfg; look for a missing quote or brace here or above");
	expect_refusal("vm a {\n\turi none\n",
		"portal.scfg:2: not valid scfg; look for a missing quote or brace here or above");
}

static void test_sizes_have_binary_suffixes(void **state) {
	uint64_t bytes = 0;
	assert_true(config_parse_size("1", &bytes));
	assert_int_equal(bytes, 1);
	assert_true(config_parse_size("3k", &bytes));
	assert_int_equal(bytes, 3072);
	assert_true(config_parse_size("2G", &bytes));
	assert_int_equal(bytes, UINT64_C(2) << 30);
	static const char *const wrong[] = {"", "M", "-1", "+1", " 1", "0", "0M", "1.5G", "1MB",
		"1 M", "18446744073709551616", "99999999999G", "0x10"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		bytes = 7;
		assert_false(config_parse_size(wrong[i], &bytes));
		assert_int_equal(bytes, 7);
	}
}

static void test_names_that_could_leave_their_directory_are_refused(void **state) {
	assert_true(config_vm_name_valid("a"));
	assert_true(config_vm_name_valid("work-2.b_c"));
	assert_false(config_vm_name_valid(""));
	assert_false(config_vm_name_valid(".."));
	assert_false(config_vm_name_valid("a/b"));
	assert_false(config_vm_name_valid("-a"));
	assert_false(config_vm_name_valid("a b"));
	assert_false(config_vm_name_valid("\xc3\xa9t\xc3\xa9"));
	char name[65] = {0};
	memset(name, 'a', 63);
	assert_true(config_vm_name_valid(name));
	name[63] = 'a';
	assert_false(config_vm_name_valid(name));
}

static void test_the_nearest_name_is_a_slip_away(void **state) {
	static const char *const names[] = {"heap", "heap-size", "env", NULL};
	assert_string_equal(config_nearest("haep", names), "heap");
	assert_string_equal(config_nearest("heapsize", names), "heap-size");
	assert_string_equal(config_nearest("evn", names), "env");
	assert_null(config_nearest("output", names));
	assert_null(config_nearest("transport", names));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_of_a_vm_is_read),
		cmocka_unit_test(test_an_empty_block_has_the_defaults),
		cmocka_unit_test(test_the_blocks_of_other_programs_are_left_to_them),
		cmocka_unit_test(test_a_vm_that_something_else_starts_has_no_uri),
		cmocka_unit_test(test_a_slip_in_a_name_is_answered_with_the_name),
		cmocka_unit_test(test_another_word_is_answered_with_the_words_there_are),
		cmocka_unit_test(test_wrong_values_are_told_how_to_be_right),
		cmocka_unit_test(test_what_stands_twice_is_refused),
		cmocka_unit_test(test_the_local_guest_has_a_label_but_no_domain),
		cmocka_unit_test(test_a_syntax_error_has_its_line),
		cmocka_unit_test(test_sizes_have_binary_suffixes),
		cmocka_unit_test(test_names_that_could_leave_their_directory_are_refused),
		cmocka_unit_test(test_the_nearest_name_is_a_slip_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
