#include "hostd/core-impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

static void replace(char **place, const char *text) {
	char *copy = must_copy(text);
	free(*place);
	*place = copy;
}

static void end_switch(struct core *core, char *problem) {
	core_answer(core, CORE_SWITCHED, NULL, problem);
	core->phase = CORE_STAY;
	core->force = core->killing = core->going_back = false;
	strings_finish(&core->left);
	replace(&core->target, NULL);
	replace(&core->problem, NULL);
	replace(&core->setback, NULL);
	for (size_t i = 0; i < core->vms_count; i++) {
		core->vms[i].asked = false;
	}
}

void core_switch(struct core *core, const char *target, bool force) {
	replace(&core->target, target);
	core->force = force;
	core->phase = CORE_LEAVE;
}

/* The next of those that were left is the target. */
static bool go_back(struct core *core) {
	while (core->left.count > 0) {
		struct core_vm *vm = core_find(core, core->left.items[0]);
		free(core->left.items[0]);
		memmove(core->left.items, core->left.items + 1,
			--core->left.count * sizeof(*core->left.items));
		if (vm && vm->state == CORE_OFF) {
			core->going_back = true;
			core->phase = CORE_ENTER;
			replace(&core->target, vm->name);
			core_set(core, vm, CORE_STARTING);
			return true;
		}
	}
	return false;
}

static void set_target_off(struct core *core, const char *problem) {
	struct core_vm *vm = core->target ? core_find(core, core->target) : NULL;
	if (!vm || vm->state != CORE_STARTING || vm->allowed) {
		return; /* one that libvirt is starting for somebody else goes on */
	}
	if (vm->claimed) {
		core_refuse(core, vm, must_copy(problem));
	} else {
		core_set(core, vm, CORE_OFF);
	}
}

void core_switch_failed(struct core *core, const struct core_view *view, const char *problem) {
	set_target_off(core, problem);
	if (core->going_back) {
		end_switch(core, must_print("%s; and there was no way back to %s: %s",
					 core->problem, core->target, problem));
		return;
	}
	replace(&core->problem, problem);
	if (!core->target || view->policy->stay_after_failed_switch || !go_back(core)) {
		end_switch(core, must_copy(problem));
	}
}

/* The new one runs, or the host has everything. */
static void succeed(struct core *core) {
	if (!core->going_back) {
		end_switch(core, NULL);
		return;
	}
	char *back = must_copy(core->target);
	if (!go_back(core)) {
		end_switch(core, must_print("%s; %s is back", core->problem, back));
	}
	free(back);
}

enum progress {
	IDLE, /* something has to happen first */
	AGAIN, /* it has come further: look again */
	ACT, /* there is an action */
};

static enum progress leave(
	struct core *core, const struct core_view *view, struct core_action *action) {
	struct core_vm *rival = core_find_rival(core, view, core->target, true, NULL);
	if (rival) {
		rival->asked = true;
		*action = (struct core_action){
			.kind = core->killing ? CORE_KILL : CORE_SHUTDOWN,
			.vm = must_copy(rival->name),
		};
		return ACT;
	}
	if (core_find_rival(core, view, core->target, false, NULL)) {
		return IDLE; /* it is shutting down */
	}
	core->phase = CORE_ENTER;
	struct core_vm *vm = core->target ? core_find(core, core->target) : NULL;
	if (vm && vm->state == CORE_OFF) {
		core_set(core, vm, CORE_STARTING);
	}
	return AGAIN;
}

static enum progress enter(
	struct core *core, const struct core_view *view, struct core_action *action) {
	struct core_vm *vm = core->target ? core_find(core, core->target) : NULL;
	if (core->changing) {
		return IDLE;
	}
	if (!vm && core_find_kept(core, view)) {
		return IDLE;
	}
	if (!vm && core->problem) {
		core->setback = core->problem;
		core->problem = NULL;
		return AGAIN;
	}
	if (!vm || vm->state == CORE_RUNNING) {
		succeed(core);
		return AGAIN;
	}
	if (vm->state != CORE_STARTING) {
		core_switch_failed(core, view, "it was stopped meanwhile");
		return AGAIN;
	}
	if (vm->claimed || vm->allowed || !core_is_ready(core, view, vm->name)) {
		return IDLE; /* somebody else is starting it, or it has to wait */
	}
	core->phase = CORE_LAUNCH;
	core_give_all(core, view, vm);
	*action = (struct core_action){.kind = CORE_START, .vm = must_copy(vm->name)};
	return ACT;
}

bool core_switch_next(struct core *core, const struct core_view *view, struct core_action *action) {
	enum progress progress = AGAIN;
	while (progress == AGAIN) {
		if (core->setback && core->phase != CORE_STAY) {
			char *problem = core->setback;
			core->setback = NULL;
			core_switch_failed(core, view, problem);
			free(problem);
		}
		progress = core->phase == CORE_LEAVE   ? leave(core, view, action)
			   : core->phase == CORE_ENTER ? enter(core, view, action)
						       : IDLE;
	}
	return progress == ACT;
}
