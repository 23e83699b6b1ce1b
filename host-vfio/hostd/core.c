#include "hostd/core-impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

struct core_vm *core_find(const struct core *core, const char *name) {
	for (size_t i = 0; i < core->vms_count; i++) {
		if (strcmp(core->vms[i].name, name) == 0) {
			return &core->vms[i];
		}
	}
	return NULL;
}

static void finish_vms(struct core_vm *vms, size_t count) {
	for (size_t i = 0; i < count; i++) {
		free(vms[i].name);
		strings_finish(&vms[i].given);
		strings_finish(&vms[i].presumed);
	}
	free(vms);
}

void core_finish(struct core *core) {
	finish_vms(core->vms, core->vms_count);
	strings_finish(&core->failed);
	strings_finish(&core->apart);
	strings_finish(&core->attaching);
	strings_finish(&core->moving);
	strings_finish(&core->left);
	for (size_t i = 0; i < core->answers_count; i++) {
		free(core->answers[i].vm);
		free(core->answers[i].reason);
	}
	free(core->answers);
	free(core->target);
	free(core->problem);
	free(core->setback);
	*core = (struct core){0};
}

void core_action_finish(struct core_action *action) {
	free(action->vm);
	free(action->reason);
	strings_finish(&action->names);
	*action = (struct core_action){0};
}

void core_answer(struct core *core, enum core_action_kind kind, const char *vm, char *reason) {
	core->answers = must_grow(core->answers, core->answers_count, sizeof(*core->answers));
	core->answers[core->answers_count++] =
		(struct core_answer){.kind = kind, .vm = must_copy(vm), .reason = reason};
}

static bool take_answer(struct core *core, struct core_action *action) {
	if (core->answers_count == 0) {
		return false;
	}
	struct core_answer *first = &core->answers[0];
	*action =
		(struct core_action){.kind = first->kind, .vm = first->vm, .reason = first->reason};
	memmove(first, first + 1, --core->answers_count * sizeof(*first));
	return true;
}

/* What failed may go well now. */
void core_machine_changed(struct core *core) {
	strings_finish(&core->failed);
	strings_finish(&core->apart);
}

void core_set(struct core *core, struct core_vm *vm, enum core_vm_state state) {
	if (vm->state == state) {
		return;
	}
	if (vm->state == CORE_OFF) {
		vm->order = ++core->last_order;
	}
	if (state == CORE_OFF && vm->asked && core->phase == CORE_LEAVE) {
		strings_add(&core->left, vm->name);
	}
	if (state != CORE_STARTING) {
		vm->allowed = vm->claimed = false;
	}
	if (vm->state == CORE_OFF) {
		vm->found = state != CORE_STARTING;
	}
	if (state == CORE_OFF) {
		strings_finish(&vm->given);
		strings_finish(&vm->presumed);
	}
	vm->cut_off = false;
	vm->state = state;
	core_machine_changed(core);
}

void core_set_policy(struct core *core, const struct policy *policy) {
	struct core_vm *vms = must_alloc(policy->vms_count + 1, sizeof(*vms));
	for (size_t i = 0; i < policy->vms_count; i++) {
		struct core_vm *former = core_find(core, policy->vms[i].name);
		if (former) {
			vms[i] = *former;
			former->given = former->presumed = (struct strings){0};
		}
		vms[i].name = must_copy(policy->vms[i].name);
	}
	for (size_t i = 0; i < core->vms_count; i++) {
		const struct core_vm *former = &core->vms[i];
		if (former->claimed && !policy_find_vm(policy, former->name)) {
			core_answer(core, CORE_REFUSE, former->name,
				must_copy("the policy does not have it any more"));
		}
	}
	finish_vms(core->vms, core->vms_count);
	core->vms = vms;
	core->vms_count = policy->vms_count;
	if (core->target && !core_find(core, core->target)) {
		free(core->setback);
		core->setback = must_copy("the policy does not have it any more");
	}
	core_machine_changed(core);
}

void core_vm_is(struct core *core, const char *name, enum core_vm_state state) {
	struct core_vm *vm = core_find(core, name);
	if (!vm) {
		return;
	}
	/* That it does not run yet is no news of one that is being started. */
	bool starting = vm->state == CORE_STARTING && state == CORE_OFF;
	if (starting && vm->cut_off && vm->claimed) {
		core_refuse(core, vm, must_copy("libvirt went away meanwhile"));
	} else if (!starting || vm->cut_off) {
		core_set(core, vm, state);
	}
}

