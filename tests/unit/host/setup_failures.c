/* Whatever is set up, and wherever the disk gets in the way: a set-up is there as a whole or not at
 * all, and taken back there is nothing left of it. The trees are tmpfs of this process's own. */

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "setup_system.h"

enum { COMBINATIONS = 300 };

static char mount_point[] = "/tmp/host-setup-tmpfs-XXXXXX";

static void write_once(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
		close(fd);
	}
}

/* Mounts are root's business, of this namespace's or of one more. */
static int enter_namespace(void **state) {
	char map[32];
	unsigned user = getuid(), group = getgid();
	if (unshare(CLONE_NEWNS) < 0) {
		assert_int_equal(unshare(CLONE_NEWNS | CLONE_NEWUSER), 0);
		snprintf(map, sizeof(map), "0 %u 1", user);
		write_once("/proc/self/uid_map", map);
		write_once("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %u 1", group);
		write_once("/proc/self/gid_map", map);
	}
	assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_non_null(mkdtemp(mount_point));
	return 0;
}

static int leave(void **state) {
	return rmdir(mount_point);
}

static void mount_tmpfs(void) {
	assert_int_equal(mount("tmpfs", mount_point, "tmpfs", 0, "size=64m,nr_inodes=1000"), 0);
}

static void remount(unsigned long flags, const char *format, unsigned long value) {
	char options[64];
	snprintf(options, sizeof(options), format, value);
	assert_int_equal(mount("tmpfs", mount_point, "tmpfs", MS_REMOUNT | flags, options), 0);
}

/* xorshift32: the same combinations in every run. */
static uint32_t next(uint32_t *seed) {
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Any options, and any state of the places that they write to. */
static void choose(struct setup_system *system, uint32_t *seed) {
	static const char *const places[] = {"/etc/modprobe.d", "/etc/udev/rules.d",
		"/etc/sysctl.d", "/etc/systemd/system/sysinit.target.d", "/etc/tmpfiles.d",
		"/etc/pipewire/pipewire-pulse.conf.d", "/etc/kernel/install.d",
		"/etc/modules-load.d"};
	struct setup_options *options = &system->options;
	uint32_t bits = next(seed);
	options->devices_count = bits & 1 ? options->devices_count : 0;
	options->own_entry = (bits & 2) && options->devices_count > 0;
	options->hugepages = bits & 4 ? 1 + next(seed) % 5000 : 0;
	options->hugepages_1g = bits & 8 ? 1 + next(seed) % 16 : 0;
	options->zram = bits & 16;
	options->inputs_count = bits & 32 ? next(seed) % (system->evdevs.count + 1) : 0;
	options->audio_user = bits & 64 ? "ann" : NULL;
	options->intel = bits & 128;
	if (bits & 256) {
		setup_system_put(system, "/etc/modules", "amdgpu nvidia\nsnd-hda-intel\n", 0600);
	}
	/* Directories that are there, empty or not, stay with the modes that they have. */
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint32_t kind = next(seed) % 4;
		char *path = must_print("%s/%s", places[i], kind == 2 ? "00-mine" : "");
		char *file = must_print("%s/gone", places[i]);
		if (kind >= 1) {
			setup_system_put(system, kind == 2 ? path : file, "mine\n", 0640);
		}
		char *whole = changes_path(system->root, file);
		if (kind == 1 || kind == 3) {
			assert_int_equal(unlink(whole), 0);
			*strrchr(whole, '/') = '\0';
			assert_int_equal(chmod(whole, kind == 3 ? 0750 : 0755), 0);
		}
		free(whole);
		free(file);
		free(path);
	}
	/* A file that says the same already, and one that says something else. */
	if (bits & 512) {
		setup_system_put(system, "/etc/modules-load.d/portal-vfio.conf",
			bits & 1024 ? "# Written by portal-host setup.\nvfio-pci\n" : "x\n", 0604);
	}
}

static void begin(struct setup_system *system, uint32_t *seed) {
	mount_tmpfs();
	setup_system_init(system, (enum setup_layout)(next(seed) % LAYOUT_COUNT), mount_point);
	choose(system, seed);
	setup_system_generate(system);
}

static void end(struct setup_system *system) {
	setup_system_finish(system);
	assert_int_equal(umount(mount_point), 0);
}

static void assert_applied(const struct setup_system *system) {
	struct setup_plan again = {0};
	struct error error = {""};
	for (size_t i = 0; i < system->plan.changes.count; i++) {
		const struct change_file *change = &system->plan.changes.files[i];
		char *now = changes_read(system->root, change->path);
		assert_string_equal(now, change->after);
		assert_int_equal(changes_mode(system->root, change->path), change->mode);
		free(now);
	}
	/* Done once more there is nothing left to do. */
	assert_int_equal(setup_generate(&again, system->root, &system->options, &error), 0);
	assert_int_equal(again.changes.count, 0);
	setup_plan_finish(&again);
}

