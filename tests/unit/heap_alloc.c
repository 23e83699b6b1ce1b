#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "heap_alloc.h"

#define PAGE 4096u
#define BASE (1u << 20)
#define SIZE (64u << 20)
#define PAGES (SIZE / PAGE)

struct range {
	size_t offset, usable;
};

/* What the allocator has given away, page by page. */
struct model {
	uint8_t taken[PAGES];
	struct range ranges[4096];
	size_t count;
	size_t used;
};

static uint64_t random_state;

static uint32_t random_below(uint32_t bound) {
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % bound;
}

static void model_take(struct model *model, size_t offset, size_t size, size_t usable) {
	assert_int_equal(offset % PAGE, 0);
	assert_true(offset >= BASE);
	assert_true(usable >= size);
	assert_true(offset + usable <= BASE + SIZE);
	/* rounding costs an eighth at most, and a page */
	assert_true(usable <= size + size / 8 + PAGE);
	for (size_t page = (offset - BASE) / PAGE; page < (offset - BASE + usable) / PAGE; page++) {
		assert_int_equal(model->taken[page], 0);
		model->taken[page] = 1;
	}
	model->ranges[model->count++] = (struct range){offset, usable};
	model->used += usable;
}

static void model_put(struct model *model, struct portal_heap_alloc *alloc, size_t index) {
	struct range range = model->ranges[index];
	memset(&model->taken[(range.offset - BASE) / PAGE], 0, range.usable / PAGE);
	model->used -= range.usable;
	model->ranges[index] = model->ranges[--model->count];
	portal_heap_alloc_put(alloc, range.offset);
}

static uint32_t random_size(void) {
	switch (random_below(4)) {
	case 0:
		return 1 + random_below(PAGE);
	case 1:
		return 1 + random_below(64 * PAGE);
	case 2:
		return 4 * (1 + random_below(1000)) * (1 + random_below(700));
	default:
		return 1 + random_below(SIZE + SIZE / 4);
	}
}

static void step(struct model *model, struct portal_heap_alloc *alloc) {
	bool full = model->count == sizeof(model->ranges) / sizeof(model->ranges[0]);
	if (model->count > 0 && (full || random_below(100) < 48)) {
		model_put(model, alloc, random_below((uint32_t)model->count));
	} else {
		size_t usable = 0, size = random_size();
		size_t largest = portal_heap_alloc_get_largest(alloc);
		size_t offset = portal_heap_alloc_get(alloc, size, &usable);
		assert_int_equal(offset != 0, size <= largest);
		if (offset != 0) {
			model_take(model, offset, size, usable);
		} else {
			assert_int_equal(errno, ENOMEM);
		}
	}
	assert_int_equal(portal_heap_alloc_get_used(alloc), model->used);
}

static void random_histories_agree_with_a_model_of_the_pages(void **state) {
	struct model *model = calloc(1, sizeof(*model));
	for (uint64_t seed = 1; seed <= 20; seed++) {
		random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
		memset(model, 0, sizeof(*model));
		struct portal_heap_alloc *alloc = portal_heap_alloc_create(BASE, SIZE);
		assert_non_null(alloc);
		size_t largest = portal_heap_alloc_get_largest(alloc);
		for (int i = 0; i < 5000; i++) {
			step(model, alloc);
		}
		while (model->count > 0) {
			model_put(model, alloc, random_below((uint32_t)model->count));
		}
		/* all neighbours have been joined again */
		assert_int_equal(portal_heap_alloc_get_used(alloc), 0);
		assert_int_equal(portal_heap_alloc_get_largest(alloc), largest);
		assert_int_equal(largest, SIZE);
		portal_heap_alloc_destroy(alloc);
	}
	free(model);
}

static void every_size_finds_room_in_an_empty_heap(void **state) {
	struct portal_heap_alloc *alloc = portal_heap_alloc_create(BASE, SIZE);
	for (size_t size = 1; size <= SIZE; size += size / 13 + 1) {
		size_t usable = 0;
		size_t offset = portal_heap_alloc_get(alloc, size, &usable);
		assert_int_not_equal(offset, 0);
		assert_true(usable >= size);
		portal_heap_alloc_put(alloc, offset);
	}
	portal_heap_alloc_destroy(alloc);
}

static void a_window_that_is_resized_leaves_no_holes_behind(void **state) {
	struct portal_heap_alloc *alloc = portal_heap_alloc_create(BASE, SIZE);
	size_t buffers[2] = {0};
	/* two buffers of 1 to 8 MB each in 64 MB, one pixel more or less in each step */
	for (int i = 0; i < 4000; i++) {
		size_t width = 500 + (size_t)abs(1000 - i % 2000);
		size_t *buffer = &buffers[i % 2];
		if (*buffer != 0) {
			portal_heap_alloc_put(alloc, *buffer);
		}
		*buffer = portal_heap_alloc_get(alloc, width * 4 * 1400, NULL);
		assert_int_not_equal(*buffer, 0);
	}
	assert_true(portal_heap_alloc_get_largest(alloc) > SIZE / 2);
	portal_heap_alloc_destroy(alloc);
}

static void what_cannot_be_is_refused(void **state) {
	assert_null(portal_heap_alloc_create(0, SIZE));
	assert_null(portal_heap_alloc_create(BASE, 100));
	assert_null(portal_heap_alloc_create(BASE + 1, 1));
	struct portal_heap_alloc *alloc = portal_heap_alloc_create(BASE, SIZE);
	assert_int_equal(portal_heap_alloc_get(alloc, 0, NULL), 0);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(portal_heap_alloc_get(alloc, SIZE + 1, NULL), 0);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(portal_heap_alloc_get(alloc, SIZE_MAX, NULL), 0);
	assert_int_equal(errno, ENOMEM);
	portal_heap_alloc_destroy(alloc);
	portal_heap_alloc_destroy(NULL);
}

static void the_largest_heap_can_be_used_to_its_end(void **state) {
	size_t size = INT32_MAX - 2 * PAGE - BASE;
	struct portal_heap_alloc *alloc = portal_heap_alloc_create(BASE, size);
	size_t used = 0, offset;
	while ((offset = portal_heap_alloc_get(alloc, 32u << 20, NULL)) != 0) {
		assert_true(offset + (32u << 20) <= INT32_MAX);
		used += 32u << 20;
	}
	assert_int_equal(used, size / (32u << 20) * (32u << 20));
	portal_heap_alloc_destroy(alloc);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_histories_agree_with_a_model_of_the_pages),
		cmocka_unit_test(every_size_finds_room_in_an_empty_heap),
		cmocka_unit_test(a_window_that_is_resized_leaves_no_holes_behind),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(the_largest_heap_can_be_used_to_its_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
