/* Which transport and heap an agent finds in a guest, told from trees that look like /sys. */
#include "machine.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct tree {
	char path[64];
	char text[128];
};

static void make(const struct tree *tree, const char *path, const char *content) {
	char full[256];
	int length = snprintf(full, sizeof(full), "%s/%s", tree->path, path);
	assert_true(length > 0 && (size_t)length < sizeof(full));
	for (char *slash = full + strlen(tree->path) + 1; (slash = strchr(slash, '/')) != NULL;
		slash++) {
		*slash = '\0';
		assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	FILE *file = fopen(full, "w");
	assert_non_null(file);
	fputs(content, file);
	fclose(file);
}

static int set_up(void **state) {
	struct tree *tree = calloc(1, sizeof(*tree));
	strcpy(tree->path, "/tmp/portal-machine-XXXXXX");
	*state = tree;
	return mkdtemp(tree->path) == NULL;
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *ftw) {
	return remove(path);
}

static int tear_down(void **state) {
	struct tree *tree = *state;
	nftw(tree->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(tree);
	return 0;
}

static int find_transport(struct tree *tree, const char *credentials) {
	return machine_find_transport(tree->text, sizeof(tree->text), tree->path, credentials);
}

static int find_heap(struct tree *tree, const char *credentials) {
	return machine_find_heap(tree->text, sizeof(tree->text), tree->path, credentials);
}

static void a_machine_with_no_device_of_portals_has_neither(void **state) {
	make(*state, "class/virtio-ports/vport1p1/name", "org.qemu.guest_agent.0\n");
	make(*state, "bus/pci/devices/0000:00:02.0/vendor", "0x1af4\n");
	make(*state, "bus/pci/devices/0000:00:02.0/device", "0x1050\n");
	assert_int_equal(find_transport(*state, NULL), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(find_heap(*state, NULL), -1);
	assert_int_equal(errno, ENOENT);
}

static void the_port_of_the_agents_name_is_the_transport(void **state) {
	struct tree *tree = *state;
	make(tree, "class/virtio-ports/vport1p1/name", "org.qemu.guest_agent.0\n");
	make(tree, "class/virtio-ports/vport1p2/name", "org.portal.agent.0\n");
	make(tree, "class/misc/vsock/dev", "10:121\n");
	assert_int_equal(find_transport(tree, NULL), 0);
	assert_string_equal(tree->text, "virtio-serial:/dev/vport1p2");
}

static void without_a_port_a_vsock_is_the_transport(void **state) {
	struct tree *tree = *state;
	make(tree, "class/misc/vsock/dev", "10:121\n");
	assert_int_equal(find_transport(tree, NULL), 0);
	assert_string_equal(tree->text, "vsock:any:7000");
}

static void a_dax_device_is_a_better_heap_than_an_ivshmem_device(void **state) {
	struct tree *tree = *state;
	make(tree, "bus/pci/devices/0000:10:01.0/vendor", "0x1af4\n");
	make(tree, "bus/pci/devices/0000:10:01.0/device", "0x1110\n");
	assert_int_equal(find_heap(tree, NULL), 0);
	assert_string_equal(tree->text, "ivshmem:0000:10:01.0");
	make(tree, "bus/dax/devices/dax0.0/size", "65011712\n");
	assert_int_equal(find_heap(tree, NULL), 0);
	assert_string_equal(tree->text, "dax:/dev/dax0.0");
}

static void of_several_heaps_the_first_by_address_is_taken(void **state) {
	struct tree *tree = *state;
	make(tree, "bus/dax/devices/dax2.0/size", "1\n");
	make(tree, "bus/dax/devices/dax1.0/size", "1\n");
	make(tree, "bus/dax/devices/dax3.0/size", "1\n");
	assert_int_equal(find_heap(tree, NULL), 0);
	assert_string_equal(tree->text, "dax:/dev/dax1.0");
}

static void credentials_go_before_devices(void **state) {
	struct tree *tree = *state;
	make(tree, "class/misc/vsock/dev", "10:121\n");
	make(tree, "bus/dax/devices/dax0.0/size", "65011712\n");
	make(tree, "portal.listen", "vsock:any:81\n");
	make(tree, "portal.heap", "ivshmem:0000:10:01.0");
	assert_int_equal(find_transport(tree, tree->path), 0);
	assert_string_equal(tree->text, "vsock:any:81");
	assert_int_equal(find_heap(tree, tree->path), 0);
	assert_string_equal(tree->text, "ivshmem:0000:10:01.0");
}

static void an_answer_that_does_not_fit_is_no_answer(void **state) {
	struct tree *tree = *state;
	make(tree, "bus/dax/devices/dax0.0/size", "65011712\n");
	assert_int_equal(machine_find_heap(tree->text, 15, tree->path, NULL), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(machine_find_heap(tree->text, 16, tree->path, NULL), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_machine_with_no_device_of_portals_has_neither),
		TEST(the_port_of_the_agents_name_is_the_transport),
		TEST(without_a_port_a_vsock_is_the_transport),
		TEST(a_dax_device_is_a_better_heap_than_an_ivshmem_device),
		TEST(of_several_heaps_the_first_by_address_is_taken),
		TEST(credentials_go_before_devices),
		TEST(an_answer_that_does_not_fit_is_no_answer),
#undef TEST
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
