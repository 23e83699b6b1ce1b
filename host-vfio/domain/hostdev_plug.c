#include "domain/hostdev_plug.h"

#include <stdlib.h>

#include "base/must.h"
#include "domain/manager-impl.h"

int hostdev_plug_attach(struct domain_manager *manager, const char *name,
	const struct domain_address *host, struct error *error) {
	int failure;
	virDomainPtr domain = domain_manager_lookup(manager, name, &failure, error);
	if (domain == NULL) {
		return failure;
	}
	char *device = must_print("<hostdev mode='subsystem' type='pci' managed='no'><source>"
				  "<address domain='0x%x' bus='0x%x' slot='0x%x' function='0x%x'/>"
				  "</source></hostdev>",
		host->domain, host->bus, host->slot, host->function);
	int result = virDomainAttachDeviceFlags(domain, device, VIR_DOMAIN_AFFECT_LIVE) < 0
			     ? domain_manager_fail(error)
			     : 0;
	free(device);
	virDomainFree(domain);
	return result;
}
