#ifndef HOST_DOMAIN_HEAP_PLUG_H
#define HOST_DOMAIN_HEAP_PLUG_H

#include "domain/guest_pci.h"
#include "domain/manager.h"
#include "domain/peer.h"

/*
 * A guest's heap comes to a running controller VM and goes again, as an ivshmem device on a port
 * that heap_ports_prepare() made. An nvdimm would do for coming, but QEMU takes none out of a
 * running machine. Only the running machine changes, never its definition.
 */

enum heap_plug_result {
	HEAP_PLUG_DONE = 0,
	HEAP_PLUG_SAME = 1, /* attach: it is there already; detach: it is not there */
	HEAP_PLUG_OTHER = 2, /* attach: a heap of that guest is there with another size or file */
};

/* Has it any ports for heaps, empty or not? 1, 0, or an enum domain_failure with the reason. */
int heap_plug_has_ports(
	struct domain_manager *manager, const char *controller, struct error *error);
/* Has the controller's definition a heap of that guest, which comes with each of its starts? */
bool heap_plug_is_defined(
	struct domain_manager *manager, const char *controller, const char *guest);

/* Where the guest system finds it: the device behind this root port of its. */
struct heap_plug_place {
	struct domain_address port;
};

/*
 * Attaches. The heap's file must be there with its size, and must not be an nvdimm's outside of
 * /dev/shm. An enum heap_plug_result with *place set, or an enum domain_failure with the reason.
 */
int heap_plug_attach(struct domain_manager *manager, const char *controller,
	const struct domain_peer *peer, struct heap_plug_place *place, struct error *error);

struct heap_unplug;
/* Called once from the loop: 0, or an enum domain_failure with the reason: DOMAIN_FAILURE_TIME when
 * the guest system has not let go by the deadline, and may do so later. */
typedef void (*heap_unplug_handler)(void *data, int result, const struct error *error);

/*
 * Asks for the heap of a guest to be taken out, and has the handler called when libvirt has told
 * that the guest system has let go of it, or the whole machine has stopped. Returns HEAP_PLUG_DONE
 * with *unplug, which the caller destroys, now or at any time but from within the handler; or
 * HEAP_PLUG_SAME or an enum domain_failure with none, and no call to come.
 */
int heap_plug_detach(struct domain_manager *manager, const char *controller, const char *guest,
	unsigned deadline_ms, heap_unplug_handler handler, void *data, struct heap_unplug **unplug,
	struct error *error);
/* NULL is fine. The heap may still go later. */
void heap_unplug_destroy(struct heap_unplug *unplug);

#endif
