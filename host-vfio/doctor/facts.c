#include "doctor/facts.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/size.h"
#include "base/words.h"

/* Many processors make /proc/cpuinfo long; the first one speaks for all. */
static void read_processor(struct facts *facts, struct tree *tree) {
	enum { FIRST = 8192 };
	char *text = must_alloc(FIRST + 1, 1);
	if (tree_bytes(tree, text, FIRST, "/proc/cpuinfo") > 0) {
		facts->intel = strstr(text, "GenuineIntel") != NULL;
		facts->virtualization =
			words_contain(text, "vmx", " \t\n") || words_contain(text, "svm", " \t\n");
		facts->pages_1g = words_contain(text, "pdpe1gb", " \t\n");
	}
	free(text);
}

static void read_memory(struct facts *facts, struct tree *tree) {
	char *text = tree_text(tree, "/proc/meminfo");
	facts->memory = size_total_memory(text);
	free(text);
}

/* The tables themselves are for root only; that they are there is for everybody. */
static bool has_table(struct tree *tree, const char *name) {
	struct strings names = tree_list(tree, "/sys/firmware/acpi/tables");
	bool found = strings_contain(&names, name);
	strings_finish(&names);
	return tree_exists(tree, "/sys/firmware/acpi/tables/%s", name) || found;
}

static void read_command_line(struct facts *facts, struct tree *tree) {
	char *text = tree_text(tree, "/proc/cmdline"), *rest = text, *word;
	while ((word = strsep(&rest, " \n"))) {
		if (word[0] != '\0') {
			strings_add(&facts->command_line, word);
		}
		facts->acs_override |= strncmp(word, "pcie_acs_override", 17) == 0;
	}
	free(text);
}

static bool has_vfio_module(struct tree *tree) {
	static const char *const endings[] = {"", ".xz", ".zst", ".gz"};
	static const char *const places[] = {"/lib/modules", "/usr/lib/modules"};
	char *release = tree_text(tree, "/proc/sys/kernel/osrelease");
	bool found = false;
	for (size_t i = 0; release && i < 2 && !found; i++) {
		for (size_t k = 0; k < 4 && !found; k++) {
			found = tree_exists(tree, "%s/%s/kernel/drivers/vfio/pci/vfio-pci.ko%s",
				places[i], release, endings[k]);
		}
	}
	free(release);
	return found;
}

void facts_read(struct facts *facts, struct tree *tree) {
	*facts = (struct facts){0};
	read_processor(facts, tree);
	read_command_line(facts, tree);
	read_memory(facts, tree);
	facts->maker = tree_text(tree, "/sys/class/dmi/id/board_vendor");
	facts->kvm = tree_exists(tree, "/sys/class/misc/kvm");
	facts->iommu_table = has_table(tree, facts->intel ? "DMAR" : "IVRS");
	facts->efi = tree_exists(tree, "/sys/firmware/efi/fw_platform_size");
	facts->vfio_module = has_vfio_module(tree);
}

void facts_finish(struct facts *facts) {
	strings_finish(&facts->command_line);
	free(facts->maker);
}
