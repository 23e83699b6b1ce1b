#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "heap.h"
#include "heap_alloc.h"

/*
 * Two-level segregated fit: free ranges stand in lists by size class, eight classes for each power
 * of two of pages, and a bitmap says which lists have any. Neighbours are found through entries for
 * a range's first and last page. Sizes are rounded up to the begin of a class, so that whatever
 * stands in that class's list, or a larger one's, fits.
 */

#define CLASS_SHIFT 3
#define CLASS_STEPS (1u << CLASS_SHIFT)
#define CLASS_COUNT 192
#define NONE UINT32_MAX

struct page_entry {
	uint32_t pages; /* first page of a range: its length; last of a free one: the same */
	uint32_t next, previous; /* first page of a free range: its class's list */
	uint32_t free; /* first and last page */
};

struct portal_heap_alloc {
	size_t base; /* heap offset of page 0 */
	uint32_t page_count;
	uint32_t used_pages;
	uint32_t heads[CLASS_COUNT];
	uint64_t nonempty[CLASS_COUNT / 64];
	struct page_entry entries[];
};

static unsigned int log2_of(uint32_t pages) {
	return 31u - (unsigned int)__builtin_clz(pages);
}

static unsigned int class_of(uint32_t pages) {
	if (pages < CLASS_STEPS) {
		return pages;
	}
	unsigned int log = log2_of(pages);
	unsigned int step = (pages >> (log - CLASS_SHIFT)) & (CLASS_STEPS - 1);
	return (log - CLASS_SHIFT + 1) * CLASS_STEPS + step;
}

/* The smallest size in a class. */
static uint32_t class_begin(unsigned int class) {
	if (class < CLASS_STEPS) {
		return class;
	}
	unsigned int log = class / CLASS_STEPS - 1 + CLASS_SHIFT;
	return (CLASS_STEPS + class % CLASS_STEPS) << (log - CLASS_SHIFT);
}

static uint32_t round_to_class(uint32_t pages) {
	unsigned int class = class_of(pages);
	return class_begin(class) == pages ? pages : class_begin(class + 1);
}

static void list_insert(struct portal_heap_alloc *alloc, uint32_t page, uint32_t pages) {
	unsigned int class = class_of(pages);
	struct page_entry *entry = &alloc->entries[page];
	*entry = (struct page_entry){
		.pages = pages,
		.next = alloc->heads[class],
		.previous = NONE,
		.free = 1,
	};
	if (entry->next != NONE) {
		alloc->entries[entry->next].previous = page;
	}
	alloc->heads[class] = page;
	alloc->nonempty[class / 64] |= UINT64_C(1) << class % 64;
	struct page_entry *last = &alloc->entries[page + pages - 1];
	last->pages = pages;
	last->free = 1;
}

static void list_remove(struct portal_heap_alloc *alloc, uint32_t page) {
	struct page_entry *entry = &alloc->entries[page];
	unsigned int class = class_of(entry->pages);
	if (entry->next != NONE) {
		alloc->entries[entry->next].previous = entry->previous;
	}
	if (entry->previous != NONE) {
		alloc->entries[entry->previous].next = entry->next;
	} else {
		alloc->heads[class] = entry->next;
	}
	if (alloc->heads[class] == NONE) {
		alloc->nonempty[class / 64] &= ~(UINT64_C(1) << class % 64);
	}
	alloc->entries[page + entry->pages - 1].free = 0;
	entry->free = 0;
}

struct portal_heap_alloc *portal_heap_alloc_create(size_t offset, size_t size) {
	size_t base = (offset + PORTAL_HEAP_PAGE - 1) & ~(size_t)(PORTAL_HEAP_PAGE - 1);
	size_t bytes = size > base - offset ? size - (base - offset) : 0;
	uint32_t pages = bytes <= INT32_MAX ? (uint32_t)(bytes / PORTAL_HEAP_PAGE) : 0;
	if (base == 0 || pages == 0) {
		errno = EINVAL;
		return NULL;
	}
	struct portal_heap_alloc *alloc =
		calloc(1, sizeof(*alloc) + pages * sizeof(struct page_entry));
	if (alloc == NULL) {
		return NULL;
	}
	alloc->base = base;
	alloc->page_count = pages;
	for (unsigned int i = 0; i < CLASS_COUNT; i++) {
		alloc->heads[i] = NONE;
	}
	list_insert(alloc, 0, pages);
	return alloc;
}

