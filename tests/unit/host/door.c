#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/limit.h"
#include "door_scene.h"

/* Calls and their answers. */

static void a_call_is_answered_when_there_is_an_answer(void **state) {
	struct door_scene *scene = *state;
	struct caller *caller = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	assert_true(caller->ready);
	door_caller_ask(caller, 7, PORTAL_CALL_STOP, "mail");
	door_caller_ask(caller, 8, PORTAL_CALL_LIST, NULL);
	door_scene_settle(scene);
	assert_int_equal(scene->open_count, 2);
	const struct door_call *call = door_request_get_call(scene->open[0]);
	assert_int_equal(call->untrusted_method, PORTAL_CALL_STOP);
	assert_string_equal(call->guest, "mail");
	assert_true(call->force);
	assert_int_equal(call->untrusted_value, 30);
	const struct portal_frame_guest guest = {.name = "mail", .state = PORTAL_GUEST_OFF};
	door_request_answer(scene->open[1], PORTAL_CALL_DONE, &guest, 1, NULL);
	door_scene_settle(scene);
	assert_string_equal(caller->answers, "8 0 1 mail\n");
	door_request_answer(scene->open[0], PORTAL_CALL_TIMEOUT, NULL, 0, "!");
	door_scene_settle(scene);
	assert_string_equal(caller->answers, "8 0 1 mail\n7 4 0!\n");
}

static void a_bridge_that_comes_to_the_door_is_told_so(void **state) {
	struct door_scene *scene = *state;
	struct caller *bridge = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_SHARED_HEAP);
	door_scene_settle(scene);
	assert_true(bridge->closed);
	assert_non_null(strstr(bridge->text, "not an agent"));
}

static void an_answer_for_one_who_has_gone_is_thrown_away(void **state) {
	struct door_scene *scene = *state;
	struct caller *caller = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	door_caller_ask(caller, 1, PORTAL_CALL_START, "mail");
	door_scene_settle(scene);
	door_caller_leave(caller);
	door_scene_settle(scene);
	door_request_answer(scene->open[0], PORTAL_CALL_DONE, NULL, 0, NULL);
	door_scene_settle(scene);
	struct caller *next = door_scene_call(scene, 1, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	assert_true(next->ready);
	assert_string_equal(next->answers, "");
}

static void of_one_who_has_gone_all_requests_are_forgotten_and_of_others_none(void **state) {
	struct door_scene *scene = *state;
	struct caller *caller = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	struct caller *other = door_scene_call(scene, 1, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	door_caller_ask(caller, 1, PORTAL_CALL_START, "mail");
	door_caller_ask(other, 1, PORTAL_CALL_STOP, "mail");
	door_caller_ask(caller, 2, PORTAL_CALL_LIST, NULL);
	door_scene_settle(scene);
	assert_int_equal(scene->open_count, 3);
	assert_int_equal(scene->forgotten, 0);
	door_caller_leave(caller);
	door_scene_settle(scene);
	assert_int_equal(scene->forgotten, 2);
	for (size_t i = 0; i < 3; i++) {
		door_request_answer(scene->open[i], PORTAL_CALL_DONE, NULL, 0, NULL);
	}
	door_scene_settle(scene);
	assert_string_equal(other->answers, "1 0 0\n");
}

static void a_request_outlives_the_door(void **state) {
	struct door_scene *scene = *state;
	struct caller *caller = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	door_caller_ask(caller, 1, PORTAL_CALL_START, "mail");
	door_scene_settle(scene);
	door_destroy(scene->door);
	scene->door = NULL;
	door_request_answer(scene->open[0], PORTAL_CALL_DONE, NULL, 0, NULL);
	door_scene_settle(scene);
	assert_true(caller->closed);
}

static void a_limit_gives_back_what_time_allows(void **state) {
	struct limit limit = {.most = 2, .interval = 10};
	assert_true(limit_take(&limit, 1000));
	assert_true(limit_take(&limit, 1000));
	assert_false(limit_take(&limit, 1009));
	assert_int_equal(limit_wait(&limit, 1009), 1);
	assert_true(limit_take(&limit, 1010));
	assert_false(limit_take(&limit, 1019));
	assert_true(limit_take(&limit, 5000));
	assert_true(limit_take(&limit, 5000));
	assert_false(limit_take(&limit, 5000));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		IN_DOOR_SCENE(a_call_is_answered_when_there_is_an_answer),
		IN_DOOR_SCENE(a_bridge_that_comes_to_the_door_is_told_so),
		IN_DOOR_SCENE(an_answer_for_one_who_has_gone_is_thrown_away),
		IN_DOOR_SCENE(of_one_who_has_gone_all_requests_are_forgotten_and_of_others_none),
		IN_DOOR_SCENE(a_request_outlives_the_door),
		cmocka_unit_test(a_limit_gives_back_what_time_allows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
