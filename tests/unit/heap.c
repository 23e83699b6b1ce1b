#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap-impl.h"

static char directory[] = "/tmp/portal-heap-XXXXXX";
static char path[64];

static int group_setup(void **state) {
	if (mkdtemp(directory) == NULL) {
		return -1;
	}
	snprintf(path, sizeof(path), "%s/heap", directory);
	return 0;
}

static int group_teardown(void **state) {
	unlink(path);
	return rmdir(directory);
}

static struct portal_heap_address parse(const char *text) {
	struct portal_heap_address address;
	assert_int_equal(portal_heap_parse(&address, text, NULL), 0);
	return address;
}

static struct portal_heap_address parse_path(const char *prefix) {
	char text[128];
	snprintf(text, sizeof(text), "%s%s", prefix, path);
	return parse(text);
}

static void addresses_are_parsed(void **state) {
	assert_int_equal(parse("memfd:64M").size, 64u << 20);
	assert_int_equal(parse("memfd:4096K").kind, PORTAL_HEAP_MEMFD);
	assert_int_equal(parse("memfd:").size, 0);
	assert_int_equal(parse("dax:/dev/dax0.0").kind, PORTAL_HEAP_DAX);
	assert_string_equal(parse("dax:/dev/dax0.0").path, "/dev/dax0.0");
	assert_int_equal(parse("file:/dev/shm/x").kind, PORTAL_HEAP_FILE);
	assert_string_equal(parse("ivshmem:0000:00:05.0").path, "0000:00:05.0");
}

static void addresses_that_mean_nothing_are_refused_with_a_sentence(void **state) {
	const char *const wrong[] = {"", "memfd", "memfd:x", "memfd:12Q", "memfd:-1",
		"file:", "dax:", "memfd:0", "memfd:99999999999999999999", "tape:/dev/st0"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct portal_heap_address address;
		const char *error = NULL;
		assert_int_equal(portal_heap_parse(&address, wrong[i], &error), -1);
		assert_int_equal(errno, EINVAL);
		assert_non_null(error);
	}
}

static void both_ends_see_the_same_bytes_of_a_memfd(void **state) {
	struct portal_heap guest, controller;
	struct portal_heap_address address = parse("memfd:8M");
	assert_int_equal(portal_heap_create(&guest, &address, NULL), 0);
	int fd = dup(guest.fd);
	address = parse("memfd:");
	assert_int_equal(portal_heap_open(&controller, &address, fd, guest.header.id, NULL), 0);
	assert_int_equal(controller.base, 0);
	assert_int_equal(portal_heap_get_pool_size(&controller), 8 << 20);
	size_t offset = guest.header.data_offset + 12345;
	assert_int_equal(portal_heap_populate(&guest, guest.header.data_offset, 1 << 20), 0);
	*portal_heap_at(&guest, offset) = 42;
	assert_int_equal(*portal_heap_at(&controller, offset), 42);
	portal_heap_finish(&guest);
	portal_heap_finish(&controller);
}

static void a_memfd_without_a_seal_is_refused(void **state) {
	struct portal_heap heap;
	struct portal_heap_address address = parse("memfd:");
	const uint8_t id[16] = {0};
	const char *error = NULL;
	int fd = memfd_create("test", MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, 8 << 20), 0);
	assert_int_equal(portal_heap_open(&heap, &address, fd, id, &error), -1);
	assert_int_equal(errno, EPERM);
	assert_non_null(error);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* taken over, closed */
	assert_int_equal(portal_heap_open(&heap, &address, -1, id, &error), -1);
	assert_int_equal(errno, EBADF);
}

static void a_file_that_is_no_memfd_is_refused_as_one(void **state) {
	struct portal_heap heap;
	struct portal_heap_address address = parse("memfd:");
	const uint8_t id[16] = {0};
	int fd = open("/dev/null", O_RDWR);
	assert_int_equal(portal_heap_open(&heap, &address, fd, id, NULL), -1);
	assert_int_equal(errno, EPERM);
}

