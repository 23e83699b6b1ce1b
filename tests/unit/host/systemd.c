#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cmocka.h>

#include "transaction/systemd.h"

/* A bus of its own, and a process that answers on it as systemd and logind would. */

#define UNIT_PATH "/org/freedesktop/systemd1/unit/gdm"
#define ABSENT_PATH "/org/freedesktop/systemd1/unit/other"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"

/* What the stand-in is like. */
struct scene {
	const char *result; /* of every job */
	const char *inhibits; /* what is inhibited; NULL: nothing */
	const char *mode;
	const char *can_suspend;
	bool active; /* the one unit there is */
};

struct bus {
	pid_t daemon, manager;
};

static int load_unit(sd_bus_message *message, void *data, sd_bus_error *error) {
	const char *name;
	int status = sd_bus_message_read(message, "s", &name);
	bool there = status >= 0 && strcmp(name, "gdm.service") == 0;
	return sd_bus_reply_method_return(message, "o", there ? UNIT_PATH : ABSENT_PATH);
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error) {
	const struct scene *scene = data;
	bool active = scene->active && strcmp(path, UNIT_PATH) == 0;
	return sd_bus_message_append(reply, "s", active ? "active" : "inactive");
}

static int get_loaded(sd_bus *bus, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error) {
	bool there = strcmp(path, UNIT_PATH) == 0;
	return sd_bus_message_append(reply, "s", there ? "loaded" : "not-found");
}

/* The signal that the job is over goes out before the answer that names the job. */
static int run_job(sd_bus_message *message, struct scene *scene, bool active, sd_bus_error *error) {
	static uint32_t number;
	char path[64];
	const char *name, *mode;
	int status = sd_bus_message_read(message, "ss", &name, &mode);
	if (status < 0) {
		return status;
	}
	if (strcmp(name, "gdm.service") != 0) {
		return sd_bus_error_setf(
			error, "org.freedesktop.systemd1.NoSuchUnit", "Unit %s not found.", name);
	}
	snprintf(path, sizeof(path), "/org/freedesktop/systemd1/job/%u", ++number);
	if (strcmp(scene->result, "done") == 0) {
		scene->active = active;
	}
	sd_bus *bus = sd_bus_message_get_bus(message);
	/* Somebody else's job is none of ours. */
	sd_bus_emit_signal(bus, MANAGER_PATH, MANAGER, "JobRemoved", "uoss", 4711u,
		"/org/freedesktop/systemd1/job/4711", "other.service", "canceled");
	sd_bus_emit_signal(bus, MANAGER_PATH, MANAGER, "JobRemoved", "uoss", number, path, name,
		scene->result);
	return sd_bus_reply_method_return(message, "o", path);
}

static int start_unit(sd_bus_message *message, void *data, sd_bus_error *error) {
	return run_job(message, data, true, error);
}

static int stop_unit(sd_bus_message *message, void *data, sd_bus_error *error) {
	return run_job(message, data, false, error);
}

static int subscribe(sd_bus_message *message, void *data, sd_bus_error *error) {
	return sd_bus_reply_method_return(message, "");
}

static int list_inhibitors(sd_bus_message *message, void *data, sd_bus_error *error) {
	const struct scene *scene = data;
	if (!scene->inhibits) {
		return sd_bus_reply_method_return(message, "a(ssssuu)", 0);
	}
	return sd_bus_reply_method_return(message, "a(ssssuu)", 2, "handle-lid-switch", "upower",
		"watches the lid", "block", 0u, 1u, scene->inhibits, "packagekit",
		"installs updates", scene->mode, 0u, 77u);
}

static int can_suspend(sd_bus_message *message, void *data, sd_bus_error *error) {
	return sd_bus_reply_method_return(message, "s", ((const struct scene *)data)->can_suspend);
}