void core_states_known(struct core *core, bool known) {
	core->states_known = known;
	for (size_t i = 0; i < core->vms_count && !known; i++) {
		/* Not one that is still being made ready for a switch. */
		core->vms[i].cut_off |= core->vms[i].claimed || core->vms[i].allowed;
	}
}

void core_claim(struct core *core, const char *name) {
	struct core_vm *vm = core_find(core, name);
	if (!vm) {
		return;
	}
	bool target = core->target && strcmp(core->target, name) == 0;
	if (core->phase == CORE_LAUNCH && target) {
		core_answer(core, CORE_ALLOW, name, NULL);
		return;
	}
	core_set(core, vm, CORE_OFF); /* or else nobody could start it */
	core_set(core, vm, CORE_STARTING);
	vm->claimed = true;
}

void core_unclaim(struct core *core, const char *name) {
	struct core_vm *vm = core_find(core, name);
	if (vm && vm->claimed) {
		core_set(core, vm, CORE_OFF);
	}
}

void core_released(struct core *core, const char *name) {
	struct core_vm *vm = core_find(core, name);
	if (vm) {
		core_set(core, vm, CORE_OFF);
	}
	core_machine_changed(core);
}

void core_refuse(struct core *core, struct core_vm *vm, char *reason) {
	core_answer(core, CORE_REFUSE, vm->name, reason);
	vm->claimed = false;
	core_set(core, vm, CORE_OFF);
}

static bool is_target(const struct core *core, const char *name) {
	return core->phase != CORE_STAY && core->target && name && strcmp(core->target, name) == 0;
}

/* `names` NULL: of whichever. */
static void begin_change(struct core *core, const struct strings *names) {
	core->changing = true;
	core->moving_any = !names;
	for (size_t i = 0; names && i < names->count; i++) {
		strings_add(&core->moving, names->items[i]);
	}
}

static void end_change(struct core *core) {
	core->changing = core->moving_any = false;
	strings_finish(&core->moving);
}

void core_others_change(struct core *core, const struct strings *names) {
	begin_change(core, names);
}

void core_others_change_ended(struct core *core) {
	end_change(core);
}

void core_change_ended(struct core *core, const struct core_action *change, const char *problem) {
	end_change(core);
	if (!problem) {
		return;
	}
	for (size_t i = 0; i < change->names.count; i++) {
		strings_add(change->several ? &core->apart : &core->failed, change->names.items[i]);
	}
	if (change->several) {
		return;
	}
	/* What was taken all the same, before something else failed, goes back when the VM is off.
	 */
	struct core_vm *vm = change->vm ? core_find(core, change->vm) : NULL;
	if (vm && vm->claimed) {
		core_refuse(core, vm, must_copy(problem));
	} else if (is_target(core, change->vm)) {
		free(core->setback);
		core->setback = must_copy(problem);
	} else if (core->phase == CORE_ENTER && !core->target && !change->vm && !core->problem) {
		core->problem = must_copy(problem); /* said when all that can has returned */
	}
}

void core_start_ended(struct core *core, const char *name, const char *problem) {
	struct core_vm *vm = core_find(core, name);
	if (vm && problem && vm->state == CORE_STARTING) {
		core_set(core, vm, CORE_OFF);
	} else if (vm && !problem && vm->state == CORE_STARTING) {
		core_set(core, vm, CORE_RUNNING);
	}
	if (core->phase == CORE_LAUNCH && is_target(core, name)) {
		core->phase = CORE_ENTER;
		if (problem || !vm || vm->state == CORE_OFF) {
			free(core->setback);
			core->setback = must_print("%s did not start: %s", name,
				problem ? problem : "it ended at once");
		}
	}
}

void core_shutdown_ended(struct core *core, const char *name, const char *problem) {
	if (core->phase == CORE_LEAVE && problem) {
		free(core->setback);
		core->setback = must_print("%s does not shut down: %s", name, problem);
	}
}

