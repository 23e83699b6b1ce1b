/* What a message of either side may be, and what is said of the rest. */
#include "wire_fixture.h"

static void test_a_client_can_make_a_window(void **state) {
	struct fixture *f = *state;
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", 8));
	assert_passes(
		request(f, ID_WM_BASE, PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE, "no", 9, 8));
	assert_passes(request(f, 9, PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL, "n", 10));
	assert_passes(request(f, 10, PORTAL_REQUEST_XDG_TOPLEVEL_SET_TITLE, "s", "hello"));
	assert_passes(request(f, 8, PORTAL_REQUEST_WL_SURFACE_COMMIT, ""));
	assert_passes(event(f, 10, PORTAL_EVENT_XDG_TOPLEVEL_CONFIGURE, "iia", 640, 480));
	assert_passes(event(f, 9, PORTAL_EVENT_XDG_SURFACE_CONFIGURE, "u", 1));
	assert_int_equal(f->info.interface, PORTAL_WIRE_XDG_SURFACE);
	assert_int_equal(f->info.object, 9);
}

static void test_a_size_is_not_known_before_the_header_is_there(void **state) {
	struct message m = {.size = 0};
	message_add(&m, 1, 0, "n", 2);
	for (size_t available = 0; available < PORTAL_WIRE_HEADER; available++) {
		assert_int_equal(portal_wire_size(m.data, available), 0);
	}
	assert_int_equal(portal_wire_size(m.data, PORTAL_WIRE_HEADER), 12);
}

static void test_sizes_no_message_can_have_are_refused(void **state) {
	static const uint32_t sizes[] = {0, 4, 7, 10, 4097, 4100, 65535};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t header[] = {1, sizes[i] << 16};
		assert_int_equal(portal_wire_size(header, sizeof(header)), -1);
	}
	uint32_t header[] = {1, 4096 << 16};
	assert_int_equal(portal_wire_size(header, sizeof(header)), 4096);
}

static void test_a_request_to_no_object_is_a_violation(void **state) {
	struct fixture *f = *state;
	assert_violation(f, request(f, 77, 3, ""), "request 3 to object 77: there is none");
	assert_violation(f, request(f, 0, 0, ""), "request 0 to object 0: there is none");
	assert_violation(
		f, request(f, 0xff000000, 0, ""), "request 0 to object 4278190080: there is none");
	assert_violation(
		f, event(f, 0xffffffff, 1, ""), "event 1 to object 4294967295: there is none");
}

static void test_an_opcode_the_interface_does_not_have_is_a_violation(void **state) {
	struct fixture *f = *state;
	assert_violation(
		f, request(f, ID_COMPOSITOR, 2, ""), "wl_compositor#3, request 2: no such message");
	assert_violation(
		f, event(f, ID_COMPOSITOR, 0, ""), "wl_compositor#3, event 0: no such message");
	assert_violation(
		f, request(f, ID_SEAT, 0xffff, ""), "wl_seat#5, request 65535: no such message");
}

