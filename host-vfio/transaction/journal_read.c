#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "transaction/journal.h"
#include "transaction/journal_line.h"

/* A plan with every function of a large server is a tenth of this. */
enum { FILE_MAX = 4 * 1024 * 1024 };

static const char *string_of(sd_json_variant *object, const char *name) {
	sd_json_variant *value = sd_json_variant_by_key(object, name);
	return value && sd_json_variant_is_string(value) ? sd_json_variant_string(value) : NULL;
}

/* Is the field a number up to `max`? */
static bool number_of(sd_json_variant *object, const char *name, uint64_t max, uint64_t *number) {
	sd_json_variant *value = sd_json_variant_by_key(object, name);
	if (!value || !sd_json_variant_is_unsigned(value)) {
		return false;
	}
	*number = sd_json_variant_unsigned(value);
	return *number <= max;
}

static bool read_state(sd_json_variant *object, const char *name, struct driver_state *state) {
	sd_json_variant *value = sd_json_variant_by_key(object, name);
	if (!value || !sd_json_variant_is_object(value)) {
		return false;
	}
	state->driver = must_copy(string_of(value, "driver"));
	state->override = must_copy(string_of(value, "override"));
	state->reset = must_copy(string_of(value, "reset"));
	/* They become parts of paths. */
	return !(state->driver && strchr(state->driver, '/'));
}

static bool read_device(sd_json_variant *object, struct plan_device *device) {
	struct pci_address address;
	uint64_t vendor, id, subsystem_vendor, subsystem, class_code;
	const char *name = string_of(object, "address"), *path = string_of(object, "path");
	if (!name || !path || !pci_address_parse(name, &address) ||
		!number_of(object, "vendor", UINT16_MAX, &vendor) ||
		!number_of(object, "device", UINT16_MAX, &id) ||
		!number_of(object, "subsystemVendor", UINT16_MAX, &subsystem_vendor) ||
		!number_of(object, "subsystemDevice", UINT16_MAX, &subsystem) ||
		!number_of(object, "class", 0xffffff, &class_code)) {
		return false;
	}
	device->address = must_copy(name);
	device->identity = (struct identity){
		.path = must_copy(path),
		.vendor = (uint16_t)vendor,
		.device = (uint16_t)id,
		.subsystem_vendor = (uint16_t)subsystem_vendor,
		.subsystem_device = (uint16_t)subsystem,
		.class_code = (uint32_t)class_code,
	};
	return read_state(object, "former", &device->former) &&
	       read_state(object, "wanted", &device->wanted);
}

/* Names of files too, but for the unit of a user ("1000/NAME"), which is no file. */
static bool read_setting(sd_json_variant *object, struct plan_setting *setting) {
	const char *kind = string_of(object, "kind"), *name = string_of(object, "name");
	const char *former = string_of(object, "former"), *wanted = string_of(object, "wanted");
	if (!kind || !name || !former || !wanted || !setting_kind_from_name(kind, &setting->kind)) {
		return false;
	}
	setting->name = must_copy(name);
	setting->former = must_copy(former);
	setting->wanted = must_copy(wanted);
	return setting->kind == SETTING_UNIT || (!strchr(name, '/') && !strchr(former, '/'));
}

static bool read_devices(struct plan *plan, sd_json_variant *array) {
	for (size_t i = 0; i < sd_json_variant_elements(array); i++) {
		plan->devices =
			must_grow(plan->devices, plan->devices_count, sizeof(*plan->devices));
		plan->devices[plan->devices_count] = (struct plan_device){0};
		if (!read_device(sd_json_variant_by_index(array, i),
			    &plan->devices[plan->devices_count++])) {
			return false;
		}
	}
	return true;
}

/* Files of before there were settings have none. */
static bool read_settings(struct plan *plan, sd_json_variant *array) {
	if (array && !sd_json_variant_is_array(array)) {
		return false;
	}
	size_t count = array ? sd_json_variant_elements(array) : 0;
	for (size_t i = 0; i < count; i++) {
		plan->settings =
			must_grow(plan->settings, plan->settings_count, sizeof(*plan->settings));
		plan->settings[plan->settings_count] = (struct plan_setting){0};
		if (!read_setting(sd_json_variant_by_index(array, i),
			    &plan->settings[plan->settings_count++])) {
			return false;
		}
	}
	return true;
}

static bool read_begin(struct journal_record *record, sd_json_variant *object) {
	uint64_t version;
	const char *what = string_of(object, "begin"), *boot = string_of(object, "boot");
	sd_json_variant *plan = sd_json_variant_by_key(object, "plan");
	sd_json_variant *devices = plan ? sd_json_variant_by_key(plan, "devices") : NULL;
	if (!what || !boot || !number_of(object, "version", 1, &version) || version != 1 ||
		!devices || !sd_json_variant_is_array(devices)) {
		return false;
	}
	record->what = must_copy(what);
	record->boot = must_copy(boot);
	return read_devices(&record->plan, devices) &&
	       read_settings(&record->plan, sd_json_variant_by_key(plan, "settings"));
}

