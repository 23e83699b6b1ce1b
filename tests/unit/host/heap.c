/* A guest's heap before its start: the file agrees with the definition, whoever changed that, and
 * nobody's memory is pulled away. libvirt's test driver has the domains, /dev/shm the files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/must.h"
#include "descriptors.h"
#include "heap.h"
#include "heap/guest_heap.h"
#include "heap/heap_file.h"
#include "heap/start_needs.h"

#define MIB (UINT64_C(1) << 20)

/* Who is not root, nor whoever runs the test. */
enum { SOMEBODY = 64055 };

struct scene {
	char *heap; /* web's, ivshmem; desk, its controller, is defined with it, too */
	char *own; /* of a guest that nobody else has */
	char nodes[32];
	sd_event *loop;
	struct domain_manager *manager;
	struct error error;
};

static char *describe(const struct scene *scene) {
	static const char format[] =
		"<node>"
		"<domain type='test'><name>web</name><memory unit='MiB'>256</memory>"
		"<os><type>hvm</type></os><devices>"
		"<shmem name='%s'><model type='ivshmem-plain'/><size unit='M'>16</size>"
		"<alias name='ua-portal-heap'/></shmem></devices></domain>"
		"<domain type='test'><name>mail</name><memory unit='MiB'>256</memory>"
		"<os><type>hvm</type></os><devices>"
		"<shmem name='%s'><model type='ivshmem-plain'/><size unit='M'>16</size>"
		"<alias name='ua-portal-heap'/></shmem></devices></domain>"
		"<domain type='test'><name>desk</name><memory unit='MiB'>256</memory>"
		"<os><type>hvm</type></os><devices>"
		"<shmem name='%s'><model type='ivshmem-plain'/><size unit='M'>8</size>"
		"<alias name='ua-portal-heap-web'/></shmem></devices></domain>"
		"</node>";
	const char *heap = strrchr(scene->heap, '/') + 1, *own = strrchr(scene->own, '/') + 1;
	return must_print(format, heap, own, heap);
}

static int setup(void **state) {
	static sd_event *loop; /* one for the process, as libvirt has one */
	struct scene *scene = must_alloc(1, sizeof(*scene));
	scene->heap = must_print("/dev/shm/portal-test-%d-web", (int)getpid());
	scene->own = must_print("/dev/shm/portal-test-%d-mail", (int)getpid());
	if (!loop) {
		assert_true(sd_event_new(&loop) >= 0);
	}
	scene->loop = loop;
	strcpy(scene->nodes, "/tmp/portal-heaps-XXXXXX");
	int fd = mkstemp(scene->nodes);
	char *text = describe(scene), *uri = must_print("test://%s", scene->nodes);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	scene->manager = domain_manager_create(uri, loop, NULL, NULL, &scene->error);
	assert_string_equal(scene->manager ? "" : scene->error.text, "");
	free(uri);
	free(text);
	/* The test driver's domains run from the start. */
	for (size_t i = 0; i < 3; i++) {
		static const char *const names[] = {"web", "mail", "desk"};
		assert_int_equal(domain_manager_kill(scene->manager, names[i], &scene->error), 0);
	}
	*state = scene;
	return 0;
}

static int teardown(void **state) {
	struct scene *scene = *state;
	domain_manager_destroy(scene->manager);
	unlink(scene->heap);
	unlink(scene->own);
	unlink(scene->nodes);
	free(scene->heap);
	free(scene->own);
	free(scene);
	return 0;
}

static void make(const char *path, uint64_t size) {
	assert_int_equal(portal_heap_format_file(path, size, false), 0);
}

/* -1: it is not there. */
static long long size_of(const char *path) {
	struct stat status;
	return stat(path, &status) < 0 ? -1 : (long long)status.st_size;
}

