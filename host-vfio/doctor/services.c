#include "doctor/services.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/size.h"
#include "base/text.h"

enum {
	LIBVIRT_LEAST = 7004000, /* shares keyboards and mice by itself */
	LIBVIRT_SOUND = 9010000, /* knows PipeWire */
};

/* Enough for the memory of a small VM, which VFIO locks as a whole. */
static const uint64_t lock_least = (uint64_t)1 << 30;

static char *version_text(unsigned long version) {
	return must_print("%lu.%lu.%lu", version / 1000000, version / 1000 % 1000, version % 1000);
}

static void examine_kvm(struct diagnoses *diagnoses, const struct services *services) {
	if (services->kvm_there && !services->kvm_allowed) {
		diagnoses_add(diagnoses, DIAGNOSIS_HINT, "kvm-permission",
			must_print("%s may not use /dev/kvm: VMs of their own are emulated, which "
				   "is ten times slower.",
				services->user),
			must_print("Run \"usermod -aG kvm %s\" as root and log in anew. VMs of the "
				   "system (qemu:///system) do not need it.",
				services->user));
	}
}

static void examine_lock_limit(struct diagnoses *diagnoses, const struct services *services) {
	char size[SIZE_TEXT];
	if (services->root || services->lock_limit >= lock_least) {
		return;
	}
	size_format(services->lock_limit, size);
	diagnoses_add(diagnoses, DIAGNOSIS_HINT, "memlock",
		must_print("%s may lock %s of memory: a VM of their own cannot have a PCI device, "
			   "which needs all of its memory locked.",
			services->user, size),
		must_print("Let the system's libvirt run such VMs (qemu:///system), which raises "
			   "the limit by itself; or write \"%s - memlock unlimited\" into "
			   "/etc/security/limits.d/portal.conf and log in anew.",
			services->user));
}

static void examine_libvirt(struct diagnoses *diagnoses, const struct services *services) {
	if (services->libvirt == 0) {
		diagnoses_add(diagnoses, DIAGNOSIS_PROBLEM, "libvirt",
			must_print("libvirt does not answer: %s.", services->libvirt_error),
			must_copy(
				"Install libvirt's QEMU driver (libvirt-daemon-system, "
				"libvirt-daemon-kvm or libvirt), and run \"systemctl enable --now "
				"libvirtd.socket\" or \"virtqemud.socket\". As an ordinary user, "
				"be a member of the group libvirt."));
		return;
	}
	char *libvirt = version_text(services->libvirt), *qemu = version_text(services->qemu);
	if (services->libvirt < LIBVIRT_SOUND) {
		bool old = services->libvirt < LIBVIRT_LEAST;
		diagnoses_add(diagnoses, old ? DIAGNOSIS_PROBLEM : DIAGNOSIS_HINT, "libvirt",
			must_print("libvirt is %s: it %s.", libvirt,
				old ? "cannot share keyboards and mice with a VM"
				    : "cannot bring sound to PipeWire itself"),
			must_copy(
				old ? "Use a newer release of the distribution: 7.4 is the "
				      "oldest that will do, 9.10 has all that Portal uses."
				    : "Sound by PipeWire's PulseAudio server works (\"portal-host "
				      "setup --audio\"); 9.10 has both."));
	} else {
		diagnoses_add(diagnoses, DIAGNOSIS_GOOD, "libvirt",
			must_print("libvirt %s answers, with QEMU %s.", libvirt, qemu), NULL);
	}
	free(libvirt);
	free(qemu);
}

static void examine_daemon(struct diagnoses *diagnoses, const struct services *services) {
	if (!services->daemon) {
		diagnoses_add(diagnoses, DIAGNOSIS_HINT, "hostd",
			must_copy("portal-hostd does not run: devices change hands only by "
				  "portal-host's commands."),
			must_copy("Write /etc/portal/host.scfg (portal-host(5)), and run "
				  "\"systemctl enable --now portal-hostd\"."));
	} else if (services->hook_unseen) {
		diagnoses_add(diagnoses, DIAGNOSIS_HINT, "hook",
			must_print("Whether libvirt asks portal-hostd before it starts a VM is not "
				   "known: %s may not look into /etc/libvirt/hooks.",
				services->user),
			must_copy("Run \"portal-host doctor\" as root."));
	} else if (!services->hook) {
		diagnoses_add(diagnoses, DIAGNOSIS_HINT, "hook",
			must_copy(
				"libvirt does not ask portal-hostd before it starts a VM: one "
				"that is started by virsh or virt-manager finds its devices still "
				"with the host."),
			must_copy("As root, run \"mkdir -p /etc/libvirt/hooks/qemu.d\" and \"ln -s "
				  "$(command -v portal-host-hook) /etc/libvirt/hooks/qemu.d/\" "
				  "(it is in /usr/sbin or /usr/local/sbin), and then \"systemctl "
				  "restart libvirtd\" or \"virtqemud\"."));
	} else {
		diagnoses_add(diagnoses, DIAGNOSIS_GOOD, "hostd",
			must_copy("portal-hostd runs, and libvirt asks it before a VM starts."),
			NULL);
	}
}

static void examine_allocation(struct diagnoses *diagnoses, const struct services *services) {
	struct text names;
	if (services->lazy.count == 0) {
		return;
	}
	text_init(&names);
	for (size_t i = 0; i < services->lazy.count; i++) {
		fprintf(names.stream, "%s%s", i > 0 ? ", " : "", services->lazy.items[i]);
	}
	char *list = text_take(&names);
	diagnoses_add(diagnoses, DIAGNOSIS_HINT, "allocation",
		must_print("These VMs of the policy get their memory only as they use it: %s. What "
			   "is not counted may have taken it by then.",
			list),
		must_copy("Give each of them memory when it starts: run \"virsh edit\", and write "
			  "\"<allocation mode='immediate'/>\" into its <memoryBacking>; or set "
			  "huge pages aside for it (\"portal-host domain edit ... --hugepages "
			  "on\")."));
	free(list);
}

void services_examine(struct diagnoses *diagnoses, const struct services *services) {
	examine_kvm(diagnoses, services);
	examine_lock_limit(diagnoses, services);
	examine_libvirt(diagnoses, services);
	examine_daemon(diagnoses, services);
	examine_allocation(diagnoses, services);
}
