#ifndef HOST_DOMAIN_EDIT_H
#define HOST_DOMAIN_EDIT_H

#include <libxml/tree.h>
#include <stdbool.h>

#include "base/error.h"
#include "domain/evdev.h"
#include "domain/host_port.h"
#include "domain/hostdev.h"
#include "domain/peer.h"
#include "domain/spec.h"
#include "domain/tuning.h"

/*
 * What is to change in a domain's definition; zero-initialised changes nothing. Everything else in
 * the definition stays as libvirt gives it out. What is added can be removed again, and doing
 * either twice is the same as once. Nothing in it is owned.
 */
struct domain_edit {
	const struct domain_spec *spec; /* the domain's own heap, channel, key …, or NULL */

	const struct domain_address *removed_hostdevs;
	size_t removed_hostdevs_count;
	const struct domain_hostdev *hostdevs;
	size_t hostdevs_count;

	enum domain_switch suspend_to_memory, suspend_to_disk;

	bool set_hugepages;
	uint64_t hugepages; /* as tuning_set_hugepages() takes it */

	bool unpin; /* take all pins away first */
	const struct domain_pin *pins;
	size_t pins_count;
	const char *emulator_cpuset; /* NULL: as it is */

	const char *const *removed_evdevs; /* paths */
	size_t removed_evdevs_count;
	const struct domain_evdev *evdevs;
	size_t evdevs_count;

	const char *const *removed_peers; /* guests' names */
	size_t removed_peers_count;
	const struct domain_peer *peers;
	size_t peers_count;

	bool remove_door;
	const struct host_port *door; /* a controller's, or NULL */

	bool prepare_heaps;
	unsigned heap_ports;
	uint64_t heap_most; /* bytes of the largest heap they are to take */
};

/* Changes the document. -1 with the reason; the document is then half changed and of no use. */
int domain_edit_apply(xmlDoc *document, const struct domain_edit *edit, struct error *error);

#endif
