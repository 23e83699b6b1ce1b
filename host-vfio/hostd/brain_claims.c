#include "hostd/brain-impl.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/must.h"
#include "hostd/definition.h"
#include "hostd/guest_call.h"
#include "hostd/host_interface.h"
#include "hostd/survey.h"

/* A hook that waits for its answer. */
struct claim {
	sd_varlink *call;
	char *vm;
	struct strings devices; /* in its definition */
	LIST_ENTRY(claim) link; /* brain.claims */
};

static void claim_free(struct claim *claim) {
	LIST_REMOVE(claim, link);
	sd_varlink_unref(claim->call);
	free(claim->vm);
	strings_finish(&claim->devices);
	free(claim);
}

/* It does not start, so it takes none. */
static void forget_memory(struct daemon *daemon, const char *vm) {
	const struct policy_vm *policy = policy_find_vm(&daemon->policy, vm);
	if (policy) {
		domains_release(&daemon->domains, policy->domain);
	}
}

/* `refusal` NULL: it may. */
static void answer_claim(struct brain *brain, const char *vm, const char *refusal) {
	struct claim *claim, *next;
	for (claim = LIST_FIRST(&brain->claims); claim; claim = next) {
		next = LIST_NEXT(claim, link);
		if (strcmp(claim->vm, vm) != 0) {
			continue;
		}
		say(refusal ? LOG_WARNING : LOG_NOTICE, "%s may %s%s%s", vm,
			refusal ? "not start" : "start", refusal ? ": " : "",
			refusal ? refusal : "");
		if (refusal) {
			forget_memory(brain->daemon, vm);
			guest_refuse(claim->call, HOST_INTERFACE, "Refused", "%s", refusal);
		} else {
			sd_varlink_reply(claim->call, NULL);
		}
		claim_free(claim);
	}
}

static char *find_stray(const struct brain *brain, const struct claim *claim) {
	const struct daemon *daemon = brain->daemon;
	struct decisions decisions;
	struct strings running = core_running(&brain->core);
	decide(&decisions, &daemon->policy, &daemon->known, &daemon->machine, &running);
	char *refusal = definition_find_stray(&decisions, claim->vm, &claim->devices);
	decisions_finish(&decisions);
	strings_finish(&running);
	return refusal;
}

static char *find_moved(const struct brain *brain, const struct claim *claim) {
	const struct daemon *daemon = brain->daemon;
	const struct policy_vm *vm = policy_find_vm(&daemon->policy, claim->vm);
	return definition_find_moved(
		&daemon->known, &daemon->machine, vm ? vm->domain : claim->vm, &claim->devices);
}

void brain_check_claims(struct brain *brain) {
	struct claim *claim, *next;
	for (claim = LIST_FIRST(&brain->claims); claim; claim = next) {
		next = LIST_NEXT(claim, link);
		char *refusal = find_moved(brain, claim);
		if (refusal) {
			char *vm = must_copy(claim->vm);
			answer_claim(brain, vm, refusal);
			core_released(&brain->core, vm);
			free(refusal);
			free(vm);
			next = LIST_FIRST(&brain->claims);
		}
	}
}

/* What is known of the machine may be old, or nothing. */
static char *find_blindness(const struct brain *brain) {
	const char *problem = survey_problem(brain->daemon);
	return problem ? must_print("the devices cannot be looked at: %s", problem) : NULL;
}

void brain_allow(struct brain *brain, const char *vm) {
	const struct claim *claim;
	char *refusal = find_blindness(brain);
	LIST_FOREACH(claim, &brain->claims, link) {
		if (!refusal && strcmp(claim->vm, vm) == 0) {
			refusal = find_stray(brain, claim);
		}
	}
	answer_claim(brain, vm, refusal);
	if (refusal) {
		core_released(&brain->core, vm);
		free(refusal);
	}
}

void brain_refuse(struct brain *brain, const char *vm, const char *reason) {
	answer_claim(brain, vm, reason);
}

void brain_claim(
	struct daemon *daemon, sd_varlink *link, const struct policy_vm *vm, char *const *devices) {
	struct claim *claim = must_alloc(1, sizeof(*claim));
	for (size_t i = 0; devices && devices[i]; i++) {
		strings_add(&claim->devices, devices[i]);
	}
	claim->call = sd_varlink_ref(link);
	claim->vm = must_copy(vm->name);
	LIST_INSERT_HEAD(&daemon->brain->claims, claim, link);
	core_claim(&daemon->brain->core, vm->name);
	survey_request(daemon);
}

bool brain_expects(const struct daemon *daemon, const struct policy_vm *vm) {
	const struct core_vm *core = core_find(&daemon->brain->core, vm->name);
	return core && core->state != CORE_OFF;
}

void brain_released(struct daemon *daemon, const struct policy_vm *vm) {
	core_released(&daemon->brain->core, vm->name);
	survey_request(daemon);
}

void brain_forget(struct daemon *daemon, const sd_varlink *link) {
	struct brain *brain = daemon->brain;
	struct claim *claim, *next;
	if (!brain) {
		return;
	}
	for (claim = LIST_FIRST(&brain->claims); claim; claim = next) {
		next = LIST_NEXT(claim, link);
		if (claim->call == link) {
			core_unclaim(&brain->core, claim->vm);
			claim_free(claim);
			survey_request(daemon);
		}
	}
}

void brain_claims_finish(struct brain *brain) {
	while (!LIST_EMPTY(&brain->claims)) {
		claim_free(LIST_FIRST(&brain->claims));
	}
}
