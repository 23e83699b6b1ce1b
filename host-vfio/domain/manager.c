#include "domain/manager.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdlib.h>

#include "base/must.h"
#include "domain/events.h"

struct domain_manager {
	virConnectPtr connection;
	int callback; /* of lifecycle events, -1: none */
	domain_manager_handler handler;
	void *data;
};

/* Errors are returned and told by the caller; libvirt would print them as well. */
static void ignore_error(void *data, virErrorPtr error) {
}

static int fail(struct error *error) {
	virErrorPtr last = virGetLastError();
	error_set(error, "%s", virGetLastErrorMessage());
	if (last == NULL) {
		return DOMAIN_FAILURE_REFUSED;
	}
	switch (last->code) {
	case VIR_ERR_NO_DOMAIN:
		return DOMAIN_FAILURE_ABSENT;
	case VIR_ERR_NO_CONNECT:
	case VIR_ERR_INVALID_CONN:
	case VIR_ERR_RPC:
		return DOMAIN_FAILURE_CONNECT;
	default:
		return last->domain == VIR_FROM_RPC ? DOMAIN_FAILURE_CONNECT
						    : DOMAIN_FAILURE_REFUSED;
	}
}

static enum domain_state state_of(int state) {
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
		return DOMAIN_RUNNING;
	case VIR_DOMAIN_PAUSED:
	case VIR_DOMAIN_PMSUSPENDED:
		return DOMAIN_PAUSED;
	case VIR_DOMAIN_SHUTDOWN:
		return DOMAIN_STOPPING;
	default:
		return DOMAIN_OFF;
	}
}

static int handle_lifecycle(
	virConnectPtr connection, virDomainPtr domain, int event, int detail, void *data) {
	struct domain_manager *manager = data;
	enum domain_state state;
	switch (event) {
	case VIR_DOMAIN_EVENT_STARTED:
	case VIR_DOMAIN_EVENT_RESUMED:
		state = DOMAIN_RUNNING;
		break;
	case VIR_DOMAIN_EVENT_SUSPENDED:
	case VIR_DOMAIN_EVENT_PMSUSPENDED:
		state = DOMAIN_PAUSED;
		break;
	case VIR_DOMAIN_EVENT_SHUTDOWN:
		state = DOMAIN_STOPPING;
		break;
	case VIR_DOMAIN_EVENT_STOPPED:
	case VIR_DOMAIN_EVENT_CRASHED:
		state = DOMAIN_OFF;
		break;
	case VIR_DOMAIN_EVENT_UNDEFINED:
		state = DOMAIN_ABSENT;
		break;
	default:
		return 0;
	}
	manager->handler(manager->data, virDomainGetName(domain), state);
	return 0;
}

struct domain_manager *domain_manager_create(const char *uri, sd_event *loop,
	domain_manager_handler handler, void *data, struct error *error) {
	static bool registered;
	if (!registered) {
		virSetErrorFunc(NULL, ignore_error);
		domain_events_register(loop);
		registered = true;
	}
	struct domain_manager *manager = must_alloc(1, sizeof(*manager));
	*manager = (struct domain_manager){.callback = -1, .handler = handler, .data = data};
	manager->connection = virConnectOpenAuth(uri, virConnectAuthPtrDefault, 0);
	if (manager->connection == NULL) {
		fail(error);
		free(manager);
		return NULL;
	}
	if (handler != NULL) {
		/* libvirt's own macro casts from one function type to another, which clang refuses;
		 * void (*)(void) is the type that C compilers take for "any function". */
		virConnectDomainEventGenericCallback callback =
			(virConnectDomainEventGenericCallback)(void (*)(void))handle_lifecycle;
		manager->callback = virConnectDomainEventRegisterAny(manager->connection, NULL,
			VIR_DOMAIN_EVENT_ID_LIFECYCLE, callback, manager, NULL);
		if (manager->callback < 0) {
			fail(error);
			domain_manager_destroy(manager);
			return NULL;
		}
	}
	/* A libvirtd that dies without a word is noticed. Drivers without a daemon say no, rightly.
	 */
	virConnectSetKeepAlive(manager->connection, 10, 3);
	return manager;
}

