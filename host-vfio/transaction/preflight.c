#include "transaction/preflight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/size.h"
#include "inventory/group.h"
#include "memory/memory_host.h"
#include "policy/guard.h"

/* Members of the groups that are neither taken nor harmless keep VFIO from using the group. */
static void check_groups(struct findings *findings, const struct plan *plan,
	const struct machine *machine, const struct strings *names) {
	for (size_t k = 0; k < names->count; k++) {
		const struct pci_device *named = machine_find(machine, names->items[k]);
		if (named->category == CATEGORY_BRIDGE) {
			findings_add(findings, true,
				"%s is a bridge: what is behind it can be taken, not it",
				named->name);
			continue;
		}
		if (named->iommu_group < 0) {
			findings_add(findings, true, "%s is in no IOMMU group: %s", named->name,
				machine->iommu ? "the kernel keeps it for itself"
					       : "the IOMMU is off (see portal-host doctor)");
			continue;
		}
		for (size_t i = 0; i < machine->devices_count; i++) {
			const struct pci_device *other = &machine->devices[i];
			if (other->iommu_group == named->iommu_group &&
				!plan_has(plan, other->name) &&
				!group_driver_is_harmless(other->driver)) {
				findings_add(findings, true,
					"%s (%s, driver %s) shares IOMMU group %d with %s and "
					"is not taken along unless it is named too",
					other->name, category_name(other->category), other->driver,
					other->iommu_group, named->name);
			}
		}
	}
}

/* Is the holder one that the change itself gets out of the way? Kernel messages on a serial port
 * are not. */
static bool is_dealt_with(const struct holder *holder, unsigned flags) {
	switch (holder->kind) {
	case HOLDER_FRAMEBUFFER:
		return flags & PREFLIGHT_RELEASE_CONSOLE;
	case HOLDER_CONSOLE:
		return (flags & PREFLIGHT_RELEASE_CONSOLE) && holder->through;
	case HOLDER_PROCESS:
		/* A VM is shut down by whoever runs it. */
		return (flags & PREFLIGHT_STOP_HOLDERS) &&
		       strncmp(holder->through, "/dev/vfio/", 10) != 0;
	case HOLDER_ROUTE:
	case HOLDER_NETWORK:
	case HOLDER_LOGIN:
	case HOLDER_INPUT:
		return true; /* the guard speaks for them */
	default:
		return false;
	}
}

static void check_holders(
	struct findings *findings, const struct pci_device *device, unsigned flags) {
	for (size_t i = 0; i < device->holders_count; i++) {
		const struct holder *holder = &device->holders[i];
		findings_add_holder(findings, !is_dealt_with(holder, flags), device, holder);
	}
}

/* Intel's Volume Management Device is no bridge, but has a PCI bus of its own behind it. */
static void check_behind(
	struct findings *findings, const struct machine *machine, const struct pci_device *device) {
	size_t length = strlen(device->path);
	if (device->category == CATEGORY_BRIDGE) {
		return; /* which is not taken anyway */
	}
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *other = &machine->devices[i];
		if (strncmp(other->path, device->path, length) == 0 && other->path[length] == '/') {
			findings_add(findings, true, "%s is behind %s, and would vanish",
				other->name, device->name);
		}
	}
}

static void check_device(struct findings *findings, const struct machine *machine,
	const struct pci_device *device, const struct strings *names, unsigned flags) {
	check_holders(findings, device, flags);
	if (device->sriov_enabled > 0) {
		findings_add(findings, true, "%s has %u virtual functions, which would vanish",
			device->name, device->sriov_enabled);
	}
	check_behind(findings, machine, device);
	if (device->tied) {
		findings_add(findings, true,
			"%s: the firmware has memory that it is always to reach, and the kernel "
			"gives no such device to a VM (see portal-host doctor)",
			device->name);
	}
	if (device->reset_methods[0] == '\0') {
		findings_add(findings, false,
			"%s cannot be reset by the kernel: it may not work a second time",
			device->name);
	}
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *other = &machine->devices[i];
		if (other != device && other->iommu_group != device->iommu_group &&
			pci_address_same_slot(&other->address, &device->address) &&
			strstr(device->reset_methods, "bus") &&
			!strstr(device->reset_methods, "flr") &&
			!strings_contain(names, other->name)) {
			findings_add(findings, false,
				"a reset of %s resets %s too, which is on the same card",
				device->name, other->name);
		}
	}
}

