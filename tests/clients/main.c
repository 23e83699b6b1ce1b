/* test-client FEATURE [ARG…]: a deterministic Wayland client for each feature Portal carries.
 * See client.h for how it talks to the one who runs it. */
#include <stdio.h>
#include <string.h>

#include "feature.h"

static const struct {
	const char *name;
	void (*run)(struct client *client, int argc, char **argv);
} features[] = {
	{"formats", feature_formats},
	{"damage", feature_damage},
	{"scale", feature_scale},
	{"fractional", feature_fractional},
	{"transform", feature_transform},
	{"viewport", feature_viewport},
	{"subsurfaces", feature_subsurfaces},
	{"nested", feature_nested},
	{"regions", feature_regions},
	{"states", feature_states},
	{"decorations", feature_decorations},
	{"dialog", feature_dialog},
	{"menu", feature_menu},
	{"minimize", feature_minimize},
	{"geometry", feature_geometry},
	{"remap", feature_remap},
	{"rename", feature_rename},
	{"popups", feature_popups},
	{"grab", feature_grab},
	{"grabtwice", feature_grabtwice},
	{"cursor", feature_cursor},
	{"shapes", feature_shapes},
	{"events", feature_events},
	{"copy", feature_copy},
	{"paste", feature_paste},
	{"drag", feature_drag},
	{"pacing", feature_pacing},
	{"presentation", feature_presentation},
	{"many", feature_many},
	{"resize", feature_resize},
	{"intrude", feature_intrude},
	{"outputs", feature_outputs},
	{"activated", feature_activated},
	{"activation", feature_activation},
	{"constraint", feature_constraint},
	{"cursor-size", feature_cursor_size},
	{"idle", feature_idle},
	{"inhibit", feature_inhibit},
	{"layer", feature_layer},
	{"orders", feature_orders},
	{"power", feature_power},
	{"reposition", feature_reposition},
	{"stubborn", feature_stubborn},
	{"twiceparent", feature_twiceparent},
};

int main(int argc, char **argv) {
	const size_t count = sizeof(features) / sizeof(features[0]);
	for (size_t i = 0; argc >= 2 && i < count; i++) {
		if (strcmp(argv[1], features[i].name) == 0) {
			struct client client = {0};
			client_init(&client);
			features[i].run(&client, argc - 2, argv + 2);
			client_finish(&client);
			client_log("end");
			return 0;
		}
	}
	fprintf(stderr, "usage: test-client FEATURE [ARG...]\nfeatures:");
	for (size_t i = 0; i < count; i++) {
		fprintf(stderr, " %s", features[i].name);
	}
	fputc('\n', stderr);
	return 2;
}
