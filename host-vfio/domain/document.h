#ifndef HOST_DOMAIN_DOCUMENT_H
#define HOST_DOMAIN_DOCUMENT_H

#include <libxml/tree.h>
#include <stdint.h>

#include "base/error.h"
#include "domain/spec.h"

/*
 * A domain's definition as a tree, in libvirt's format (formatdomain). Changes are made in place
 * and touch only what Portal put there, marked by user aliases that begin with "ua-portal-"; so
 * what a person or another tool has added to the domain stays.
 */

/* A new domain with no devices of Portal's. Free with xmlFreeDoc(). */
xmlDoc *domain_document_create(const char *name);

/* Parses what virDomainGetXMLDesc() gave. NULL with the error set. */
xmlDoc *domain_document_parse(const char *xml, struct error *error);

/*
 * Makes the definition what the specification says. Returns 0, or -1 with the error set; the
 * document is then half changed and of no use.
 */
int domain_document_apply(xmlDoc *document, const struct domain_spec *spec, struct error *error);

/*
 * libvirt counts memory devices as part of the guest's memory: after some have come or gone, makes
 * <memory> the sum again. `before`: devices_memory_bytes() of then. 0, or -1 with the reason.
 */
int domain_document_count_memory(xmlDoc *document, uint64_t before, struct error *error);

/* Indented text, ending in a newline; owned by the caller. */
char *domain_document_format(xmlDoc *document);

#endif