/* The guest's device begins where the DAX information block says; a file of the rest stands in. */
static void a_dax_heaps_header_is_found_two_mebibytes_into_its_file(void **state) {
	struct portal_heap guest, controller;
	assert_int_equal(portal_heap_format_file(path, 16u << 20, true), 0);
	struct portal_heap_address address = parse_path("file:");
	assert_int_equal(portal_heap_create(&guest, &address, NULL), 0);
	/* move the header to where a guest's DAX device begins */
	memmove(guest.map + PORTAL_HEAP_DAX_BASE, guest.map, PORTAL_HEAP_PAGE);
	memset(guest.map, 0, PORTAL_HEAP_PAGE);
	struct portal_heap_header *header = (void *)(guest.map + PORTAL_HEAP_DAX_BASE);
	header->size -= PORTAL_HEAP_DAX_BASE;
	assert_int_equal(portal_heap_open(&controller, &address, -1, guest.header.id, NULL), 0);
	assert_int_equal(controller.base, PORTAL_HEAP_DAX_BASE);
	assert_int_equal(controller.header.size, 14u << 20);
	portal_heap_finish(&controller);
	portal_heap_finish(&guest);
	unlink(path);
}

static void another_heap_is_not_taken_for_the_guests(void **state) {
	struct portal_heap guest, controller;
	struct portal_heap_address address = parse_path("file:");
	assert_int_equal(portal_heap_format_file(path, 8u << 20, false), 0);
	assert_int_equal(portal_heap_create(&guest, &address, NULL), 0);
	uint8_t id[16];
	memcpy(id, guest.header.id, sizeof(id));
	id[15] ^= 1;
	assert_int_equal(portal_heap_open(&controller, &address, -1, id, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	portal_heap_finish(&guest);
	unlink(path);
}

static void headers_that_cannot_be_true_are_refused(void **state) {
	struct portal_heap guest, controller;
	struct portal_heap_address address = parse_path("file:");
	assert_int_equal(portal_heap_format_file(path, 8u << 20, false), 0);
	assert_int_equal(portal_heap_create(&guest, &address, NULL), 0);
	struct portal_heap_header *header = (void *)guest.map;
	const struct portal_heap_header good = *header;
	struct portal_heap_header bad[] = {good, good, good, good, good, good, good, good};
	bad[0].version = 2;
	bad[1].size = (8u << 20) + 1;
	bad[2].size = UINT64_MAX;
	bad[3].data_offset = good.size;
	bad[4].data_offset = good.data_offset + 1;
	bad[5].scratch_size = UINT64_MAX;
	bad[6].scratch_offset = UINT64_MAX;
	bad[7].header_size = 8;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		*header = bad[i];
		assert_int_equal(portal_heap_open(&controller, &address, -1, good.id, NULL), -1);
		assert_int_equal(errno, EPROTO);
	}
	*header = good;
	assert_int_equal(portal_heap_open(&controller, &address, -1, good.id, NULL), 0);
	/* checked once, kept: later changes by the guest change nothing */
	header->size = UINT64_MAX;
	assert_int_equal(controller.header.size, good.size);
	portal_heap_finish(&controller);
	portal_heap_finish(&guest);
	unlink(path);
}

static void both_directions_of_a_mapping_are_timed(void **state) {
	struct portal_heap heap;
	struct portal_heap_address address = parse("memfd:8M");
	assert_int_equal(portal_heap_create(&heap, &address, NULL), 0);
	size_t end = heap.header.data_offset;
	*portal_heap_at(&heap, end) = 7;
	portal_heap_measure(&heap, true);
	assert_true(heap.read_speed > 0);
	assert_true(heap.write_speed > 0);
	portal_heap_measure(&heap, false);
	/* neither half reaches header or data */
	assert_memory_equal(portal_heap_at(&heap, 0), &heap.header, sizeof(heap.header));
	assert_int_equal(*portal_heap_at(&heap, end), 7);
	portal_heap_finish(&heap);
}

static void heaps_that_are_missing_or_too_small_are_refused(void **state) {
	struct portal_heap heap;
	struct portal_heap_address address = parse("file:/nonexistent/heap");
	const char *error = NULL;
	assert_int_equal(portal_heap_create(&heap, &address, &error), -1);
	assert_int_equal(errno, ENOENT);
	assert_non_null(error);
	address = parse("memfd:1M");
	assert_int_equal(portal_heap_create(&heap, &address, &error), -1);
	assert_int_equal(errno, EINVAL);
	address = parse("memfd:2G");
	assert_int_equal(portal_heap_create(&heap, &address, &error), -1);
	assert_int_equal(errno, EINVAL);
	address = parse("memfd:");
	assert_int_equal(portal_heap_create(&heap, &address, &error), -1);
	assert_int_equal(portal_heap_map(&heap, &address, &error), -1);
}

/* Nothing is behind these files, so nothing may be made present. */
static void what_wl_shm_cannot_name_is_not_mapped(void **state) {
	static const enum portal_heap_kind kinds[] = {PORTAL_HEAP_FILE, PORTAL_HEAP_DAX};
	for (size_t i = 0; i < 2; i++) {
		struct portal_heap heap = {.kind = kinds[i], .fd = memfd_create("heap", 0)};
		size_t base = heap.kind == PORTAL_HEAP_DAX ? PORTAL_HEAP_DAX_BASE : 0;
		assert_int_equal(ftruncate(heap.fd, INT64_C(3) << 30), 0);
		assert_int_equal(portal_heap_map_fd(&heap, false, NULL), 0);
		/* the end of the pool, at the other end, too */
		assert_true(heap.map_size + base <= INT32_MAX);
		assert_true(heap.map_size + base > INT32_MAX - (4u << 20));
		assert_int_equal((size_t)portal_heap_get_pool_size(&heap), heap.map_size);
		portal_heap_finish(&heap);
	}
}

static uint64_t read_number(const uint8_t *at, size_t size) {
	uint64_t value = 0;
	for (size_t i = size; i-- > 0;) {
		value = value << 8 | at[i];
	}
	return value;
}

/* Offsets as in Linux' drivers/nvdimm/pfn.h, struct nd_pfn_sb. */
static void a_dax_files_information_block_is_what_linux_reads(void **state) {
	assert_int_equal(portal_heap_format_file(path, 256u << 20, true), 0);
	int fd = open(path, O_RDONLY);
	uint8_t block[4096];
	assert_int_equal(pread(fd, block, sizeof(block), 4096), sizeof(block));
	struct stat stat_buffer;
	assert_int_equal(fstat(fd, &stat_buffer), 0);
	assert_int_equal(stat_buffer.st_size, 256u << 20);
	assert_int_equal(stat_buffer.st_mode & 0777, 0600);
	/* all of it is allocated */
	assert_true((uint64_t)stat_buffer.st_blocks * 512 >= 256u << 20);
	close(fd);
	assert_memory_equal(block, "NVDIMM_DAX_INFO", 16);
	const uint8_t zeros[16] = {0};
	assert_memory_equal(block + 32, zeros, 16); /* parent_uuid */
	assert_int_equal(read_number(block + 52, 2), 1); /* version_major */
	assert_int_equal(read_number(block + 56, 8), 2u << 20); /* dataoff */
	assert_int_equal(read_number(block + 64, 8), (254u << 20) / 4096); /* npfns */
	assert_int_equal(read_number(block + 72, 4), 1); /* mode: ram */
	assert_int_equal(read_number(block + 84, 4), 2u << 20); /* align */
	uint64_t stored = read_number(block + 4088, 8), high = 0;
	uint32_t low = 0;
	memset(block + 4088, 0, 8);
	for (size_t at = 0; at < sizeof(block); at += 4) {
		low += (uint32_t)read_number(block + at, 4);
		high += low;
	}
	assert_int_equal(stored, high << 32 | low);
	unlink(path);
}

static void a_plain_file_has_no_information_block_left(void **state) {
	assert_int_equal(portal_heap_format_file(path, 8u << 20, true), 0);
	assert_int_equal(portal_heap_format_file(path, 8u << 20, false), 0);
	int fd = open(path, O_RDONLY);
	uint8_t block[16];
	assert_int_equal(pread(fd, block, sizeof(block), 4096), sizeof(block));
	const uint8_t zeros[16] = {0};
	assert_memory_equal(block, zeros, sizeof(zeros));
	close(fd);
	unlink(path);
}

/* Shorter, it would be gone from under its user; longer, it is not the heap the user took it for.
 */
static void a_file_that_is_in_use_is_left_and_another_takes_its_place(void **state) {
	const uint64_t sizes[] = {6u << 20, 16u << 20};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(portal_heap_format_file(path, 8u << 20, false), 0);
		assert_int_equal(chmod(path, 0640), 0);
		int fd = open(path, O_RDWR);
		uint8_t *map = mmap(NULL, 8u << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		assert_ptr_not_equal(map, MAP_FAILED);
		struct stat former, status;
		assert_int_equal(fstat(fd, &former), 0);
		close(fd);
		map[0] = map[(8u << 20) - 1] = 7;
		assert_int_equal(portal_heap_format_file(path, sizes[i], true), 0);
		assert_int_equal(map[0], 7);
		assert_int_equal(map[(8u << 20) - 1], 7);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_size, sizes[i]);
		assert_int_equal(status.st_mode & 0777, 0640);
		assert_int_not_equal(status.st_ino, former.st_ino);
		munmap(map, 8u << 20);
		/* Once nobody has it open, it is the same file in another size. */
		assert_int_equal(portal_heap_format_file(path, 8u << 20, false), 0);
		assert_int_equal(stat(path, &former), 0);
		assert_int_equal(status.st_ino, former.st_ino);
		unlink(path);
	}
}

