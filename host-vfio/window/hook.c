#include "window/hook.h"

#include <string.h>

#include "domain/document.h"
#include "domain/hostdev.h"

static void add_address(void *data, const struct domain_address *host) {
	char text[DOMAIN_ADDRESS_TEXT];
	domain_address_format(host, text);
	strings_add(data, text);
}

static int open_for(const struct config_window_host *host, const char *group, const char *domain,
	const char *definition, struct error *error) {
	struct strings addresses = {0};
	xmlDoc *document = domain_document_parse(definition, error);
	if (document == NULL) {
		return -1;
	}
	hostdev_each(xmlDocGetRootElement(document), add_address, &addresses);
	xmlFreeDoc(document);
	int result = addresses.count == 0
			     ? config_window_close(host, domain, error)
			     : config_window_open(host, domain, group, &addresses, error);
	strings_finish(&addresses);
	return result;
}

bool window_hook_opens(const char *operation) {
	return strcmp(operation, "prepare") == 0;
}

int window_hook(const struct config_window_host *host, const char *group, const char *domain,
	const char *operation, const char *definition, struct error *error) {
	static const char *const ends[] = {"started", "stopped", "release", "reconnect"};
	if (window_hook_opens(operation)) {
		return group == NULL ? 0 : open_for(host, group, domain, definition, error);
	}
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (strcmp(operation, ends[i]) == 0) {
			return config_window_close(host, domain, error);
		}
	}
	return 0;
}
