#ifndef PORTAL_LAUNCHER_SETTINGS_H
#define PORTAL_LAUNCHER_SETTINGS_H

#include "config_vm.h"

/* portal.scfg as portal-run sees it. */
struct settings {
	char *path; /* of the file that was read, or would be; NULL when there is no place for one
		     */
	bool exists;
	struct config_vms vms;
};

/*
 * Reads and checks the file; `path` NULL: the default one, whose absence is an empty configuration.
 * RUN_OK, or says what is wrong and returns RUN_CONFIG.
 */
int settings_load(struct settings *settings, const char *path);
void settings_finish(struct settings *settings);

/* The user's own file, which is read before the system's; owned by the caller, NULL when memory is
 * out. */
char *settings_own_path(void);

/* The guest of that name, or NULL after saying so, with the nearest name there is. */
const struct config_vm *settings_need_vm(const struct settings *settings, const char *name);

/* The default file of the guest's key; owned by the caller, NULL when memory is out. */
char *settings_key_path(const char *vm);
/* Where portal-keys.service puts the keys that a controller VM's host handed over: portal.door and
 * portal.key.NAME. */
#define SETTINGS_KEYS "/run/portal-keys"
/* The key of a VM for which portal.scfg names none: the default file, or where there is none the
 * key that was handed over. Owned by the caller, NULL when memory is out. */
char *settings_find_key(const char *vm);

#endif