/* No machine has that much. */
static void a_file_that_cannot_grow_stays_as_long_as_it_was(void **state) {
	assert_int_equal(portal_heap_format_file(path, 8u << 20, false), 0);
	assert_int_equal(portal_heap_format_file(path, UINT64_C(1) << 60, false), -1);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, 8u << 20);
	unlink(path);
}

static void files_of_odd_sizes_are_not_made(void **state) {
	assert_int_equal(portal_heap_format_file(path, (8u << 20) + 4096, true), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(portal_heap_format_file(path, 2u << 20, true), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(access(path, F_OK), -1);
}

static void assert_not_taken(void) {
	assert_int_equal(portal_heap_format_file(path, 8u << 20, false), -1);
	assert_string_equal(portal_heap_file_error(errno), portal_heap_file_error(EPERM));
	assert_int_equal(portal_heap_format_file(path, 8u << 20, true), -1);
	assert_string_equal(portal_heap_file_error(errno), portal_heap_file_error(EPERM));
	assert_int_equal(portal_heap_take_file(path, NULL), -1);
	assert_string_equal(portal_heap_file_error(errno), portal_heap_file_error(EPERM));
	assert_int_equal(unlink(path), 0);
}

static void touch(const char *name, mode_t mode) {
	int fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* In /dev/shm everybody can make a file of the name that a guest's heap will have. */
static void what_others_could_have_made_does_not_become_a_heap(void **state) {
	char other[sizeof(path) + 8];
	snprintf(other, sizeof(other), "%s.other", path);
	touch(path, 0666);
	assert_not_taken();
	touch(path, 0660);
	assert_not_taken();
	touch(other, 0600);
	assert_int_equal(link(other, path), 0);
	assert_not_taken();
	assert_int_equal(symlink(other, path), 0);
	assert_not_taken();
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_not_taken();
	struct stat status;
	assert_int_equal(stat(other, &status), 0);
	assert_int_equal(status.st_size, 0);
	unlink(other);
}

/* Who is not root, nor whoever runs the test. */
static const struct portal_heap_owner qemu = {64055, 64056};

static struct stat look(void) {
	struct stat status;
	assert_int_equal(lstat(path, &status), 0);
	return status;
}

static void assert_is_qemus(void) {
	struct stat status = look();
	assert_int_equal(status.st_uid, qemu.user);
	assert_int_equal(status.st_gid, qemu.group);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_size, 8u << 20);
}

static void a_file_is_made_for_its_owner_and_nobody_else(void **state) {
	for (int dax = 0; dax < 2; dax++) {
		if (geteuid() != 0) {
			skip();
		}
		assert_int_equal(portal_heap_make_file(path, 8u << 20, dax, &qemu), 0);
		assert_is_qemus();
		/* One that is his stays; one that root made becomes his. */
		ino_t inode = look().st_ino;
		assert_int_equal(portal_heap_make_file(path, 8u << 20, dax, &qemu), 0);
		assert_int_equal(look().st_ino, inode);
		assert_is_qemus();
		assert_int_equal(chown(path, 0, 0), 0);
		assert_int_equal(portal_heap_take_file(path, &qemu), 0);
		assert_int_equal(look().st_ino, inode);
		assert_is_qemus();
		unlink(path);
	}
}

/* As QEMU leaves one that it had to make itself. */
static void a_file_that_others_may_read_makes_way(void **state) {
	touch(path, 0644);
	ino_t inode = look().st_ino;
	assert_int_equal(portal_heap_take_file(path, NULL), -1);
	assert_int_equal(errno, EPERM);
	/* Held open, so that the number is not used again. */
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(portal_heap_format_file(path, 8u << 20, false), 0);
	assert_int_not_equal(look().st_ino, inode);
	assert_int_equal(look().st_mode & 07777, 0600);
	close(fd);
	unlink(path);
}

static void another_users_file_is_refused(void **state) {
	if (geteuid() != 0) {
		skip();
	}
	assert_int_equal(portal_heap_format_file(path, 8u << 20, true), 0);
	assert_int_equal(chown(path, 64057, 64057), 0);
	for (int dax = 0; dax < 2; dax++) {
		assert_int_equal(portal_heap_make_file(path, 8u << 20, dax, &qemu), -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(portal_heap_take_file(path, &qemu), -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(look().st_uid, 64057);
	}
	unlink(path);
}

static void whether_a_file_of_anothers_is_in_use_is_known(void **state) {
	if (geteuid() != 0) {
		skip();
	}
	assert_int_equal(portal_heap_make_file(path, 8u << 20, false, &qemu), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_false(portal_heap_file_is_in_use(fd));
	int other = open(path, O_RDWR | O_CLOEXEC);
	assert_true(portal_heap_file_is_in_use(fd));
	/* Another takes its place, and is his, too. */
	assert_int_equal(portal_heap_make_file(path, 6u << 20, false, &qemu), 0);
	assert_int_equal(look().st_uid, qemu.user);
	assert_int_equal(look().st_size, 6u << 20);
	close(other);
	close(fd);
	unlink(path);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_parsed),
		cmocka_unit_test(addresses_that_mean_nothing_are_refused_with_a_sentence),
		cmocka_unit_test(both_ends_see_the_same_bytes_of_a_memfd),
		cmocka_unit_test(a_memfd_without_a_seal_is_refused),
		cmocka_unit_test(a_file_that_is_no_memfd_is_refused_as_one),
		cmocka_unit_test(a_dax_heaps_header_is_found_two_mebibytes_into_its_file),
		cmocka_unit_test(another_heap_is_not_taken_for_the_guests),
		cmocka_unit_test(headers_that_cannot_be_true_are_refused),
		cmocka_unit_test(both_directions_of_a_mapping_are_timed),
		cmocka_unit_test(heaps_that_are_missing_or_too_small_are_refused),
		cmocka_unit_test(what_wl_shm_cannot_name_is_not_mapped),
		cmocka_unit_test(a_dax_files_information_block_is_what_linux_reads),
		cmocka_unit_test(a_plain_file_has_no_information_block_left),
		cmocka_unit_test(a_file_that_is_in_use_is_left_and_another_takes_its_place),
		cmocka_unit_test(a_file_that_cannot_grow_stays_as_long_as_it_was),
		cmocka_unit_test(files_of_odd_sizes_are_not_made),
		cmocka_unit_test(what_others_could_have_made_does_not_become_a_heap),
		cmocka_unit_test(a_file_is_made_for_its_owner_and_nobody_else),
		cmocka_unit_test(a_file_that_others_may_read_makes_way),
		cmocka_unit_test(another_users_file_is_refused),
		cmocka_unit_test(whether_a_file_of_anothers_is_in_use_is_known),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