static bool read_line(struct journal_record *record, sd_json_variant *object) {
	uint64_t step;
	const char *end = string_of(object, "end");
	if (!record->what) {
		return read_begin(record, object);
	}
	if (record->outcome != JOURNAL_OPEN) {
		return false; /* nothing follows an end */
	}
	if (number_of(object, "step", UINT32_MAX, &step)) {
		record->steps_begun = (size_t)step + 1;
		return true;
	}
	if (end && strcmp(end, "committed") == 0) {
		record->outcome = JOURNAL_COMMITTED;
	} else if (end && strcmp(end, "undone") == 0) {
		record->outcome = JOURNAL_UNDONE;
	} else {
		return false;
	}
	return true;
}

static int read_lines(
	struct journal_record *record, const char *text, size_t size, struct error *error) {
	unsigned number = 0;
	while (record->size < size) {
		const char *line = text + record->size;
		const char *newline = memchr(line, '\n', size - record->size);
		size_t length = newline ? (size_t)(newline - line) : 0;
		sd_json_variant *object = newline ? journal_line_parse(line, length) : NULL;
		bool good = object && read_line(record, object);
		sd_json_variant_unref(object);
		number++;
		/* The begin was made lasting with the file itself: it cannot be cut off. */
		bool last = !newline || newline + 1 == text + size;
		if (!good && last && !object && number > 1) {
			return 0;
		}
		if (!good) {
			return error_set(error,
				"%s is corrupt in line %u: nothing is changed on "
				"its word; look at it, and remove it",
				record->path, number);
		}
		record->size += length + 1;
	}
	return number > 0 ? 0
			  : error_set(error, "%s is empty: look why, and remove it", record->path);
}

static char *read_file(const char *path, size_t *size, struct error *error) {
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0 || status.st_size > FILE_MAX) {
		error_set(error, "%s: %s", path,
			fd >= 0 && status.st_size > FILE_MAX ? "far too large" : strerror(errno));
		if (fd >= 0) {
			close(fd);
		}
		return NULL;
	}
	char *text = must_alloc((size_t)status.st_size + 1, 1);
	ssize_t got = 0;
	for (*size = 0; *size < (size_t)status.st_size; *size += (size_t)got) {
		got = read(fd, text + *size, (size_t)status.st_size - *size);
		if (got <= 0) {
			break;
		}
	}
	if (got < 0) {
		error_set(error, "%s: %s", path, strerror(errno));
		free(text);
		text = NULL;
	}
	close(fd);
	return text;
}

int journal_read(struct journal_record *record, const char *path, struct error *error) {
	size_t size;
	*record = (struct journal_record){.path = must_copy(path)};
	record->number = strtoull(path_name(path), NULL, 10);
	char *text = read_file(path, &size, error);
	int status = text ? read_lines(record, text, size, error) : -1;
	free(text);
	if (status < 0) {
		journal_record_finish(record);
	}
	return status;
}

static bool is_journal(const char *name) {
	size_t length = strspn(name, "0123456789");
	return length == 20 && strcmp(name + length, ".journal") == 0;
}

void journal_read_all(
	struct journal_records *records, const char *directory, struct strings *problems) {
	*records = (struct journal_records){0};
	struct strings names = {0};
	DIR *stream = opendir(directory);
	const struct dirent *entry;
	while (stream && (entry = readdir(stream))) {
		if (is_journal(entry->d_name)) {
			strings_add(&names, entry->d_name);
		}
	}
	if (stream) {
		closedir(stream);
	} else if (errno != ENOENT) {
		strings_take(problems, must_print("%s: %s", directory, strerror(errno)));
	}
	strings_sort(&names);
	for (size_t i = 0; i < names.count; i++) {
		char *path = must_print("%s/%s", directory, names.items[i]);
		struct journal_record record;
		struct error error;
		if (journal_read(&record, path, &error) == 0) {
			records->items = must_grow(records->items, records->count, sizeof(record));
			records->items[records->count++] = record;
		} else {
			strings_add(problems, error.text);
		}
		free(path);
	}
	strings_finish(&names);
}

void journal_record_finish(struct journal_record *record) {
	free(record->path);
	free(record->what);
	free(record->boot);
	plan_finish(&record->plan);
	*record = (struct journal_record){0};
}

void journal_records_finish(struct journal_records *records) {
	for (size_t i = 0; i < records->count; i++) {
		journal_record_finish(&records->items[i]);
	}
	free(records->items);
	*records = (struct journal_records){0};
}