static int open_heap(const char *path) {
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void a_file_of_another_size_becomes_what_the_definition_says(void **state) {
	struct scene *scene = *state;
	const uint64_t sizes[] = {8 * MIB, 64 * MIB};
	for (size_t i = 0; i < 2; i++) {
		make(scene->own, sizes[i]);
		assert_int_equal(guest_heap_make_file(scene->manager, "mail", &scene->error), 0);
		assert_int_equal(size_of(scene->own), 16 * MIB);
		make(scene->own, sizes[i]);
		assert_int_equal(guest_heap_fit_file(scene->manager, "mail", &scene->error), 0);
		assert_int_equal(size_of(scene->own), 16 * MIB);
	}
	/* One that is missing is the start's to make. */
	unlink(scene->own);
	assert_int_equal(guest_heap_fit_file(scene->manager, "mail", &scene->error), 0);
	assert_int_equal(size_of(scene->own), -1);
	assert_int_equal(guest_heap_make_file(scene->manager, "mail", &scene->error), 0);
	assert_int_equal(size_of(scene->own), 16 * MIB);
}

/* A controller that still runs with the former size would lose the memory that it has mapped. */
static void a_file_that_is_in_use_is_left_to_its_user(void **state) {
	struct scene *scene = *state;
	static int (*const ways[])(struct domain_manager *, const char *, struct error *) = {
		guest_heap_make_file, guest_heap_fit_file};
	for (size_t i = 0; i < 2; i++) {
		struct stat status;
		make(scene->own, 8 * MIB);
		int fd = open_heap(scene->own);
		assert_int_equal(ways[i](scene->manager, "mail", &scene->error), 0);
		assert_int_equal(size_of(scene->own), 16 * MIB);
		assert_int_equal(fstat(fd, &status), 0);
		assert_int_equal(status.st_size, 8 * MIB);
		close(fd);
	}
}

static const struct domain_dac nobody; /* QEMU is whoever calls */
static const struct domain_dac qemu = {true, SOMEBODY, SOMEBODY};

static uid_t owner_of(const char *path) {
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	return status.st_uid;
}

static void a_file_is_qemus_and_stays_so(void **state) {
	struct scene *scene = *state;
	const struct heap_device heap = {DOMAIN_HEAP_IVSHMEM, scene->own, 16 * MIB};
	const struct heap_device larger = {DOMAIN_HEAP_IVSHMEM, scene->own, 32 * MIB};
	if (geteuid() != 0) {
		skip(); /* nobody but root can give a file away */
	}
	make(scene->own, 8 * MIB);
	assert_int_equal(heap_file_make(&heap, &qemu, &scene->error), HEAP_FILE_DONE);
	assert_int_equal(size_of(scene->own), 16 * MIB);
	assert_int_equal(owner_of(scene->own), SOMEBODY);
	/* In use it is left to its user, and the new one is QEMU's as well. */
	int fd = open_heap(scene->own);
	assert_int_equal(heap_file_make(&larger, &qemu, &scene->error), HEAP_FILE_DONE);
	assert_int_equal(size_of(scene->own), 32 * MIB);
	assert_int_equal(owner_of(scene->own), SOMEBODY);
	struct stat status;
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, 16 * MIB);
	close(fd);
	/* To another QEMU, or none, it is another user's. */
	assert_int_equal(heap_file_take(&larger, &nobody, &scene->error), HEAP_FILE_REFUSED);
	assert_int_equal(heap_file_make(&larger, &nobody, &scene->error), HEAP_FILE_REFUSED);
}

