/* Devices that come and go while portal-hostd runs, with udev's events from umockdev:
 * hostd-hotplug PORTAL-HOSTD, inside of umockdev-wrapper. */
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-varlink.h>
#include <unistd.h>

#include <cmocka.h>
#include <umockdev.h>

#define INTERFACE "org.portal.Host"

static const char *program;

struct fixture {
	UMockdevTestbed *testbed;
	char directory[64];
	char socket[128];
	pid_t daemon;
	sd_varlink *link;
	int64_t changes; /* as the daemon counts them */
	bool heard;
};

/* Returns when the daemon's socket has room for one more event: in umockdev that is a unix socket,
 * which takes few, and who sends to a full one is ended after some milliseconds. */
static void wait_for_room(const struct fixture *fixture) {
	char pattern[PATH_MAX];
	char *root = umockdev_testbed_get_root_dir(fixture->testbed);
	glob_t listeners;
	snprintf(pattern, sizeof(pattern), "%s/event[0-9]*", root);
	g_free(root);
	if (glob(pattern, 0, NULL, &listeners) != 0) {
		return; /* nobody listens yet */
	}
	for (size_t i = 0; i < listeners.gl_pathc; i++) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		snprintf(address.sun_path, sizeof(address.sun_path), "%s", listeners.gl_pathv[i]);
		struct pollfd probe = {
			.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), .events = POLLOUT};
		assert_int_equal(
			connect(probe.fd, (struct sockaddr *)&address, sizeof(address)), 0);
		assert_int_equal(poll(&probe, 1, -1), 1);
		assert_int_equal(probe.revents, POLLOUT);
		close(probe.fd);
	}
	globfree(&listeners);
}

static void send_event(const struct fixture *fixture, const char *path, const char *action) {
	wait_for_room(fixture);
	umockdev_testbed_uevent(fixture->testbed, path, action);
}

static char *add_pci(struct fixture *fixture, const char *name, const char *parent,
	const char *device_class, const char *id) {
	wait_for_room(fixture);
	char *path = umockdev_testbed_add_device(fixture->testbed, "pci", name, parent, "vendor",
		"0x1b21", "device", id, "subsystem_vendor", "0x1043", "subsystem_device", "0x8675",
		"class", device_class, "revision", "0x00", "boot_vga", "0", "resource", "", NULL,
		"PCI_SLOT_NAME", name, NULL);
	assert_non_null(path);
	return path;
}

static void write_policy(const struct fixture *fixture) {
	char path[128];
	snprintf(path, sizeof(path), "%s/host.scfg", fixture->directory);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("assign usb to controllers\ncontroller test\n", file);
	assert_int_equal(fclose(file), 0);
}

static void run_daemon(const struct fixture *fixture, const char *notify) {
	char config[128], state[128];
	char *root = umockdev_testbed_get_root_dir(fixture->testbed);
	snprintf(config, sizeof(config), "%s/host.scfg", fixture->directory);
	snprintf(state, sizeof(state), "%s/state", fixture->directory);
	setenv("NOTIFY_SOCKET", notify, 1);
	/* libvirt's test driver has a domain "test", which runs. */
	execl(program, program, "--root", root, "--config", config, "--state", state, "--socket",
		fixture->socket, "--uri", "test:///default", NULL);
	_exit(1);
}

/* Starts it and returns when it says that it is ready. */
static void start(struct fixture *fixture) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char said[256] = "";
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", fixture->directory);
	int notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(notify, (struct sockaddr *)&address, sizeof(address)), 0);
	fixture->daemon = fork();
	if (fixture->daemon == 0) {
		run_daemon(fixture, address.sun_path);
	}
	while (!strstr(said, "READY=1")) {
		ssize_t length = recv(notify, said, sizeof(said) - 1, 0);
		assert_true(length > 0);
		said[length] = '\0';
	}
	close(notify);
}

static int handle_state(sd_varlink *link, sd_json_variant *reply, const char *error,
	sd_varlink_reply_flags_t flags, void *data) {
	struct fixture *fixture = data;
	assert_null(error);
	fixture->changes = sd_json_variant_integer(sd_json_variant_by_key(reply, "deviceChanges"));
	fixture->heard = true;
	return 0;
}

static void hear(struct fixture *fixture) {
	fixture->heard = false;
	while (!fixture->heard) {
		int result = sd_varlink_process(fixture->link);
		assert_true(result >= 0);
		if (result == 0) {
			assert_true(sd_varlink_wait(fixture->link, UINT64_MAX) >= 0);
		}
	}
}

/* Waits until the daemon has seen other devices than before. */
static void wait_for_change(struct fixture *fixture) {
	int64_t before = fixture->changes;
	while (fixture->changes == before) {
		hear(fixture);
	}
}