static void test_a_message_newer_than_its_object_is_a_violation(void **state) {
	struct fixture *f = *state;
	assert_passes(event(
		f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", 7, "wl_compositor", 3));
	assert_passes(request(
		f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 7, "wl_compositor", 3, 8));
	assert_passes(request(f, 8, 0, "n", 9));
	assert_passes(request(f, 9, PORTAL_REQUEST_WL_SURFACE_SET_BUFFER_SCALE, "i", 2));
	assert_violation(f,
		request(f, 9, PORTAL_REQUEST_WL_SURFACE_DAMAGE_BUFFER, "iiii", 0, 0, 1, 1),
		"wl_surface#9.damage_buffer: is of version 4, the object of version 3");
}

static void test_a_message_shorter_than_its_signature_is_a_violation(void **state) {
	struct fixture *f = *state;
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", 8));
	assert_violation(f, request(f, 8, PORTAL_REQUEST_WL_SURFACE_DAMAGE, "iii", 0, 0, 1),
		"wl_surface#8.damage: the message is too short");
}

static void test_bytes_behind_the_arguments_are_a_violation(void **state) {
	struct fixture *f = *state;
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", 8));
	assert_violation(f, request(f, 8, PORTAL_REQUEST_WL_SURFACE_COMMIT, "uu", 1, 2),
		"wl_surface#8.commit: 8 bytes stand behind the arguments");
}

static void make_toplevel(struct fixture *f) {
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", 8));
	assert_passes(
		request(f, ID_WM_BASE, PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE, "no", 9, 8));
	assert_passes(request(f, 9, PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL, "n", 10));
}

static enum portal_wire_verdict set_title(
	struct fixture *f, uint32_t length, const char *bytes, size_t size) {
	struct message m = {.size = 0};
	message_begin(&m, 10, PORTAL_REQUEST_XDG_TOPLEVEL_SET_TITLE);
	message_word(&m, length);
	memcpy(m.data + m.size, bytes, size);
	m.size += size;
	message_end(&m);
	return feed(f, true, &m);
}

static void test_a_string_without_its_nul_is_a_violation(void **state) {
	struct fixture *f = *state;
	make_toplevel(f);
	assert_passes(set_title(f, 4, "abc", 4));
	assert_passes(set_title(f, 1, "\0\0\0", 4));
	assert_violation(f, set_title(f, 4, "abcd", 4),
		"xdg_toplevel#10.set_title: a string does not end at its only NUL");
	assert_violation(f, set_title(f, 3, "abc", 4),
		"xdg_toplevel#10.set_title: a string does not end at its only NUL");
	assert_violation(f, set_title(f, 8, "abc\0efg", 8),
		"xdg_toplevel#10.set_title: a string does not end at its only NUL");
}

static void test_a_string_longer_than_its_message_is_a_violation(void **state) {
	struct fixture *f = *state;
	make_toplevel(f);
	static const uint32_t lengths[] = {5, 4096, 0x7fffffff, 0xfffffffd, 0xffffffff};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		assert_violation(f, set_title(f, lengths[i], "abc", 4),
			"xdg_toplevel#10.set_title: an argument goes beyond the message's end");
	}
}

static void test_a_string_need_not_be_utf_8(void **state) {
	struct fixture *f = *state;
	make_toplevel(f);
	assert_passes(set_title(f, 4, "\xff\xfe\x80", 4));
}

static void test_null_where_the_protocol_forbids_it_is_a_violation(void **state) {
	struct fixture *f = *state;
	make_toplevel(f);
	assert_violation(f, request(f, 10, PORTAL_REQUEST_XDG_TOPLEVEL_SET_TITLE, "s", NULL),
		"xdg_toplevel#10.set_title: a string is null");
	assert_violation(f, request(f, 10, PORTAL_REQUEST_XDG_TOPLEVEL_MOVE, "ou", 0, 1),
		"xdg_toplevel#10.move: an object is null");
	assert_passes(request(f, 10, PORTAL_REQUEST_XDG_TOPLEVEL_SET_PARENT, "o", 0));
	assert_passes(request(f, 8, PORTAL_REQUEST_WL_SURFACE_ATTACH, "oii", 0, 0, 0));
}

static void test_an_array_longer_than_its_message_is_a_violation(void **state) {
	struct fixture *f = *state;
	make_toplevel(f);
	struct message m = {.size = 0};
	message_begin(&m, 10, PORTAL_EVENT_XDG_TOPLEVEL_CONFIGURE);
	message_word(&m, 1);
	message_word(&m, 1);
	message_word(&m, 0xfffffffe);
	message_end(&m);
	assert_violation(f, feed(f, false, &m),
		"xdg_toplevel#10.configure: an argument goes beyond the message's end");
}

static void test_an_argument_of_another_interface_is_a_violation(void **state) {
	struct fixture *f = *state;
	make_toplevel(f);
	assert_violation(f, request(f, 8, PORTAL_REQUEST_WL_SURFACE_ATTACH, "oii", ID_SHM, 0, 0),
		"wl_surface#8.attach: object 4 is a wl_shm, not a wl_buffer");
	assert_violation(f, request(f, 8, PORTAL_REQUEST_WL_SURFACE_ATTACH, "oii", 55, 0, 0),
		"wl_surface#8.attach: there is no object 55");
}

static void test_the_xml_files_alone_do_not_allow_an_interface(void **state) {
	static const char *const privileged[] = {
		"wl_data_device_manager",
		"wl_shell",
		"zwlr_layer_shell_v1",
		"ext_image_copy_capture_manager_v1",
		"zwlr_screencopy_manager_v1",
		"zwp_virtual_keyboard_manager_v1",
		"zwlr_virtual_pointer_manager_v1",
		"ext_session_lock_manager_v1",
		"ext_data_control_manager_v1",
		"zwlr_output_manager_v1",
		"wp_security_context_manager_v1",
		"zwp_linux_dmabuf_v1",
		"wp_drm_lease_device_v1",
		"ext_foreign_toplevel_list_v1",
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(privileged) / sizeof(privileged[0]); i++) {
		assert_hidden(event(f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", 50,
			privileged[i], 1));
	}
	assert_violation(f,
		request(f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 50,
			"zwlr_screencopy_manager_v1", 1, 8),
		"wl_registry#2.bind: global 50 was not offered");
}

static void test_an_interface_that_is_no_global_is_not_offered(void **state) {
	struct fixture *f = *state;
	assert_hidden(
		event(f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", 50, "wl_surface", 1));
	assert_hidden(
		event(f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", 51, "wl_seat", 0));
}

static void test_versions_are_capped(void **state) {
	struct fixture *f = *state;
	assert_passes(
		event(f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", 50, "wl_seat", 11));
	/* name, length, "wl_seat\0" */
	assert_int_equal(seen_word(f, 4), 9);
	assert_violation(f,
		request(f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 50, "wl_seat", 10,
			8),
		"wl_registry#2.bind: wl_seat is offered up to version 9, not 10");
}

static void test_a_bind_must_name_what_was_offered(void **state) {
	struct fixture *f = *state;
	assert_violation(f,
		request(f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 1, "wl_seat", 1,
			8),
		"wl_registry#2.bind: global 1 was not offered");
	assert_violation(f,
		request(f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", ID_SEAT + 100,
			"wl_output", 1, 8),
		"wl_registry#2.bind: global 105 is a wl_seat");
	assert_violation(f,
		request(f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", ID_SEAT + 100,
			"wl_seat", 0, 8),
		"wl_registry#2.bind: wl_seat is offered up to version 9, not 0");
}

static void test_a_bind_may_cross_the_removal_of_its_global(void **state) {
	struct fixture *f = *state;
	assert_hidden(event(f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL_REMOVE, "u", 9999));
	assert_passes(
		event(f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL_REMOVE, "u", ID_SEAT + 100));
	assert_passes(request(f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun",
		ID_SEAT + 100, "wl_seat", 9, 8));
}

static void test_globals_beyond_a_bound_are_hidden_until_others_go(void **state) {
	struct fixture *f = *state;
	uint32_t name = 1000;
	while (event(f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", name, "wl_output",
		       4) == PORTAL_WIRE_PASS) {
		name++;
		assert_true(name < 5000);
	}
	assert_passes(event(f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL_REMOVE, "u", 1500));
	assert_passes(event(
		f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", name, "wl_output", 4));
	assert_passes(request(
		f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", name, "wl_output", 4, 8));
	assert_violation(f,
		request(f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 1500, "wl_output",
			4, 9),
		"wl_registry#2.bind: global 1500 was not offered");
}

static void test_an_error_about_an_object_that_is_gone_reaches_the_client(void **state) {
	struct fixture *f = *state;
	assert_passes(event(f, ID_DISPLAY, PORTAL_EVENT_WL_DISPLAY_ERROR, "ous", 4000, 1, "no"));
	assert_int_equal(seen_word(f, 0), ID_DISPLAY);
	assert_passes(event(f, ID_DISPLAY, PORTAL_EVENT_WL_DISPLAY_ERROR, "ous", ID_SHM, 1, "no"));
	assert_int_equal(seen_word(f, 0), ID_SHM);
}

static void test_descriptors_are_described(void **state) {
	struct fixture *f = *state;
	assert_passes(request(f, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 8, 4096));
	assert_int_equal(f->info.n_fds, 1);
	assert_int_equal(f->info.fd_kinds[0], PORTAL_WIRE_FD_HEAP);
	assert_passes(request(f, ID_SEAT, PORTAL_REQUEST_WL_SEAT_GET_KEYBOARD, "n", 9));
	assert_int_equal(f->info.n_fds, 0);
	assert_passes(event(f, 9, PORTAL_EVENT_WL_KEYBOARD_KEYMAP, "uu", 1, 100));
	assert_int_equal(f->info.n_fds, 1);
	assert_int_equal(f->info.fd_kinds[0], PORTAL_WIRE_FD_BLOB);
}

static void test_an_error_is_one_printable_line(void **state) {
	struct fixture *f = *state;
	assert_int_equal(request(f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 105,
				 "evil\n\x1b[31m%s%n", 1, 8),
		PORTAL_WIRE_VIOLATION);
	for (const char *c = portal_wire_error(f->wire); *c != '\0'; c++) {
		assert_true(*c >= ' ' && *c <= '~');
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		T(test_a_client_can_make_a_window),
		T(test_a_size_is_not_known_before_the_header_is_there),
		T(test_sizes_no_message_can_have_are_refused),
		T(test_a_request_to_no_object_is_a_violation),
		T(test_an_opcode_the_interface_does_not_have_is_a_violation),
		T(test_a_message_newer_than_its_object_is_a_violation),
		T(test_a_message_shorter_than_its_signature_is_a_violation),
		T(test_bytes_behind_the_arguments_are_a_violation),
		T(test_a_string_without_its_nul_is_a_violation),
		T(test_a_string_longer_than_its_message_is_a_violation),
		T(test_a_string_need_not_be_utf_8),
		T(test_null_where_the_protocol_forbids_it_is_a_violation),
		T(test_an_array_longer_than_its_message_is_a_violation),
		T(test_an_argument_of_another_interface_is_a_violation),
		T(test_the_xml_files_alone_do_not_allow_an_interface),
		T(test_an_interface_that_is_no_global_is_not_offered),
		T(test_versions_are_capped),
		T(test_a_bind_must_name_what_was_offered),
		T(test_a_bind_may_cross_the_removal_of_its_global),
		T(test_globals_beyond_a_bound_are_hidden_until_others_go),
		T(test_an_error_about_an_object_that_is_gone_reaches_the_client),
		T(test_descriptors_are_described),
		T(test_an_error_is_one_printable_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
