#ifndef HOST_DOMAIN_INFO_H
#define HOST_DOMAIN_INFO_H

#include <libxml/tree.h>
#include <stdint.h>

#include "base/error.h"
#include "domain/spec.h"

/* What a definition, or a running domain's description, says about a Portal guest. */
struct domain_info {
	char *guest; /* the VM's name in portal.scfg; NULL when Portal did not define it */
	/* TRANSPORT for the bridge; NULL when there is no channel for an agent, or, before the
	 * domain runs, when libvirt chooses the address at its start. */
	char *transport;
	enum domain_heap heap; /* DOMAIN_HEAP_UNSET: none */
	char *heap_path; /* the host's file */
	uint64_t heap_size; /* bytes */
	char *key; /* file handed over as the credential portal.key, or NULL */
	/* vhost-device-vsock has to serve this socket before the domain starts; NULL: none. */
	char *vsock_socket;
	unsigned vsock_cid;
};

/* Reads libvirt's XML. 0, or -1 with the error set and nothing to finish. */
int domain_info_read(struct domain_info *info, const char *xml, struct error *error);
/* The same of what has been parsed. */
void domain_info_read_document(struct domain_info *info, xmlDoc *document);
void domain_info_finish(struct domain_info *info);

#endif