static void check_guard(struct findings *findings, const struct plan *plan,
	const struct machine *machine, const struct strings *unguarded) {
	bool *taken = must_alloc(machine->devices_count, sizeof(*taken));
	for (size_t i = 0; i < machine->devices_count; i++) {
		taken[i] = plan_has(plan, machine->devices[i].name);
	}
	struct guard_objection *objections;
	size_t count = guard_check(machine, taken, NULL, &objections);
	for (size_t i = 0; i < count; i++) {
		if (!strings_contain(unguarded, objections[i].device->name)) {
			const char *name = objections[i].device->name;
			findings_add(findings, true,
				"the survival guard (%s) keeps %s: %s (--unguard %s, or unguard in "
				"the policy, lets it go)",
				guard_rule_name(objections[i].rule), name, objections[i].text,
				name);
		}
	}
	guard_free(objections, count);
	free(taken);
}

void preflight_take(struct findings *findings, const struct plan *plan,
	const struct machine *machine, const struct strings *names, const struct strings *unguarded,
	unsigned flags) {
	check_groups(findings, plan, machine, names);
	for (size_t i = 0; i < machine->devices_count; i++) {
		if (plan_has(plan, machine->devices[i].name)) {
			check_device(findings, machine, &machine->devices[i], names, flags);
		}
	}
	check_guard(findings, plan, machine, unguarded);
}

/* "Max locked memory  SOFT  HARD  bytes"; ULLONG_MAX for unlimited, or when it cannot be read. */
static unsigned long long locked_limit(struct tree *tree) {
	char *text = tree_text(tree, "/proc/self/limits");
	const char *line = text ? strstr(text, "Max locked memory") : NULL;
	unsigned long long limit = ~0ULL;
	if (line) {
		sscanf(line, "Max locked memory %*s %llu", &limit);
	}
	free(text);
	return limit;
}

/* ~0 when it cannot be read. */
static unsigned long long available_memory(struct tree *tree) {
	char *text = tree_text(tree, "/proc/meminfo");
	const char *line = text ? strstr(text, "MemAvailable:") : NULL;
	unsigned long long kib;
	bool known = line && sscanf(line, "MemAvailable: %llu", &kib) == 1;
	free(text);
	return known ? kib << 10 : ~0ULL;
}

void preflight_pages(struct findings *findings, struct tree *tree, const struct preflight_vm *vm) {
	struct memory_host host;
	memory_host_read(&host, tree);
	int pool = vm->page ? memory_host_find(&host, vm->page) : -1;
	unsigned long long there = pool >= 0 ? host.pools[pool].free : 0;
	if (vm->page && there < vm->memory) {
		char page[SIZE_TEXT] = "";
		if (pool >= 0) {
			size_format(host.pools[pool].page, page);
		}
		findings_add(findings, true,
			"the VM wants %llu MiB of huge pages%s%s, and %llu MiB of them are free",
			(unsigned long long)vm->memory >> 20, pool >= 0 ? " of " : "", page,
			there >> 20);
	}
}

/* What is not in huge pages. */
static void check_available(
	struct findings *findings, struct tree *tree, const struct preflight_vm *vm) {
	unsigned long long there = available_memory(tree);
	unsigned long long wanted = vm->page ? 0 : vm->memory;
	if (__builtin_add_overflow(wanted, vm->heaps_missing, &wanted) || there < wanted) {
		findings_add(findings, true,
			"the VM wants %llu MiB%s, all of it locked, and %llu MiB are available",
			wanted >> 20,
			vm->page		? " for its heaps"
			: vm->heaps_missing > 0 ? " with its heaps"
						: "",
			there >> 20);
	}
}

void preflight_memory(struct findings *findings, struct tree *tree, const struct preflight_vm *vm) {
	unsigned long long limit = locked_limit(tree), locked = vm->memory + vm->heaps;
	preflight_pages(findings, tree, vm);
	check_available(findings, tree, vm);
	if (vm->limit != 0 && vm->limit < locked) {
		findings_add(findings, true,
			"%llu MiB of the VM have to be locked, and its definition allows %llu MiB: "
			"raise its <hard_limit> (in <memtune>) or take it out",
			locked >> 20, (unsigned long long)vm->limit >> 20);
	}
	if (vm->starter_limit != 0 && vm->starter_limit < locked) {
		findings_add(findings, true,
			"%llu MiB of the VM have to be locked, and libvirt may lock %llu MiB and "
			"cannot raise that: LimitMEMLOCK=infinity in the unit of libvirtd (or "
			"virtqemud) lets it",
			locked >> 20, (unsigned long long)vm->starter_limit >> 20);
	}
	if (limit < locked) {
		findings_add(findings, false,
			"at most %llu MiB may be locked here: libvirt raises that for its VMs, "
			"other programs need LimitMEMLOCK=infinity",
			limit >> 20);
	}
}