static void time_out_switch(struct core *core, const struct core_view *view) {
	if (core->phase == CORE_LEAVE) {
		struct core_vm *rival = core_find_rival(core, view, core->target, false, NULL);
		if (core->force && !core->killing) {
			core->killing = true;
			for (size_t i = 0; i < core->vms_count; i++) {
				core->vms[i].asked = false;
			}
			return;
		}
		char *problem = must_print("%s has not shut down in time, and still runs",
			rival ? rival->name : "a controller");
		core_switch_failed(core, view, problem);
		free(problem);
	} else if (core->phase == CORE_ENTER) {
		core_switch_failed(core, view, "a device was not let go in time");
	}
}

void core_timeout(struct core *core, const struct core_view *view) {
	if (core->changing) {
		return; /* which has deadlines of its own */
	}
	time_out_switch(core, view);
	for (size_t i = 0; i < core->vms_count; i++) {
		struct core_vm *vm = &core->vms[i];
		if (vm->claimed) {
			core_refuse(core, vm, must_copy("its devices were not let go in time"));
		} else if (vm->allowed) {
			/* Nothing was heard of it. Should it come all the same, what it has open
			 * stays with it. */
			core_set(core, vm, CORE_OFF);
		}
	}
}

bool core_is_waiting(const struct core *core) {
	bool waiting = core->phase == CORE_LEAVE || core->phase == CORE_ENTER;
	for (size_t i = 0; i < core->vms_count; i++) {
		waiting |= core->vms[i].claimed || core->vms[i].allowed;
	}
	return waiting;
}

/* One that wants what another one has is not started beside it. */
static void refuse_rivals(struct core *core, const struct core_view *view) {
	for (size_t i = 0; i < core->vms_count; i++) {
		struct core_vm *vm = &core->vms[i];
		const struct policy_vm *policy = policy_find_vm(view->policy, vm->name);
		if (!vm->claimed || !policy || policy->role != POLICY_ROLE_CONTROLLER) {
			continue;
		}
		const char *device;
		const struct core_vm *rival = core_find_rival(core, view, vm->name, false, &device);
		if (core->phase != CORE_STAY && !is_target(core, vm->name)) {
			core_refuse(core, vm,
				must_print("the host is switching to %s",
					core->target ? core->target : "no controller"));
		} else if (rival) {
			core_refuse(core, vm,
				must_print("%s is with controller %s, which runs: \"portal-host "
					   "switch %s\" moves everything",
					device, rival->name, vm->name));
		}
	}
}

static bool next_change(
	struct core *core, const struct core_view *view, struct core_action *action) {
	/* What one leaves for the next is not given back in between. */
	bool passing = core->phase == CORE_LEAVE && core->target;
	if (core->states_known && !passing) {
		if (core_plan_return(core, view, action)) {
			return true;
		}
		core_action_finish(action);
	}
	for (size_t i = 0; i < core->vms_count; i++) {
		const struct core_vm *vm = &core->vms[i];
		if (vm->state != CORE_STARTING && vm->state != CORE_RUNNING) {
			continue;
		}
		if (core_plan_take(core, view, vm->name, action)) {
			action->vm = must_copy(vm->name);
			return true;
		}
		core_action_finish(action);
	}
	return false;
}

static bool allow_ready(
	struct core *core, const struct core_view *view, struct core_action *action) {
	for (size_t i = 0; i < core->vms_count; i++) {
		struct core_vm *vm = &core->vms[i];
		if (vm->claimed && core_is_ready(core, view, vm->name) &&
			(!core->changing || core_is_apart(core, view, vm->name))) {
			vm->claimed = false;
			vm->allowed = true;
			core_give_all(core, view, vm);
			*action =
				(struct core_action){.kind = CORE_ALLOW, .vm = must_copy(vm->name)};
			return true;
		}
	}
	return false;
}

bool core_next(struct core *core, const struct core_view *view, struct core_action *action) {
	*action = (struct core_action){0};
	if (!core->changing) {
		core_forget_lost(core, view);
	}
	refuse_rivals(core, view);
	/* Whoever waits hears it before anything follows from it. */
	if (take_answer(core, action) || core_switch_next(core, view, action) ||
		take_answer(core, action)) {
		return true;
	}
	if (core->changing) {
		return allow_ready(core, view, action);
	}
	if (next_change(core, view, action)) {
		begin_change(core, &action->names);
		return true;
	}
	if (allow_ready(core, view, action)) {
		return true;
	}
	core_action_finish(action);
	return core_plan_attach(core, view, action);
}