static void who_cannot_give_qemu_its_file_is_told_what_to_do(void **state) {
	struct scene *scene = *state;
	const struct domain_dac other = {true, geteuid() + 1, SOMEBODY};
	const struct heap_device heap = {DOMAIN_HEAP_IVSHMEM, scene->own, 16 * MIB};
	pid_t child = fork();
	if (child == 0) {
		if (geteuid() == 0 && setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0) {
			_exit(1);
		}
		int result = heap_file_make(&heap, &other, &scene->error);
		bool told = strstr(scene->error.text, "portal-run --define VM --replace") != NULL;
		_exit(result == HEAP_FILE_FAILED && told ? 0 : 2);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(size_of(scene->own), -1);
}

static void what_cannot_be_a_heap_is_refused(void **state) {
	struct scene *scene = *state;
	const struct heap_device odd = {DOMAIN_HEAP_IVSHMEM, scene->own, 1 * MIB};
	assert_int_equal(heap_file_make(&odd, &nobody, &scene->error), -1);
	assert_non_null(strstr(scene->error.text, "a multiple of 2M, and 6M at least"));
	const struct heap_device heap = {DOMAIN_HEAP_IVSHMEM, scene->own, 16 * MIB};
	unlink(scene->own);
	assert_int_equal(symlink(scene->heap, scene->own), 0);
	assert_int_equal(heap_file_make(&heap, &nobody, &scene->error), HEAP_FILE_REFUSED);
	assert_non_null(strstr(scene->error.text, "it is no file of its own"));
	assert_int_equal(size_of(scene->heap), -1);
}

/* 0, or -1 with the first problem. */
static int make_needs(struct scene *scene, const char *xml) {
	struct strings problems = {0};
	int result = start_needs_make(xml, &nobody, &problems);
	assert_int_equal(problems.count, result == 0 ? 0 : 1);
	if (result < 0) {
		error_set(&scene->error, "%s", problems.items[0]);
	}
	strings_finish(&problems);
	return result;
}

static void a_start_by_any_tool_finds_the_file_as_it_is_defined(void **state) {
	struct scene *scene = *state;
	char *xml;
	make(scene->own, 8 * MIB);
	assert_int_equal(
		domain_manager_get_definition(scene->manager, "mail", &xml, &scene->error), 0);
	assert_int_equal(make_needs(scene, xml), 0);
	assert_int_equal(size_of(scene->own), 16 * MIB);
	/* What the file holds, somebody may have made for this very start. */
	int fd = open_heap(scene->own);
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	assert_int_equal(make_needs(scene, xml), 0);
	char byte;
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'x');
	close(fd);
	free(xml);
}

/* The guest runs with another size than its controller is defined with. */
static void a_controllers_start_does_not_touch_the_heap_of_a_guest_that_runs(void **state) {
	struct scene *scene = *state;
	char *xml;
	make(scene->heap, 16 * MIB);
	int guest = open_heap(scene->heap);
	assert_int_equal(
		domain_manager_get_definition(scene->manager, "desk", &xml, &scene->error), 0);
	assert_int_equal(make_needs(scene, xml), START_NEEDS_LACK);
	assert_non_null(strstr(scene->error.text, "is in use with 16 MiB"));
	assert_int_equal(size_of(scene->heap), 16 * MIB);
	close(guest);
	assert_int_equal(make_needs(scene, xml), 0);
	assert_int_equal(size_of(scene->heap), 8 * MIB);
	free(xml);
}

static void a_controller_with_another_size_is_named(void **state) {
	struct scene *scene = *state;
	char *other;
	struct heap_device heap = {DOMAIN_HEAP_IVSHMEM, scene->heap, 16 * MIB};
	assert_int_equal(
		guest_heap_find_other(scene->manager, "web", &heap, &other, &scene->error), 1);
	assert_string_equal(other, "desk");
	free(other);
	heap.size = 8 * MIB;
	assert_int_equal(
		guest_heap_find_other(scene->manager, "web", &heap, &other, &scene->error), 0);
	assert_null(other);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_file_of_another_size_becomes_what_the_definition_says, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_file_that_is_in_use_is_left_to_its_user, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_is_qemus_and_stays_so, setup, teardown),
		cmocka_unit_test_setup_teardown(
			who_cannot_give_qemu_its_file_is_told_what_to_do, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_a_heap_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_start_by_any_tool_finds_the_file_as_it_is_defined, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_controllers_start_does_not_touch_the_heap_of_a_guest_that_runs, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_controller_with_another_size_is_named, setup, teardown),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	/* The loop is the process's, as libvirt has one. */
	descriptors_keep_open();
	return failed;
}
