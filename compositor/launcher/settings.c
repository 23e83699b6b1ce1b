#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "say.h"
#include "status.h"
#include "transport.h"

char *settings_own_path(void) {
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int length = config != NULL && config[0] == '/'
			     ? asprintf(&path, "%s/portal/portal.scfg", config)
			     : asprintf(&path, "%s/.config/portal/portal.scfg",
				       home != NULL ? home : "");
	return length < 0 ? NULL : path;
}

/* The forms of these two belong to the protocol, which the configuration's library does not know.
 */
static bool check_addresses(const struct settings *settings) {
	for (size_t i = 0; i < settings->vms.len; i++) {
		const struct config_vm *vm = &settings->vms.vms[i];
		struct portal_transport_address transport;
		struct portal_heap_address heap;
		const char *why;
		if (vm->transport != NULL &&
			portal_transport_parse(&transport, vm->transport, &why) < 0) {
			say("%s:%d: transport: \"%s\": %s", settings->path, vm->transport_line,
				vm->transport, why);
			return false;
		}
		if (vm->heap != NULL && portal_heap_parse(&heap, vm->heap, &why) < 0) {
			say("%s:%d: heap: \"%s\": %s", settings->path, vm->heap_line, vm->heap,
				why);
			return false;
		}
	}
	return true;
}

static int read_file(struct settings *settings) {
	struct config_file file;
	struct config_error error;
	if (!config_file_load(&file, settings->path, &error)) {
		return say_failure(RUN_CONFIG, "%s", error.message);
	}
	settings->exists = true;
	bool read = config_vms_read(&settings->vms, &file, &error);
	config_file_finish(&file);
	if (!read) {
		return say_failure(RUN_CONFIG, "%s", error.message);
	}
	return check_addresses(settings) ? RUN_OK : RUN_CONFIG;
}

int settings_load(struct settings *settings, const char *path) {
	*settings = (struct settings){0};
	settings->path = path != NULL ? strdup(path) : config_file_default_path();
	int status = RUN_OK;
	if (settings->path != NULL) {
		status = read_file(settings);
	} else {
		settings->path = settings_own_path();
	}
	if (status != RUN_OK) {
		settings_finish(settings);
	}
	return status;
}

void settings_finish(struct settings *settings) {
	config_vms_finish(&settings->vms);
	free(settings->path);
	*settings = (struct settings){0};
}

const struct config_vm *settings_need_vm(const struct settings *settings, const char *name) {
	const struct config_vm *vm = config_vms_find(&settings->vms, name);
	if (vm != NULL) {
		return vm;
	}
	const char **names = calloc(settings->vms.len + 1, sizeof(names[0]));
	for (size_t i = 0; names != NULL && i < settings->vms.len; i++) {
		names[i] = settings->vms.vms[i].name;
	}
	const char *nearest = names == NULL ? NULL : config_nearest(name, names);
	if (nearest != NULL) {
		say("%s has no vm %s; did you mean vm:%s?", settings->path, name, nearest);
	} else if (settings->exists) {
		say("%s has no vm %s; add a block \"vm %s { ... }\", or see portal-run --list",
			settings->path, name, name);
	} else {
		say("there is no %s, so there is no vm %s; see portal(5)", settings->path, name);
	}
	free(names);
	return NULL;
}

char *settings_key_path(const char *vm) {
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int length = data != NULL && data[0] == '/'
			     ? asprintf(&path, "%s/portal/%s.key", data, vm)
			     : asprintf(&path, "%s/.local/share/portal/%s.key",
				       home != NULL ? home : "", vm);
	return length < 0 ? NULL : path;
}

char *settings_find_key(const char *vm) {
	char *own = settings_key_path(vm), *handed_over = NULL;
	if (own == NULL || access(own, F_OK) == 0) {
		return own;
	}
	if (asprintf(&handed_over, SETTINGS_KEYS "/portal.key.%s", vm) >= 0 &&
		access(handed_over, F_OK) == 0) {
		free(own);
		return handed_over;
	}
	free(handed_over);
	return own;
}
