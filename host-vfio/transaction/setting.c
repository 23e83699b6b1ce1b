#include "transaction/setting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#define CONSOLES "/sys/class/vtconsole"
#define DEVICES "/sys/bus/pci/devices"
#define PLATFORM "/sys/bus/platform"
#define AUTOPROBE "/sys/bus/pci/drivers_autoprobe"
#define MEM_SLEEP "/sys/power/mem_sleep"

const char *setting_console_name(const char *text) {
	/* "(M) " or "(S) ": whether the driver is a module or built in (vt.c, show_name). */
	return text[0] == '(' && strlen(text) > 4 ? text + 4 : text;
}

/* The vtconsole of a name; consoles are numbered anew whenever they come. The caller's. */
static char *find_console(struct tree *tree, const char *name) {
	struct strings names = tree_list(tree, CONSOLES);
	char *found = NULL;
	for (size_t i = 0; i < names.count && !found; i++) {
		char *text = tree_text(tree, CONSOLES "/%s/name", names.items[i]);
		if (text && strcmp(setting_console_name(text), name) == 0) {
			found = must_copy(names.items[i]);
		}
		free(text);
	}
	strings_finish(&names);
	errno = ENOENT;
	return found;
}

static char *read_console(struct tree *tree, const char *name) {
	char *console = find_console(tree, name);
	char *value = console ? tree_text(tree, CONSOLES "/%s/bind", console) : NULL;
	int saved = errno;
	free(console);
	errno = saved;
	return value;
}

static int write_console(struct tree *tree, const char *name, const char *value) {
	char *console = find_console(tree, name);
	if (!console) {
		return ENOENT;
	}
	int status = tree_write(tree, value, CONSOLES "/%s/bind", console) < 0 ? errno : 0;
	free(console);
	return status;
}

static char *read_framebuffer(struct tree *tree, const char *name) {
	if (!tree_exists(tree, PLATFORM "/devices/%s", name)) {
		errno = ENOENT;
		return NULL;
	}
	/* Through where it really is: the link in the bus's directory is no directory of a tree. */
	char *path = tree_target(tree, PLATFORM "/devices/%s", name);
	char *link = path ? tree_link(tree, "%s/driver", path) : NULL;
	char *driver = link ? must_copy(path_name(link)) : NULL;
	bool absent = !link && (errno == ENOENT || errno == ENODEV);
	free(link);
	free(path);
	return driver ? driver : absent ? must_copy("") : NULL;
}

static int write_framebuffer(struct tree *tree, const char *name, const char *value) {
	char *driver = value[0] ? must_copy(value) : read_framebuffer(tree, name);
	if (!driver) {
		return errno;
	}
	int status = tree_write(tree, name, PLATFORM "/drivers/%s/%s", driver,
			     value[0] ? "bind" : "unbind") < 0
			     ? errno
			     : 0;
	free(driver);
	return status;
}

/* "s2idle [deep]": the word in brackets. */
static char *read_mem_sleep(struct tree *tree) {
	char *text = tree_text(tree, MEM_SLEEP);
	char *open = text ? strchr(text, '[') : NULL, *close = open ? strchr(open, ']') : NULL;
	char *word = close ? must_print("%.*s", (int)(close - open - 1), open + 1) : NULL;
	int saved = text && !word ? ENOENT : errno;
	free(text);
	errno = saved;
	return word;
}

static char *read_unit(const struct step_host *host, const char *name) {
	bool active;
	int error = step_host_calls(host)->unit_state(name, &active, host->user);
	errno = error;
	return error ? NULL : must_copy(active ? "active" : "inactive");
}

char *setting_read(const struct step_host *host, enum setting_kind kind, const char *name) {
	switch (kind) {
	case SETTING_UNIT:
		return read_unit(host, name);
	case SETTING_CONSOLE:
		return read_console(host->tree, name);
	case SETTING_FRAMEBUFFER:
		return read_framebuffer(host->tree, name);
	case SETTING_AUTOPROBE:
		return tree_text(host->tree, AUTOPROBE);
	case SETTING_MEM_SLEEP:
		return read_mem_sleep(host->tree);
	case SETTING_POWER:
		return tree_text(host->tree, DEVICES "/%s/power/control", name);
	}
	errno = EINVAL;
	return NULL;
}

static int write_setting(
	const struct step_host *host, enum setting_kind kind, const char *name, const char *value) {
	int status = -1;
	switch (kind) {
	case SETTING_UNIT:
		return step_host_calls(host)->unit_set(
			name, strcmp(value, "active") == 0, host->user);
	case SETTING_CONSOLE:
		return write_console(host->tree, name, value);
	case SETTING_FRAMEBUFFER:
		return write_framebuffer(host->tree, name, value);
	case SETTING_AUTOPROBE:
		status = tree_write(host->tree, value, AUTOPROBE);
		break;
	case SETTING_MEM_SLEEP:
		status = tree_write(host->tree, value, MEM_SLEEP);
		break;
	case SETTING_POWER:
		status = tree_write(host->tree, value, DEVICES "/%s/power/control", name);
		break;
	}
	return status < 0 ? errno : 0;
}

/* 0: it is so. EPROTO: it is not. Or the errno of the reading. */
static int compare(
	const struct step_host *host, enum setting_kind kind, const char *name, const char *value) {
	char *now = setting_read(host, kind, name);
	int status = !now ? errno : strcmp(now, value) == 0 ? 0 : EPROTO;
	free(now);
	return status;
}

/* What is not there shows nothing, has no driver, and does not run. */
static bool is_off(enum setting_kind kind, const char *value) {
	switch (kind) {
	case SETTING_UNIT:
		return strcmp(value, "inactive") == 0;
	case SETTING_CONSOLE:
		return strcmp(value, "0") == 0;
	case SETTING_FRAMEBUFFER:
		return value[0] == '\0';
	case SETTING_AUTOPROBE:
	case SETTING_MEM_SLEEP:
	case SETTING_POWER:
		break;
	}
	return false;
}

int setting_write(
	const struct step_host *host, enum setting_kind kind, const char *name, const char *value) {
	int status = compare(host, kind, name, value);
	bool off = is_off(kind, value);
	if (status == ENOENT && off) {
		return 0;
	}
	if (status != EPROTO) {
		return status;
	}
	status = write_setting(host, kind, name, value);
	status = status ? status : compare(host, kind, name, value);
	/* A text console goes with its last framebuffer, a unit made for the moment with its end.
	 */
	return status == ENOENT && off ? 0 : status;
}
