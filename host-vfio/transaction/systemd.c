#include "transaction/systemd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/must.h"

#define MANAGER                                                                                    \
	"org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
#define LOGIND "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"

/* What a unit's job came to. */
struct job {
	char *path;
	char *result; /* NULL: it runs */
	bool started; /* its path is known */
};

/* "UID/UNIT" is a unit of that user's manager, which lets root in at a socket of its own. Its name;
 * `bus` is connected to its manager. */
static int connect_manager(const char *unit, const char **name, sd_bus **bus) {
	const char *slash = strchr(unit, '/');
	*name = slash ? slash + 1 : unit;
	if (!slash) {
		int status = sd_bus_open_system(bus);
		return status < 0 ? -status : 0;
	}
	char address[128];
	snprintf(address, sizeof(address), "unix:path=/run/user/%.*s/systemd/private",
		(int)(slash - unit), unit);
	int status = sd_bus_new(bus);
	if (status >= 0) {
		status = sd_bus_set_address(*bus, address);
	}
	if (status >= 0) {
		status = sd_bus_start(*bus);
	}
	if (status < 0) {
		*bus = sd_bus_unref(*bus);
	}
	return status < 0 ? -status : 0;
}

/* What became of a call, as an errno. */
static int bus_errno(int status) {
	/* Nobody has the name on the bus. */
	bool absent = status == -EHOSTUNREACH || status == -ENXIO || status == -ECONNREFUSED;
	return status >= 0 ? 0 : absent ? ENOENT : -status;
}

static int get_property(sd_bus *bus, const char *path, const char *property, char **value) {
	return sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path,
		"org.freedesktop.systemd1.Unit", property, NULL, value);
}

/* systemd has an object for every name it is asked for, whether there is such a unit or not. */
static int read_state(sd_bus *bus, const char *name, bool *active) {
	sd_bus_message *reply = NULL;
	const char *path;
	char *loaded = NULL, *state = NULL;
	int status = sd_bus_call_method(bus, MANAGER, "LoadUnit", NULL, &reply, "s", name);
	if (status >= 0) {
		status = sd_bus_message_read(reply, "o", &path);
	}
	if (status >= 0) {
		status = get_property(bus, path, "ActiveState", &state);
	}
	if (status >= 0) {
		status = get_property(bus, path, "LoadState", &loaded);
	}
	if (status >= 0) {
		*active = strcmp(state, "inactive") != 0 && strcmp(state, "failed") != 0;
		status = !*active && strcmp(loaded, "not-found") == 0 ? -ENOENT : 0;
	}
	free(loaded);
	free(state);
	sd_bus_message_unref(reply);
	return bus_errno(status);
}

int systemd_unit_state(const char *unit, bool *active, void *user) {
	const char *name;
	sd_bus *bus = NULL;
	int error = connect_manager(unit, &name, &bus);
	if (error == 0) {
		error = read_state(bus, name, active);
	}
	sd_bus_flush_close_unref(bus);
	return error == ECONNREFUSED ? ENOENT : error;
}

/* JobRemoved(id, job, unit, result) */
static int handle_job_removed(sd_bus_message *message, void *data, sd_bus_error *error) {
	struct job *job = data;
	const char *path, *unit, *result;
	uint32_t id;
	if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) >= 0 && job->started &&
		strcmp(path, job->path) == 0) {
		free(job->result);
		job->result = must_copy(result);
	}
	return 0;
}

static int start_job(sd_bus *bus, const char *name, bool active, struct job *job) {
	sd_bus_message *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	const char *path;
	int status = sd_bus_match_signal(bus, NULL, NULL, NULL, "org.freedesktop.systemd1.Manager",
		"JobRemoved", handle_job_removed, job);
	if (status >= 0) {
		status = sd_bus_call_method(bus, MANAGER, "Subscribe", NULL, NULL, "");
	}
	if (status >= 0) {
		status = sd_bus_call_method(bus, MANAGER, active ? "StartUnit" : "StopUnit", &error,
			&reply, "ss", name, "replace");
	}
	/* One that was made for the moment, and went with it. */
	if (sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit")) {
		status = -ENOENT;
	}
	if (status >= 0) {
		status = sd_bus_message_read(reply, "o", &path);
	}
	if (status >= 0) {
		/* Signals that came before the answer wait in the bus's queue. */
		job->path = must_copy(path);
		job->started = true;
	}
	sd_bus_error_free(&error);
	sd_bus_message_unref(reply);
	return status;
}

int systemd_unit_set(const char *unit, bool active, void *user) {
	const char *name;
	sd_bus *bus = NULL;
	struct job job = {0};
	int error = connect_manager(unit, &name, &bus);
	if (error) {
		return error;
	}
	int status = start_job(bus, name, active, &job);
	while (status >= 0 && !job.result) {
		status = sd_bus_process(bus, NULL);
		if (status == 0) {
			status = sd_bus_wait(bus, UINT64_MAX);
		}
	}
	error = bus_errno(status);
	if (!error && strcmp(job.result, "done") != 0) {
		error = strcmp(job.result, "timeout") == 0 ? ETIMEDOUT : EIO;
	}
	free(job.path);
	free(job.result);
	sd_bus_flush_close_unref(bus);
	return error;
}

/* ListInhibitors: (what, who, why, mode, uid, pid) */
static int check_inhibitors(sd_bus_message *reply, struct error *reason) {
	const char *what, *who, *why, *mode;
	uint32_t uid, pid;
	int status = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "(ssssuu)");
	while (status >= 0) {
		status = sd_bus_message_read(
			reply, "(ssssuu)", &what, &who, &why, &mode, &uid, &pid);
		if (status <= 0) {
			break;
		}
		/* "block", and "block-weak" for whoever is not root's friend. */
		if (strstr(what, "sleep") && strncmp(mode, "block", 5) == 0) {
			error_set(reason, "%s (pid %u) does not want it: %s", who, pid, why);
			return EPERM;
		}
	}
	return bus_errno(status);
}

static int check_allowed(sd_bus *bus, struct error *reason) {
	sd_bus_message *reply = NULL;
	const char *answer = "";
	int status = sd_bus_call_method(bus, LOGIND, "CanSuspend", NULL, &reply, "");
	if (status >= 0) {
		status = sd_bus_message_read(reply, "s", &answer);
	}
	int error = bus_errno(status);
	if (!error && (strcmp(answer, "na") == 0 || strcmp(answer, "no") == 0)) {
		error_set(reason, "logind does not allow the machine to be suspended");
		error = EPERM;
	}
	sd_bus_message_unref(reply);
	return error;
}

int systemd_may_suspend(struct error *reason, void *user) {
	sd_bus *bus = NULL;
	sd_bus_message *reply = NULL;
	if (sd_bus_open_system(&bus) < 0) {
		return 0; /* no bus, so nobody who could object */
	}
	int status = sd_bus_call_method(bus, LOGIND, "ListInhibitors", NULL, &reply, "");
	int error = 0;
	if (status >= 0) {
		error = check_inhibitors(reply, reason);
		error = error ? error : check_allowed(bus, reason);
	} else if (bus_errno(status) != ENOENT) {
		error_set(reason, "logind cannot be asked: %s", strerror(-status));
		error = EPERM;
	}
	sd_bus_message_unref(reply);
	sd_bus_flush_close_unref(bus);
	return error;
}
