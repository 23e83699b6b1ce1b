#ifndef HOST_POLICY_POLICY_H
#define HOST_POLICY_POLICY_H

#include "base/error.h"
#include "base/strings.h"
#include "inventory/category.h"
#include "memory/settings.h"
#include "policy/policy_release.h"

/* Who is to get which devices: portal-host(5). */

enum policy_target {
	POLICY_HOST, /* stays */
	POLICY_CONTROLLERS, /* whichever controller runs */
	POLICY_ROUTER,
	POLICY_VM, /* one VM by name */
};

enum policy_role {
	POLICY_ROLE_CONTROLLER,
	POLICY_ROLE_ROUTER,
};

struct policy_vm {
	char *name;
	enum policy_role role;
	char *domain; /* libvirt's name, the VM's own by default */
	/* Of the controllers' devices only these, by address or known name; none: all of them. */
	struct strings devices;
	/* The application VMs that this controller may list, start and stop through its door. */
	struct strings guests;
	/* Where its door is (a TRANSPORT) and the file of its key; NULL: it has none. */
	char *door, *door_key;
	/* Bytes of its own memory where libvirt does not say; 0: nor does the policy. */
	uint64_t memory;
};

/* A device that does not follow its category. */
struct policy_exception {
	char *device; /* address or known name */
	enum policy_target target;
	char *vm; /* of POLICY_VM, else NULL */
};

struct policy {
	bool absent; /* there is no such file: everything stays with the host */
	enum policy_target categories[CATEGORY_COUNT];
	struct policy_exception *exceptions;
	size_t exceptions_count;
	struct policy_vm *vms;
	size_t vms_count;
	/* Devices that the survival guard is told to let go, by address or known name. */
	struct strings unguarded;
	/* The group that may write devices' configuration space while a VM starts; NULL: none. */
	char *config_space;
	struct policy_release release;
	/* After a switch that failed the host keeps what the former controller had. */
	bool stay_after_failed_switch;
	struct memory_settings memory;
};

/* Reads it; an absent file is a policy that leaves everything with the host. -1 with the line and
 * the reason. */
int policy_load(struct policy *policy, const char *path, struct error *error);
void policy_finish(struct policy *policy);

const struct policy_vm *policy_find_vm(const struct policy *policy, const char *name);
const struct policy_vm *policy_find_domain(const struct policy *policy, const char *domain);
/* Is it a controller's, the router's or a guest's, one with a block or of a controller? */
bool policy_names_domain(const struct policy *policy, const char *domain);
/* A guest's name in libvirt: what its guest block says, else its own. */
const char *policy_guest_domain(const struct policy *policy, const char *guest);

#endif