static const sd_bus_vtable manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("LoadUnit", "s", "o", load_unit, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("StartUnit", "ss", "o", start_unit, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("StopUnit", "ss", "o", stop_unit, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Subscribe", "", "", subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable unit_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("ActiveState", "s", get_state, 0, 0),
	SD_BUS_PROPERTY("LoadState", "s", get_loaded, 0, 0),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable login_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD(
		"ListInhibitors", "", "a(ssssuu)", list_inhibitors, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("CanSuspend", "", "s", can_suspend, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

/* Never returns. Says a byte through `ready` when it can be called. */
static void be_manager(struct scene *scene, int ready) {
	sd_bus *bus = NULL;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sd_bus_open_system(&bus) < 0 ||
		sd_bus_add_object_vtable(bus, NULL, MANAGER_PATH, MANAGER, manager_vtable, scene) <
			0 ||
		sd_bus_add_object_vtable(bus, NULL, UNIT_PATH, "org.freedesktop.systemd1.Unit",
			unit_vtable, scene) < 0 ||
		sd_bus_add_object_vtable(bus, NULL, ABSENT_PATH, "org.freedesktop.systemd1.Unit",
			unit_vtable, scene) < 0 ||
		sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/login1",
			"org.freedesktop.login1.Manager", login_vtable, scene) < 0 ||
		sd_bus_request_name(bus, "org.freedesktop.systemd1", 0) < 0 ||
		sd_bus_request_name(bus, "org.freedesktop.login1", 0) < 0 ||
		write(ready, "", 1) != 1) {
		_exit(1);
	}
	while (sd_bus_process(bus, NULL) > 0 || sd_bus_wait(bus, UINT64_MAX) >= 0) {
	}
	_exit(1);
}

/* A bus that starts nothing by itself. */
static const char configuration[] =
	"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
	" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
	"<busconfig><listen>unix:tmpdir=/tmp</listen><policy context=\"default\">"
	"<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>"
	"<allow own=\"*\"/></policy></busconfig>\n";

static pid_t start_daemon(void) {
	char path[] = "/tmp/host-bus-XXXXXX", argument[64];
	int fd = mkstemp(path);
	assert_int_equal(write(fd, configuration, strlen(configuration)), strlen(configuration));
	close(fd);
	snprintf(argument, sizeof(argument), "--config-file=%s", path);
	int out[2];
	char address[256] = "";
	assert_int_equal(pipe(out), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		execlp("dbus-daemon", "dbus-daemon", argument, "--nofork", "--nopidfile",
			"--print-address=1", (char *)NULL);
		_exit(1);
	}
	close(out[1]);
	size_t length = 0;
	while (length < sizeof(address) - 1 && !memchr(address, '\n', length)) {
		ssize_t got = read(out[0], address + length, sizeof(address) - 1 - length);
		assert_true(got > 0);
		length += (size_t)got;
	}
	close(out[0]);
	unlink(path);
	*strchr(address, '\n') = '\0';
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	return pid;
}

/* `scene` NULL: a bus on which nobody is. */
static struct bus begin(struct scene *scene) {
	struct bus bus = {.daemon = start_daemon(), .manager = -1};
	int ready[2];
	char byte;
	if (!scene) {
		return bus;
	}
	assert_int_equal(pipe(ready), 0);
	bus.manager = fork();
	assert_true(bus.manager >= 0);
	if (bus.manager == 0) {
		be_manager(scene, ready[1]);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return bus;
}

static void end(const struct bus *bus) {
	if (bus->manager > 0) {
		kill(bus->manager, SIGKILL);
		waitpid(bus->manager, NULL, 0);
	}
	kill(bus->daemon, SIGKILL);
	waitpid(bus->daemon, NULL, 0);
}

static void a_unit_is_stopped_and_started_and_waited_for(void **state) {
	struct scene scene = {.result = "done", .active = true};
	struct bus bus = begin(&scene);
	bool active = false;
	assert_int_equal(systemd_unit_state("gdm.service", &active, NULL), 0);
	assert_true(active);
	assert_int_equal(systemd_unit_set("gdm.service", false, NULL), 0);
	assert_int_equal(systemd_unit_state("gdm.service", &active, NULL), 0);
	assert_false(active);
	assert_int_equal(systemd_unit_set("gdm.service", true, NULL), 0);
	assert_int_equal(systemd_unit_state("gdm.service", &active, NULL), 0);
	assert_true(active);
	end(&bus);
}

static void a_job_that_fails_is_an_error(void **state) {
	struct scene scene = {.result = "failed", .active = true};
	struct bus bus = begin(&scene);
	assert_int_equal(systemd_unit_set("gdm.service", false, NULL), EIO);
	end(&bus);
	scene.result = "timeout";
	bus = begin(&scene);
	assert_int_equal(systemd_unit_set("gdm.service", false, NULL), ETIMEDOUT);
	end(&bus);
}

static void what_is_not_there_is_told_apart(void **state) {
	struct scene scene = {.result = "done"};
	bool active;
	struct bus bus = begin(&scene);
	assert_int_equal(systemd_unit_state("other.service", &active, NULL), ENOENT);
	assert_int_equal(systemd_unit_set("run-u4.service", true, NULL), ENOENT);
	/* No user is logged in under that number. */
	assert_int_equal(systemd_unit_state("4294967290/a.service", &active, NULL), ENOENT);
	assert_int_equal(systemd_unit_set("4294967290/a.service", false, NULL), ENOENT);
	end(&bus);
	bus = begin(NULL);
	assert_int_equal(systemd_unit_state("gdm.service", &active, NULL), ENOENT);
	end(&bus);
}

static void whoever_is_against_a_sleep_is_named(void **state) {
	struct error reason;
	struct scene scene = {.can_suspend = "yes", .inhibits = "shutdown:sleep", .mode = "block"};
	struct bus bus = begin(&scene);
	assert_int_equal(systemd_may_suspend(&reason, NULL), EPERM);
	assert_string_equal(reason.text, "packagekit (pid 77) does not want it: installs updates");
	end(&bus);
	/* Those that only want to be told before, and those that are about something else. */
	scene.mode = "delay";
	bus = begin(&scene);
	assert_int_equal(systemd_may_suspend(&reason, NULL), 0);
	end(&bus);
	scene = (struct scene){.can_suspend = "yes", .inhibits = "idle", .mode = "block"};
	bus = begin(&scene);
	assert_int_equal(systemd_may_suspend(&reason, NULL), 0);
	end(&bus);
	scene = (struct scene){.can_suspend = "no"};
	bus = begin(&scene);
	assert_int_equal(systemd_may_suspend(&reason, NULL), EPERM);
	assert_non_null(strstr(reason.text, "logind does not allow"));
	end(&bus);
	/* No logind: nobody is against it. */
	bus = begin(NULL);
	assert_int_equal(systemd_may_suspend(&reason, NULL), 0);
	end(&bus);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_unit_is_stopped_and_started_and_waited_for),
		cmocka_unit_test(a_job_that_fails_is_an_error),
		cmocka_unit_test(what_is_not_there_is_told_apart),
		cmocka_unit_test(whoever_is_against_a_sleep_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