void portal_heap_alloc_destroy(struct portal_heap_alloc *alloc) {
	free(alloc);
}

/* The first list from class upwards that is not empty, or CLASS_COUNT. */
static unsigned int find_class(const struct portal_heap_alloc *alloc, unsigned int class) {
	uint64_t mask = ~UINT64_C(0) << class % 64;
	for (unsigned int i = class / 64; i < CLASS_COUNT / 64; i++) {
		uint64_t bits = alloc->nonempty[i] & mask;
		if (bits != 0) {
			return i * 64 + (unsigned int)__builtin_ctzll(bits);
		}
		mask = ~UINT64_C(0);
	}
	return CLASS_COUNT;
}

size_t portal_heap_alloc_round(size_t size) {
	size_t pages = size / PORTAL_HEAP_PAGE + (size % PORTAL_HEAP_PAGE != 0);
	/* No heap has more. */
	return pages > INT32_MAX ? size
				 : (size_t)round_to_class((uint32_t)pages) * PORTAL_HEAP_PAGE;
}

size_t portal_heap_alloc_get(struct portal_heap_alloc *alloc, size_t size, size_t *usable) {
	if (size == 0) {
		errno = EINVAL;
		return 0;
	}
	size_t wanted = size / PORTAL_HEAP_PAGE + (size % PORTAL_HEAP_PAGE != 0);
	uint32_t pages = wanted > alloc->page_count ? NONE : round_to_class((uint32_t)wanted);
	unsigned int class =
		pages > alloc->page_count ? CLASS_COUNT : find_class(alloc, class_of(pages));
	if (class == CLASS_COUNT) {
		errno = ENOMEM;
		return 0;
	}
	uint32_t page = alloc->heads[class];
	uint32_t whole = alloc->entries[page].pages;
	assert(whole >= pages);
	list_remove(alloc, page);
	if (whole > pages) {
		list_insert(alloc, page + pages, whole - pages);
	}
	alloc->entries[page].pages = pages;
	alloc->used_pages += pages;
	if (usable != NULL) {
		*usable = (size_t)pages * PORTAL_HEAP_PAGE;
	}
	return alloc->base + (size_t)page * PORTAL_HEAP_PAGE;
}

void portal_heap_alloc_put(struct portal_heap_alloc *alloc, size_t offset) {
	assert(offset >= alloc->base && (offset - alloc->base) % PORTAL_HEAP_PAGE == 0);
	uint32_t page = (uint32_t)((offset - alloc->base) / PORTAL_HEAP_PAGE);
	assert(page < alloc->page_count);
	uint32_t pages = alloc->entries[page].pages;
	assert(pages > 0 && alloc->entries[page].free == 0);
	alloc->entries[page].pages = 0;
	alloc->used_pages -= pages;
	uint32_t next = page + pages;
	if (next < alloc->page_count && alloc->entries[next].free) {
		uint32_t next_pages = alloc->entries[next].pages;
		list_remove(alloc, next);
		pages += next_pages;
	}
	if (page > 0 && alloc->entries[page - 1].free) {
		uint32_t previous = page - alloc->entries[page - 1].pages;
		list_remove(alloc, previous);
		pages += page - previous;
		page = previous;
	}
	list_insert(alloc, page, pages);
}

size_t portal_heap_alloc_get_used(const struct portal_heap_alloc *alloc) {
	return (size_t)alloc->used_pages * PORTAL_HEAP_PAGE;
}

size_t portal_heap_alloc_get_largest(const struct portal_heap_alloc *alloc) {
	for (unsigned int i = CLASS_COUNT / 64; i-- > 0;) {
		if (alloc->nonempty[i] != 0) {
			unsigned int bit = 63u - (unsigned int)__builtin_clzll(alloc->nonempty[i]);
			return (size_t)class_begin(i * 64 + bit) * PORTAL_HEAP_PAGE;
		}
	}
	return 0;
}
