#include "heap_use.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/must.h"
#include "hostd/host_interface.h"
#include "tree/directory.h"

#define ANSWER_TIME UINT64_C(5000000) /* µs */

static const char *or_default(const char *variable, const char *otherwise) {
	const char *value = getenv(variable);
	return value != NULL && value[0] == '/' ? value : otherwise;
}

static const char *settings_path(void) {
	return or_default("PORTAL_HOST_CONFIG", "/etc/portal/host.scfg");
}

/* Of the host; the caller's. */
static char *host_history(void) {
	return must_print(
		"%s/heap-use.scfg", or_default("PORTAL_HOST_STATE", "/var/lib/portal/host"));
}

/* Of this user, for whom nobody keeps the host's; the caller's. NULL: no home either. */
static char *own_history(void) {
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (state != NULL && state[0] == '/') {
		return must_print("%s/portal/heap-use.scfg", state);
	}
	return home != NULL && home[0] == '/'
		       ? must_print("%s/.local/state/portal/heap-use.scfg", home)
		       : NULL;
}

static int make_directory_of(const char *path, struct error *error) {
	char *directory = must_copy(path);
	*strrchr(directory, '/') = '\0';
	int status = access(directory, F_OK) == 0 ? 0 : file_make_directory(directory, 0755, error);
	free(directory);
	return status;
}

static int record(const char *path, const char *guest, uint64_t bytes, long seconds,
	unsigned half_life, struct error *error) {
	return make_directory_of(path, error) < 0
		       ? -1
		       : history_record(path, guest, bytes, seconds, half_life, error);
}

/* portal-hostd keeps the host's history where it runs. */
static int tell_daemon(const char *guest, uint64_t bytes) {
	sd_varlink *link = NULL;
	const char *problem = NULL;
	if (sd_varlink_connect_address(&link, or_default("PORTAL_HOST_SOCKET", HOST_SOCKET)) < 0) {
		return -1;
	}
	sd_varlink_set_relative_timeout(link, ANSWER_TIME);
	int result = sd_varlink_callbo(link, HOST_INTERFACE ".ReportHeap", NULL, &problem,
		SD_JSON_BUILD_PAIR_STRING("guest", guest),
		SD_JSON_BUILD_PAIR_UNSIGNED("used", bytes));
	/* Whether this user may not, or the daemon cannot: the history is kept elsewhere then. */
	result = result < 0 || problem != NULL ? -1 : 0;
	sd_varlink_flush_close_unref(link);
	return result;
}

int heap_use_report(const char *guest, uint64_t bytes, long seconds, struct error *error) {
	struct memory_settings settings;
	if (memory_settings_load(&settings, settings_path(), error) < 0) {
		return -1;
	}
	unsigned half_life = settings.half_life;
	bool planned = memory_settings_find(&settings, guest) != NULL;
	memory_settings_finish(&settings);
	if (!planned || tell_daemon(guest, bytes) == 0) {
		return 0;
	}
	char *host = host_history(), *own = own_history();
	int status = record(host, guest, bytes, seconds, half_life, error);
	if (status < 0 && geteuid() != 0 && own != NULL) {
		status = record(own, guest, bytes, seconds, half_life, error);
	}
	free(host);
	free(own);
	return status;
}

/* The host's history, or the user's own where the host's does not know the guest. */
static int load_history(struct history *history, const char *guest, struct error *error) {
	char *paths[] = {host_history(), own_history()};
	int status = 0;
	*history = (struct history){0};
	for (size_t i = 0; i < 2 && status == 0 && history_find(history, guest) == NULL; i++) {
		history_finish(history);
		if (paths[i] != NULL) {
			status = history_load(history, paths[i], error);
		}
	}
	free(paths[0]);
	free(paths[1]);
	return status;
}

static void read_host(struct memory_host *host) {
	struct tree *tree = directory_tree_create("/");
	*host = (struct memory_host){0}; /* less than any reserve */
	if (tree != NULL) {
		memory_host_read(host, tree);
		tree_destroy(tree);
	}
}

int heap_use_plan(const struct scheme_running *running, size_t running_count,
	const struct scheme_start *start, uint64_t *heap, char **reason, struct error *error) {
	struct memory_settings settings;
	struct history history;
	struct memory_host host;
	if (memory_settings_load(&settings, settings_path(), error) < 0) {
		return -1;
	}
	int status = 0;
	if (memory_settings_find(&settings, start->name) != NULL) {
		status = load_history(&history, start->name, error);
		if (status == 0) {
			read_host(&host);
			status = scheme_plan_start(&settings, &history, &host, running,
				running_count, start, heap, reason, error);
			status = status < 0 ? -1 : 1;
		}
		history_finish(&history);
	}
	memory_settings_finish(&settings);
	return status;
}

int heap_use_check(const struct scheme_running *running, size_t running_count,
	const struct scheme_start *start, struct error *error) {
	struct memory_settings settings;
	if (memory_settings_load(&settings, settings_path(), error) < 0) {
		return -1;
	}
	int status = 0;
	if (memory_settings_find(&settings, start->name) != NULL) {
		struct memory_host host;
		read_host(&host);
		status = scheme_check_start(&settings, &host, running, running_count, start, error);
	}
	memory_settings_finish(&settings);
	return status;
}