static void any_combination_is_taken_back_to_the_identical_tree(void **state) {
	uint32_t seed = 20261125;
	size_t changed = 0;
	for (unsigned i = 0; i < COMBINATIONS; i++) {
		struct setup_system system;
		begin(&system, &seed);
		setup_system_apply(&system);
		assert_applied(&system);
		setup_system_undo(&system);
		setup_system_assert_as_before(&system);
		changed += system.plan.changes.count;
		end(&system);
	}
	assert_true(changed > COMBINATIONS);
}

/* Applying fails, and leaves no trace. */
static bool fails_without_a_trace(const struct setup_system *system) {
	struct error error = {""};
	if (changes_apply(&system->plan.changes, system->root, system->manifest, &error) == 0) {
		return false;
	}
	assert_string_not_equal(error.text, "");
	setup_system_assert_as_before(system);
	return true;
}

/* Taking back fails, and leaves all of it. */
static bool stays_as_a_whole(const struct setup_system *system) {
	struct error error = {""};
	struct changes_undone undone;
	int status = changes_undo(system->root, system->manifest, &undone, &error);
	changes_undone_finish(&undone);
	if (status == 0) {
		return false;
	}
	assert_string_not_equal(error.text, "");
	assert_applied(system);
	return true;
}

/* Lets both ways run out of something, at every amount of it that is left. */
static void run_out(const char *format, unsigned long (*used)(void)) {
	uint32_t seed = 7;
	unsigned refused = 0, kept = 0;
	for (unsigned i = 0; i < 30; i++) {
		struct setup_system system;
		begin(&system, &seed);
		unsigned long there = used();
		for (unsigned long left = 0;; left++) {
			remount(0, format, there + left);
			if (!fails_without_a_trace(&system)) {
				break;
			}
			refused++;
		}
		there = used();
		for (unsigned long left = 0;; left++) {
			remount(0, format, there + left);
			if (!stays_as_a_whole(&system)) {
				break;
			}
			kept++;
		}
		setup_system_assert_as_before(&system);
		end(&system);
	}
	/* It did run out, in many places. */
	assert_true(refused > 100);
	assert_true(kept > 10);
}

static unsigned long used_inodes(void) {
	struct statfs status;
	assert_int_equal(statfs(mount_point, &status), 0);
	return (unsigned long)(status.f_files - status.f_ffree);
}

static unsigned long used_blocks(void) {
	struct statfs status;
	assert_int_equal(statfs(mount_point, &status), 0);
	return (unsigned long)(status.f_blocks - status.f_bfree);
}

static void without_inodes_left_it_is_whole_or_not_at_all(void **state) {
	run_out("nr_inodes=%lu", used_inodes);
}

static void without_space_left_it_is_whole_or_not_at_all(void **state) {
	run_out("nr_blocks=%lu", used_blocks);
}

static void what_cannot_be_written_is_left_alone(void **state) {
	uint32_t seed = 99;
	for (unsigned i = 0; i < 30; i++) {
		struct setup_system system;
		begin(&system, &seed);
		if (system.plan.changes.count > 0) {
			remount(MS_RDONLY, "size=%lum", 64);
			assert_true(fails_without_a_trace(&system));
			remount(0, "size=%lum", 64);
			setup_system_apply(&system);
			remount(MS_RDONLY, "size=%lum", 64);
			assert_true(stays_as_a_whole(&system));
			remount(0, "size=%lum", 64);
			setup_system_undo(&system);
			setup_system_assert_as_before(&system);
		}
		end(&system);
	}
}

/* One directory of them all is of another file system, which is read-only: as /boot may be. */
static void one_place_that_cannot_be_written_stops_all_of_it(void **state) {
	struct setup_system system;
	mount_tmpfs();
	setup_system_init(&system, LAYOUT_FEDORA, mount_point);
	setup_system_generate(&system);
	char *entries = changes_path(system.root, "/boot/loader/entries");
	assert_int_equal(mount(entries, entries, NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount("none", entries, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_true(fails_without_a_trace(&system));
	assert_int_equal(umount(entries), 0);
	free(entries);
	end(&system);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_combination_is_taken_back_to_the_identical_tree),
		cmocka_unit_test(without_inodes_left_it_is_whole_or_not_at_all),
		cmocka_unit_test(without_space_left_it_is_whole_or_not_at_all),
		cmocka_unit_test(what_cannot_be_written_is_left_alone),
		cmocka_unit_test(one_place_that_cannot_be_written_stops_all_of_it),
	};
	return cmocka_run_group_tests(tests, enter_namespace, leave);
}
