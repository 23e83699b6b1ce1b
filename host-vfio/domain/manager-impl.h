#ifndef HOST_DOMAIN_MANAGER_IMPL_H
#define HOST_DOMAIN_MANAGER_IMPL_H

#include <libvirt/libvirt.h>

#include "domain/manager.h"

/* What the files of this folder that speak to libvirt share. */

struct domain_manager {
	virConnectPtr connection;
	sd_event *loop;
	bool viewer; /* may only look */
	int callback; /* of lifecycle events, -1: none */
	domain_manager_handler handler;
	void *data;
	void (*closed)(void *data); /* NULL: nobody asked */
	void *closed_data;
	int device_callbacks[2]; /* of devices that came and went, -1: none */
	void (*changed)(void *data, const char *name); /* NULL: nobody asked */
	void *changed_data;
};

/* libvirt's last error as one of enum domain_failure and a sentence. */
int domain_manager_fail(struct error *error);
/* Domains are looked up for each call: they can be undefined and defined anew in between. NULL with
 * *failure and the error set. */
virDomainPtr domain_manager_lookup(
	struct domain_manager *manager, const char *name, int *failure, struct error *error);

#endif
