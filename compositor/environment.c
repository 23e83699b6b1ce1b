#include "environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <wlr/util/log.h>

/* How long a daemon that does not answer may hold up the desktop, in microseconds. */
#define TIMEOUT 2000000

static const char *const names[] = {
	"WAYLAND_DISPLAY",
	"XDG_CURRENT_DESKTOP",
	"XDG_SESSION_TYPE",
	"XCURSOR_THEME",
	"XCURSOR_SIZE",
};

#define NAMES_LEN (sizeof(names) / sizeof(names[0]))

/* Sends a message and waits for the answer. RESULT: of making the message, negative errno. */
static void call(sd_bus *bus, sd_bus_message *message, int result, const char *whom) {
	sd_bus_error error = SD_BUS_ERROR_NULL;
	if (result >= 0) {
		// One that is not there is not to be started for this.
		result = sd_bus_message_set_auto_start(message, false);
	}
	if (result >= 0) {
		result = sd_bus_call(bus, message, TIMEOUT, &error, NULL);
	}
	if (result < 0) {
		wlr_log(WLR_INFO, "%s was not told the session's environment: %s", whom,
			error.message != NULL ? error.message : strerror(-result));
	}
	sd_bus_error_free(&error);
	sd_bus_message_unref(message);
}

/* D-Bus can only be told values: one that goes becomes empty. */
static int append_dictionary(sd_bus_message *message, bool set) {
	int result = sd_bus_message_open_container(message, 'a', "{ss}");
	for (size_t i = 0; i < NAMES_LEN && result >= 0; i++) {
		const char *value = getenv(names[i]);
		if (value != NULL) {
			result = sd_bus_message_append(message, "{ss}", names[i], set ? value : "");
		}
	}
	return result >= 0 ? sd_bus_message_close_container(message) : result;
}

static void tell_dbus(sd_bus *bus, bool set) {
	sd_bus_message *message = NULL;
	int result = sd_bus_message_new_method_call(bus, &message, "org.freedesktop.DBus",
		"/org/freedesktop/DBus", "org.freedesktop.DBus", "UpdateActivationEnvironment");
	if (result >= 0) {
		result = append_dictionary(message, set);
	}
	call(bus, message, result, "D-Bus");
}

/* "NAME=VALUE" for each variable, or the names alone. */
static int append_list(sd_bus_message *message, bool set) {
	int result = sd_bus_message_open_container(message, 'a', "s");
	for (size_t i = 0; i < NAMES_LEN && result >= 0; i++) {
		const char *value = getenv(names[i]);
		if (value == NULL) {
			continue;
		}
		result = set ? sd_bus_message_append_string_iovec(message,
				       (const struct iovec[]){{(void *)names[i], strlen(names[i])},
					       {(void *)"=", 1}, {(void *)value, strlen(value)}},
				       3)
			     : sd_bus_message_append(message, "s", names[i]);
	}
	return result >= 0 ? sd_bus_message_close_container(message) : result;
}

static void tell_systemd(sd_bus *bus, bool set) {
	sd_bus_message *message = NULL;
	int result = sd_bus_message_new_method_call(bus, &message, "org.freedesktop.systemd1",
		"/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
		set ? "SetEnvironment" : "UnsetEnvironment");
	if (result >= 0) {
		result = append_list(message, set);
	}
	call(bus, message, result, "systemd");
}

static void tell(bool set) {
	sd_bus *bus = NULL;
	int result = sd_bus_open_user(&bus);
	if (result < 0) {
		wlr_log(WLR_INFO, "no session bus to tell the environment to: %s",
			strerror(-result));
		return;
	}
	tell_dbus(bus, set);
	tell_systemd(bus, set);
	sd_bus_flush_close_unref(bus);
}

void environment_publish(void) {
	tell(true);
}

void environment_withdraw(void) {
	tell(false);
}