static int setup(void **state) {
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	strcpy(fixture->directory, "/tmp/hostd-hotplug-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->socket, sizeof(fixture->socket), "%s/hostd", fixture->directory);
	fixture->testbed = umockdev_testbed_new();
	free(add_pci(fixture, "0000:00:1c.0", NULL, "0x060400", "0x7ab8"));
	write_policy(fixture);
	start(fixture);
	assert_true(sd_varlink_connect_address(&fixture->link, fixture->socket) >= 0);
	sd_varlink_set_userdata(fixture->link, fixture);
	assert_true(sd_varlink_bind_reply(fixture->link, handle_state) >= 0);
	assert_true(sd_varlink_observe(fixture->link, INTERFACE ".GetState", NULL) >= 0);
	hear(fixture);
	*state = fixture;
	return 0;
}

static int teardown(void **state) {
	struct fixture *fixture = *state;
	char command[128];
	int status;
	sd_varlink_unref(fixture->link);
	kill(fixture->daemon, SIGTERM);
	waitpid(fixture->daemon, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	g_object_unref(fixture->testbed);
	snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
	assert_int_equal(system(command), 0);
	free(fixture);
	return 0;
}

/* Is the device there, and to which VM does it go? The caller's. */
static char *find_vm(const struct fixture *fixture, const char *address, bool *there) {
	sd_varlink *link = NULL;
	sd_json_variant *reply = NULL;
	const char *error = NULL;
	char *vm = NULL;
	*there = false;
	assert_true(sd_varlink_connect_address(&link, fixture->socket) >= 0);
	assert_true(sd_varlink_call(link, INTERFACE ".ListAssignments", NULL, &reply, &error) >= 0);
	sd_json_variant *devices = sd_json_variant_by_key(reply, "devices");
	for (size_t i = 0; i < sd_json_variant_elements(devices); i++) {
		sd_json_variant *entry = sd_json_variant_by_index(devices, i);
		const char *name = sd_json_variant_string(sd_json_variant_by_key(entry, "address"));
		sd_json_variant *owner = sd_json_variant_by_key(entry, "vm");
		if (strcmp(name, address) == 0) {
			*there = true;
			vm = owner && sd_json_variant_is_string(owner)
				     ? strdup(sd_json_variant_string(owner))
				     : NULL;
		}
	}
	sd_varlink_unref(link);
	return vm;
}

static void a_device_that_comes_is_seen_and_given_away_by_policy(void **state) {
	struct fixture *fixture = *state;
	bool there;
	assert_null(find_vm(fixture, "0000:02:00.0", &there));
	assert_false(there);
	char *path =
		add_pci(fixture, "0000:02:00.0", "/sys/devices/0000:00:1c.0", "0x0c0330", "0x2142");
	wait_for_change(fixture);
	char *vm = find_vm(fixture, "0000:02:00.0", &there);
	assert_true(there);
	assert_null(vm); /* it is in no IOMMU group */

	/* Its groups come with a kernel that has an IOMMU. */
	umockdev_testbed_set_attribute_link(
		fixture->testbed, path, "iommu_group", "../../../kernel/iommu_groups/7");
	char *other =
		add_pci(fixture, "0000:02:00.1", "/sys/devices/0000:00:1c.0", "0x0c0330", "0x2142");
	wait_for_change(fixture);
	vm = find_vm(fixture, "0000:02:00.0", &there);
	assert_string_equal(vm, "test");
	free(vm);
	free(other);

	send_event(fixture, path, "remove");
	umockdev_testbed_remove_device(fixture->testbed, path);
	send_event(fixture, "/sys/devices/0000:00:1c.0", "change");
	wait_for_change(fixture);
	free(find_vm(fixture, "0000:02:00.0", &there));
	assert_false(there);
	free(path);
}

/* However many come at once, and whatever else udev says of them. */
static void a_burst_of_devices_is_seen_whole(void **state) {
	struct fixture *fixture = *state;
	bool there;
	char name[16];
	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "0000:03:%02x.0", i);
		char *path =
			add_pci(fixture, name, "/sys/devices/0000:00:1c.0", "0x0c0330", "0x2142");
		send_event(fixture, path, "bind");
		free(path);
	}
	do {
		wait_for_change(fixture);
		free(find_vm(fixture, "0000:03:0f.0", &there));
	} while (!there);
	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "0000:03:%02x.0", i);
		free(find_vm(fixture, name, &there));
		assert_true(there);
	}
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_device_that_comes_is_seen_and_given_away_by_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(a_burst_of_devices_is_seen_whole, setup, teardown),
	};
	if (argc != 2) {
		return 2;
	}
	program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
