#include "controller.h"
#include <stddef.h>

int controller_start(struct controller *controller, struct agent *agent) {
	controller->agent = agent;
	return controller->impl->start(controller);
}

int controller_open(struct controller *controller, const char *name, struct link **link) {
	return controller->impl->open(controller, name, link);
}

void controller_flush(struct controller *controller) {
	controller->impl->flush(controller);
}

void controller_lost(struct controller *controller, int error) {
	controller->impl->lost(controller, error);
}

bool controller_clock_offset(struct controller *controller, int64_t *offset) {
	return controller->impl->clock_offset(controller, offset);
}

void controller_destroy(struct controller *controller) {
	if (controller != NULL) {
		controller->impl->destroy(controller);
	}
}
