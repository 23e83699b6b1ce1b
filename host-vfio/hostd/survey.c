#include "hostd/survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <syslog.h>
#include <systemd/sd-device.h>
#include <unistd.h>

#include "base/must.h"
#include "hostd/audit.h"
#include "hostd/job.h"
#include "record/record.h"
#include "transaction/journal.h"
#include "tree/machine_file.h"
#include "tree/without.h"

#define UDEV "/run/udev"
#define UDEV_QUEUE "queue"

enum {
	LOOK_MS = 20 * 1000,
	/* Each look that hangs in the kernel leaves a process there, until what it hangs on is
	   over. */
	RETRY_LEAST_MS = 5 * 1000,
	RETRY_MOST_MS = 5 * 60 * 1000,
};

struct survey {
	struct daemon *daemon;
	struct job *job; /* looking */
	bool again; /* something has changed since it began */
	FILE *recording;
	char *text;
	size_t size;
	sd_device_monitor *monitor;
	sd_event_source *events; /* the monitor's socket */
	sd_event_source *closed; /* inotify on VFIO's nodes */
	sd_event_source *settled; /* inotify on udev's directory */
	sd_event_source *retry;
	unsigned retry_ms;
	char *problem; /* why the last look failed */
};

/* Of the devices of a change that is under way, or was never ended: whoever reads their overrides
 * waits for the device's lock (driver_override_show() in Linux 6), which the kernel keeps for as
 * long as it hangs with the device. */
static struct strings find_locked(const struct daemon_options *options) {
	struct journal_records records;
	struct strings problems = {0}, files = {0};
	char *journals = must_print("%s/transactions", options->state);
	journal_read_all(&records, journals, &problems);
	for (size_t i = 0; i < records.count; i++) {
		const struct journal_record *record = &records.items[i];
		for (size_t k = 0; k < record->plan.devices_count; k++) {
			if (record->outcome == JOURNAL_OPEN) {
				strings_take(&files, must_print("%s/driver_override",
							     record->plan.devices[k].address));
			}
		}
	}
	journal_records_finish(&records);
	strings_finish(&problems);
	free(journals);
	return files;
}

/* In the process. */
static int look(void *data, int out) {
	const struct daemon_options *options = data;
	struct tree *tree = options->open_host(options->user).tree;
	FILE *file = tree ? fdopen(out, "w") : NULL;
	if (!file) {
		return EXIT_FAILURE;
	}
	struct strings locked = find_locked(options);
	struct memory_tree *recording = record_machine(without_tree_create(tree, &locked));
	return machine_file_write(recording, file) < 0 || fclose(file) != 0 ? EXIT_FAILURE
									    : EXIT_SUCCESS;
}

static void handle_line(void *data, const char *line) {
	struct survey *survey = data;
	fprintf(survey->recording, "%s\n", line);
}

static int read_recording(struct survey *survey, struct machine *machine, struct error *error) {
	FILE *file = fmemopen(survey->text, survey->size, "r");
	if (!file) {
		return error_set(error, "%s", strerror(errno));
	}
	return record_read_machine(machine, file, error);
}

