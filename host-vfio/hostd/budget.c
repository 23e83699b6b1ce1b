#include "hostd/budget.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/must.h"
#include "doctor/facts.h"
#include "hostd/guest_call.h"
#include "inventory/json.h"
#include "policy/scheme_json.h"

static char *history_path(const struct daemon *daemon) {
	return must_print("%s/heap-use.scfg", daemon->options->state);
}

static int load_history(const struct daemon *daemon, struct history *history, struct error *error) {
	char *path = history_path(daemon);
	int status = history_load(history, path, error);
	free(path);
	return status;
}

/* 0 when the machine does not say, which is more than any reserve leaves. */
static uint64_t total_memory(struct daemon *daemon) {
	struct facts facts;
	facts_read(&facts, daemon->tree);
	uint64_t total = facts.memory;
	facts_finish(&facts);
	return total;
}

static bool has_memory(int state) {
	return state == DOMAIN_RUNNING || state == DOMAIN_PAUSED || state == DOMAIN_STOPPING;
}

/* Which of the policy's other guests have their memory now, or will have in a moment; the caller's.
 */
static size_t find_running(
	const struct daemon *daemon, const char *except, struct scheme_running **running) {
	const struct memory_settings *settings = &daemon->policy.memory;
	size_t count = 0;
	*running = must_alloc(settings->guests_count + 1, sizeof(**running));
	for (size_t i = 0; i < settings->guests_count; i++) {
		const char *name = settings->guests[i].name;
		const struct domain_entry *entry =
			domains_find(&daemon->domains, policy_guest_domain(&daemon->policy, name));
		uint64_t heap = entry ? entry->heap_size : 0;
		if (strcmp(name, except) != 0 && (guest_is_starting(daemon, name, &heap) ||
							 (entry && has_memory(entry->state)))) {
			(*running)[count++] = (struct scheme_running){.guest = name, .heap = heap};
		}
	}
	return count;
}

int budget_check(struct daemon *daemon, const char *guest, uint64_t *heap, struct error *error) {
	const struct memory_settings *settings = &daemon->policy.memory;
	struct history history;
	char *reason = NULL;
	*heap = 0;
	if (!memory_settings_find(settings, guest)) {
		return 0;
	}
	if (load_history(daemon, &history, error) < 0) {
		return -1;
	}
	struct scheme_running *running;
	size_t count = find_running(daemon, guest, &running);
	int status = scheme_plan_start(settings, &history, total_memory(daemon), running, count,
		guest, heap, &reason, error);
	free(reason);
	free(running);
	history_finish(&history);
	return status;
}

int budget_report(struct daemon *daemon, const char *guest, uint64_t used, struct error *error) {
	char *path = history_path(daemon);
	int status = file_make_directory(daemon->options->state, 0755, error);
	if (status == 0) {
		status = history_record(path, guest, used, HISTORY_SINCE_LAST,
			daemon->policy.memory.half_life, error);
	}
	free(path);
	return status;
}

static sd_json_variant *plan_all(struct daemon *daemon, const struct history *history) {
	const struct memory_settings *settings = &daemon->policy.memory;
	sd_json_variant *object = NULL;
	struct scheme scheme;
	struct error error;
	int status = scheme_init(&scheme, settings, total_memory(daemon), NULL, 0, &error);
	for (size_t i = 0; status == 0 && i < settings->guests_count; i++) {
		scheme_add(&scheme, settings, history, &settings->guests[i]);
	}
	if (status == 0 && scheme_make(&scheme, settings, &error) == 0) {
		object = scheme_json(&scheme, history);
	} else {
		json_set_string(&object, "reason", error.text);
		json_set_number(&object, "budget", scheme.budget);
	}
	scheme_finish(&scheme);
	return object;
}

sd_json_variant *budget_json(struct daemon *daemon) {
	struct history history;
	struct error error;
	sd_json_variant *object = NULL;
	if (load_history(daemon, &history, &error) < 0) {
		json_set_string(&object, "reason", error.text);
		return object;
	}
	object = plan_all(daemon, &history);
	history_finish(&history);
	return object;
}
