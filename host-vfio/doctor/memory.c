#include <inttypes.h>
#include <stdio.h>

#include "base/must.h"
#include "base/size.h"
#include "doctor/examine.h"

/* "/sys/kernel/mm/hugepages/hugepages-2048kB" */
static uint64_t page_size(const char *name) {
	uint64_t kib = 0;
	return sscanf(name, "hugepages-%" SCNu64 "kB", &kib) == 1 ? kib * 1024 : 0;
}

void examine_memory(struct diagnoses *diagnoses, struct tree *tree) {
	struct strings names = tree_list(tree, "/sys/kernel/mm/hugepages");
	unsigned kinds = 0;
	for (size_t i = 0; i < names.count; i++) {
		char size[SIZE_TEXT];
		long long all = tree_number(
			tree, 0, "/sys/kernel/mm/hugepages/%s/nr_hugepages", names.items[i]);
		long long free_pages = tree_number(
			tree, 0, "/sys/kernel/mm/hugepages/%s/free_hugepages", names.items[i]);
		uint64_t bytes = page_size(names.items[i]);
		if (all <= 0 || bytes == 0) {
			continue;
		}
		kinds++;
		size_format(bytes, size);
		diagnoses_add(diagnoses, free_pages > 0 ? DIAGNOSIS_GOOD : DIAGNOSIS_HINT,
			"hugepages",
			must_print(
				"%lld of %lld huge pages of %s are free.", free_pages, all, size),
			free_pages > 0 ? NULL
				       : must_copy("A VM that wants some cannot start before "
						   "another one has ended; or set more aside, by "
						   "\"portal-host setup --hugepages\"."));
	}
	if (names.count > 0 && kinds == 0) {
		diagnoses_add(diagnoses, DIAGNOSIS_HINT, "hugepages",
			must_copy("No huge pages are set aside: VMs run with small ones, which "
				  "costs some speed."),
			must_copy("\"portal-host setup --hugepages N\" sets N of 2 MiB aside, "
				  "which only VMs that ask for them use."));
	}
	strings_finish(&names);
}