void domain_manager_destroy(struct domain_manager *manager) {
	if (manager == NULL) {
		return;
	}
	if (manager->callback >= 0) {
		virConnectDomainEventDeregisterAny(manager->connection, manager->callback);
	}
	virConnectClose(manager->connection);
	free(manager);
	domain_events_flush();
}

/* Domains are looked up for each call: they can be undefined and defined anew in between. */
static virDomainPtr lookup(
	struct domain_manager *manager, const char *name, int *failure, struct error *error) {
	virDomainPtr domain = virDomainLookupByName(manager->connection, name);
	if (domain == NULL) {
		*failure = fail(error);
	}
	return domain;
}

int domain_manager_get_state(struct domain_manager *manager, const char *name,
	enum domain_state *state, struct error *error) {
	int failure;
	virDomainPtr domain = lookup(manager, name, &failure, error);
	if (domain == NULL) {
		*state = DOMAIN_ABSENT;
		return failure == DOMAIN_FAILURE_ABSENT ? 0 : failure;
	}
	int value;
	int result = virDomainGetState(domain, &value, NULL, 0) < 0 ? fail(error) : 0;
	if (result == 0) {
		*state = state_of(value);
	}
	virDomainFree(domain);
	return result;
}

int domain_manager_get_xml(struct domain_manager *manager, const char *name, bool live, char **xml,
	struct error *error) {
	int result = 0;
	virDomainPtr domain = lookup(manager, name, &result, error);
	if (domain == NULL) {
		return result;
	}
	/* With its secrets: a definition that is read, changed and written back must keep them. */
	unsigned flags = live ? 0 : VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE;
	*xml = virDomainGetXMLDesc(domain, flags);
	if (*xml == NULL) {
		result = fail(error);
	}
	virDomainFree(domain);
	return result;
}

int domain_manager_define(struct domain_manager *manager, const char *xml, struct error *error) {
	virDomainPtr domain =
		virDomainDefineXMLFlags(manager->connection, xml, VIR_DOMAIN_DEFINE_VALIDATE);
	if (domain == NULL) {
		return fail(error);
	}
	virDomainFree(domain);
	return 0;
}

static int start(virDomainPtr domain, struct error *error) {
	int state;
	if (virDomainGetState(domain, &state, NULL, 0) < 0) {
		return fail(error);
	}
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
		return 0;
	case VIR_DOMAIN_PAUSED:
		return virDomainResume(domain) < 0 ? fail(error) : 0;
	case VIR_DOMAIN_PMSUSPENDED:
		return virDomainPMWakeup(domain, 0) < 0 ? fail(error) : 0;
	default:
		return virDomainCreate(domain) < 0 ? fail(error) : 0;
	}
}

int domain_manager_start(struct domain_manager *manager, const char *name, struct error *error) {
	int result;
	virDomainPtr domain = lookup(manager, name, &result, error);
	if (domain == NULL) {
		return result;
	}
	result = start(domain, error);
	virDomainFree(domain);
	return result;
}

int domain_manager_shutdown(struct domain_manager *manager, const char *name, struct error *error) {
	int result;
	virDomainPtr domain = lookup(manager, name, &result, error);
	if (domain == NULL) {
		return result;
	}
	result = virDomainShutdown(domain) < 0 ? fail(error) : 0;
	virDomainFree(domain);
	return result;
}

int domain_manager_kill(struct domain_manager *manager, const char *name, struct error *error) {
	int result;
	virDomainPtr domain = lookup(manager, name, &result, error);
	if (domain == NULL) {
		return result;
	}
	result = virDomainDestroy(domain) < 0 ? fail(error) : 0;
	virDomainFree(domain);
	return result;
}