static bool text_equal(const char *a, const char *b) {
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* The same devices with the same drivers? */
static bool is_same(const struct machine *a, const struct machine *b) {
	bool same = a->devices_count == b->devices_count;
	for (size_t i = 0; same && i < a->devices_count; i++) {
		const struct pci_device *one = &a->devices[i], *other = &b->devices[i];
		same = strcmp(one->name, other->name) == 0 && one->vendor == other->vendor &&
		       one->device == other->device && text_equal(one->driver, other->driver);
	}
	return same;
}

/* -1 with the reason: the machine stays as it was seen before. */
static int take_over(struct survey *survey, struct error *error) {
	struct machine machine;
	if (read_recording(survey, &machine, error) < 0) {
		return -1;
	}
	survey->daemon->machine_changes += !is_same(&machine, &survey->daemon->machine);
	machine_finish(&survey->daemon->machine);
	survey->daemon->machine = machine;
	survey->daemon->machine_known = true;
	return 0;
}

static int handle_closed(sd_event_source *source, const struct inotify_event *event, void *data) {
	struct survey *survey = data;
	if (event->mask & IN_IGNORED) {
		survey->closed = sd_event_source_unref(survey->closed);
	}
	survey_request(survey->daemon);
	return 0;
}

/* A VM lets a device go by closing a node below /dev/vfio. */
static void watch_nodes(struct survey *survey) {
	if (!survey->closed) {
		sd_event_add_inotify(survey->daemon->loop, &survey->closed, "/dev/vfio",
			IN_CLOSE | IN_ONLYDIR, handle_closed, survey);
	}
}

/* udev's file is there while it has something to do: libudev's udev_queue_get_queue_is_empty(). */
bool survey_is_settling(void) {
	return access(UDEV "/" UDEV_QUEUE, F_OK) == 0;
}

static int handle_settled(sd_event_source *source, const struct inotify_event *event, void *data) {
	struct survey *survey = data;
	if (event->mask & IN_IGNORED) {
		survey->settled = sd_event_source_unref(survey->settled);
	} else if (event->len > 0 && strcmp(event->name, UDEV_QUEUE) == 0) {
		survey_request(survey->daemon);
	}
	return 0;
}

static void watch_udev(struct survey *survey) {
	if (!survey->settled) {
		sd_event_add_inotify(survey->daemon->loop, &survey->settled, UDEV,
			IN_DELETE | IN_ONLYDIR, handle_settled, survey);
	}
}

static void fail(struct survey *survey, const char *reason) {
	survey->daemon->machine_known = false;
	if (!survey->problem || strcmp(survey->problem, reason) != 0) {
		say(LOG_ERR, "the devices cannot be looked at: %s", reason);
		free(survey->problem);
		survey->problem = must_copy(reason);
	}
	sd_event_source_set_time_relative(survey->retry, (uint64_t)survey->retry_ms * 1000);
	sd_event_source_set_enabled(survey->retry, SD_EVENT_ONESHOT);
	survey->retry_ms *= 2;
	if (survey->retry_ms > RETRY_MOST_MS) {
		survey->retry_ms = RETRY_MOST_MS;
	}
}

static void begin(struct survey *survey);

static void handle_end(void *data, enum job_ending ending, int status) {
	struct survey *survey = data;
	struct error error;
	survey->job = NULL;
	fclose(survey->recording);
	if (ending != JOB_DONE || status != 0) {
		fail(survey, ending == JOB_TIMED_OUT ? "the kernel hangs" : "it ended early");
	} else if (take_over(survey, &error) < 0) {
		fail(survey, error.text);
	} else {
		free(survey->problem);
		survey->problem = NULL;
		survey->retry_ms = RETRY_LEAST_MS;
	}
	free(survey->text);
	survey->text = NULL;
	if (survey->again) {
		begin(survey);
		return;
	}
	watch_nodes(survey);
	watch_udev(survey);
	/* Also after a failure: a change looks for itself again before it does anything. */
	daemon_surveyed(survey->daemon);
}

static void begin(struct survey *survey) {
	static const struct job_handlers handlers = {handle_line, handle_end};
	struct error error;
	survey->again = false;
	sd_event_source_set_enabled(survey->retry, SD_EVENT_OFF);
	survey->recording = open_memstream(&survey->text, &survey->size);
	if (!survey->recording) {
		fail(survey, strerror(errno));
		return;
	}
	survey->job = job_start(survey->daemon->loop, look, (void *)survey->daemon->options,
		LOOK_MS, &handlers, survey, &error);
	if (!survey->job) {
		fclose(survey->recording);
		free(survey->text);
		survey->text = NULL;
		fail(survey, error.text);
	}
}

void survey_request(struct daemon *daemon) {
	struct survey *survey = daemon->survey;
	if (survey->job) {
		survey->again = true;
	} else {
		begin(survey);
	}
}

const char *survey_problem(const struct daemon *daemon) {
	return daemon->survey->problem;
}

static int handle_retry(sd_event_source *source, uint64_t usec, void *data) {
	begin(data);
	return 0;
}

/* A burst of them is one look, since those that come while it is being taken ask for one more. When
 * the kernel had no room for all of them, it says so once, in place of any number: what they told
 * is found by looking, too. The monitor's own handler would drop that. */
static int handle_event(sd_event_source *source, int fd, uint32_t events, void *data) {
	struct survey *survey = data;
	sd_device *device = NULL;
	int result = sd_device_monitor_receive(survey->monitor, &device);
	sd_device_unref(device);
	if (result == -ENOBUFS) {
		say(LOG_INFO, "some of udev's events were lost; everything is looked at anew");
	}
	/* 0 and -EAGAIN: it was about something else, or not from udev. */
	if (result != 0 && result != -EAGAIN && result != -EINTR) {
		survey_request(survey->daemon);
	}
	return 0;
}

static int watch_devices(struct survey *survey) {
	sd_event *loop = survey->daemon->loop;
	int result = sd_device_monitor_new(&survey->monitor);
	if (result >= 0) {
		result = sd_device_monitor_filter_add_match_subsystem_devtype(
			survey->monitor, "pci", NULL);
	}
	if (result >= 0) {
		result = sd_device_monitor_attach_event(survey->monitor, loop);
	}
	if (result >= 0) {
		result = sd_device_monitor_start(survey->monitor, NULL, NULL);
	}
	sd_event_source *own =
		result >= 0 ? sd_device_monitor_get_event_source(survey->monitor) : NULL;
	if (own) {
		result = sd_event_source_set_enabled(own, SD_EVENT_OFF);
	}
	if (result >= 0) {
		result = sd_event_add_io(loop, &survey->events,
			sd_device_monitor_get_fd(survey->monitor), EPOLLIN, handle_event, survey);
	}
	return result;
}

int survey_init(struct daemon *daemon, struct error *error) {
	struct survey *survey = must_alloc(1, sizeof(*survey));
	daemon->survey = survey;
	survey->daemon = daemon;
	survey->retry_ms = RETRY_LEAST_MS;
	int result = sd_event_add_time(
		daemon->loop, &survey->retry, CLOCK_MONOTONIC, UINT64_MAX, 0, handle_retry, survey);
	if (result >= 0) {
		result = sd_event_source_set_enabled(survey->retry, SD_EVENT_OFF);
	}
	if (result >= 0) {
		result = watch_devices(survey);
	}
	return result < 0 ? error_set(error, "devices cannot be watched: %s", strerror(-result))
			  : 0;
}

void survey_finish(struct daemon *daemon) {
	struct survey *survey = daemon->survey;
	if (!survey) {
		return;
	}
	if (survey->job) {
		job_cancel(survey->job);
		fclose(survey->recording);
		free(survey->text);
	}
	sd_event_source_disable_unref(survey->events);
	sd_device_monitor_unref(survey->monitor);
	sd_event_source_disable_unref(survey->closed);
	sd_event_source_disable_unref(survey->settled);
	sd_event_source_disable_unref(survey->retry);
	free(survey->problem);
	free(survey);
	daemon->survey = NULL;
}
