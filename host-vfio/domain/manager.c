#include "domain/manager-impl.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "domain/events.h"

/* Errors are returned and told by the caller; libvirt would print them as well. */
static void ignore_error(void *data, virErrorPtr error) {
}

int domain_manager_fail(struct error *error) {
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
	case VIR_ERR_OPERATION_DENIED:
	case VIR_ERR_ACCESS_DENIED:
	case VIR_ERR_AUTH_FAILED:
	case VIR_ERR_AUTH_CANCELLED:
	case VIR_ERR_AUTH_UNAVAILABLE:
		return DOMAIN_FAILURE_DENIED;
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
	case VIR_DOMAIN_EVENT_DEFINED:
		/* One that runs can be given a definition as well. */
		if (virDomainIsActive(domain) != 0) {
			return 0;
		}
		if (detail != VIR_DOMAIN_EVENT_DEFINED_ADDED) {
			if (manager->changed != NULL) {
				manager->changed(manager->changed_data, virDomainGetName(domain));
			}
			return 0;
		}
		state = DOMAIN_OFF;
		break;
	default:
		return 0;
	}
	manager->handler(manager->data, virDomainGetName(domain), state);
	return 0;
}

static struct domain_manager *open_connection(
	const char *uri, sd_event *loop, unsigned flags, struct error *error) {
	static bool registered;
	if (!registered) {
		virSetErrorFunc(NULL, ignore_error);
		domain_events_register(loop);
		registered = true;
	}
	virConnectPtr connection = virConnectOpenAuth(uri, virConnectAuthPtrDefault, flags);
	if (connection == NULL) {
		domain_manager_fail(error);
		return NULL;
	}
	/* A libvirtd that dies without a word is noticed. Drivers without a daemon say no, rightly.
	 */
	virConnectSetKeepAlive(connection, 10, 3);
	struct domain_manager *manager = must_alloc(1, sizeof(*manager));
	*manager = (struct domain_manager){.connection = connection,
		.callback = -1,
		.device_callbacks = {-1, -1},
		.loop = loop};
	return manager;
}

struct domain_manager *domain_manager_create_viewer(
	const char *uri, sd_event *loop, struct error *error) {
	struct domain_manager *manager = open_connection(uri, loop, VIR_CONNECT_RO, error);
	if (manager != NULL) {
		manager->viewer = true;
	}
	return manager;
}

struct domain_manager *domain_manager_create(const char *uri, sd_event *loop,
	domain_manager_handler handler, void *data, struct error *error) {
	struct domain_manager *manager = open_connection(uri, loop, 0, error);
	if (manager == NULL) {
		return NULL;
	}
	manager->handler = handler;
	manager->data = data;
	if (handler != NULL) {
		/* libvirt's own macro casts from one function type to another, which clang refuses;
		 * void (*)(void) is the type that C compilers take for "any function". */
		virConnectDomainEventGenericCallback callback =
			(virConnectDomainEventGenericCallback)(void (*)(void))handle_lifecycle;
		manager->callback = virConnectDomainEventRegisterAny(manager->connection, NULL,
			VIR_DOMAIN_EVENT_ID_LIFECYCLE, callback, manager, NULL);
		if (manager->callback < 0) {
			domain_manager_fail(error);
			domain_manager_destroy(manager);
			return NULL;
		}
	}
	/* A libvirtd that dies without a word is noticed. Drivers without a daemon say no, rightly.
	 */
	virConnectSetKeepAlive(manager->connection, 10, 3);
	return manager;
}

/* Devices that came and devices that went are told in the same way. */
static void handle_device(
	virConnectPtr connection, virDomainPtr domain, const char *alias, void *data) {
	struct domain_manager *manager = data;
	manager->changed(manager->changed_data, virDomainGetName(domain));
}

int domain_manager_on_change(struct domain_manager *manager,
	void (*changed)(void *data, const char *name), void *data, struct error *error) {
	static const int ids[] = {
		VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED};
	virConnectDomainEventGenericCallback callback =
		(virConnectDomainEventGenericCallback)(void (*)(void))handle_device;
	manager->changed_data = data;
	manager->changed = changed;
	for (size_t i = 0; i < 2; i++) {
		manager->device_callbacks[i] = virConnectDomainEventRegisterAny(
			manager->connection, NULL, ids[i], callback, manager, NULL);
		if (manager->device_callbacks[i] < 0) {
			return domain_manager_fail(error);
		}
	}
	return 0;
}

static void handle_close(virConnectPtr connection, int reason, void *data) {
	struct domain_manager *manager = data;
	manager->closed(manager->closed_data);
}

void domain_manager_destroy(struct domain_manager *manager) {
	if (manager == NULL) {
		return;
	}
	if (manager->callback >= 0) {
		virConnectDomainEventDeregisterAny(manager->connection, manager->callback);
	}
	for (size_t i = 0; i < 2; i++) {
		if (manager->device_callbacks[i] >= 0) {
			virConnectDomainEventDeregisterAny(
				manager->connection, manager->device_callbacks[i]);
		}
	}
	if (manager->closed != NULL) {
		virConnectUnregisterCloseCallback(manager->connection, handle_close);
	}
	virConnectClose(manager->connection);
	free(manager);
	domain_events_flush();
}

void domain_manager_on_close(
	struct domain_manager *manager, void (*closed)(void *data), void *data) {
	manager->closed_data = data;
	manager->closed = closed;
	if (virConnectRegisterCloseCallback(manager->connection, handle_close, manager, NULL) < 0) {
		manager->closed = NULL;
	}
}

virDomainPtr domain_manager_lookup(
	struct domain_manager *manager, const char *name, int *failure, struct error *error) {
	virDomainPtr domain = virDomainLookupByName(manager->connection, name);
	if (domain == NULL) {
		*failure = domain_manager_fail(error);
	}
	return domain;
}

int domain_manager_get_state(struct domain_manager *manager, const char *name,
	enum domain_state *state, struct error *error) {
	int failure;
	virDomainPtr domain = domain_manager_lookup(manager, name, &failure, error);
	if (domain == NULL) {
		*state = DOMAIN_ABSENT;
		return failure == DOMAIN_FAILURE_ABSENT ? 0 : failure;
	}
	int value;
	int result =
		virDomainGetState(domain, &value, NULL, 0) < 0 ? domain_manager_fail(error) : 0;
	if (result == 0) {
		*state = state_of(value);
	}
	virDomainFree(domain);
	return result;
}

int domain_manager_get_xml(struct domain_manager *manager, const char *name, bool live, char **xml,
	struct error *error) {
	int result = 0;
	virDomainPtr domain = domain_manager_lookup(manager, name, &result, error);
	if (domain == NULL) {
		return result;
	}
	/* With its secrets: a definition that is read, changed and written back must keep them. */
	unsigned secrets = manager->viewer ? 0 : VIR_DOMAIN_XML_SECURE;
	*xml = virDomainGetXMLDesc(domain, live ? 0 : VIR_DOMAIN_XML_INACTIVE | secrets);
	if (*xml == NULL) {
		result = domain_manager_fail(error);
	}
	virDomainFree(domain);
	return result;
}

int domain_manager_list(
	struct domain_manager *manager, struct strings *names, struct error *error) {
	int result = domain_manager_list_by_start(manager, names, error);
	strings_sort(names);
	return result;
}

/* libvirt counts ids up, one for each start; what is off has the greatest. */
static int compare_starts(const void *left, const void *right) {
	unsigned first = virDomainGetID(*(const virDomainPtr *)left);
	unsigned second = virDomainGetID(*(const virDomainPtr *)right);
	return (first > second) - (first < second);
}

int domain_manager_list_by_start(
	struct domain_manager *manager, struct strings *names, struct error *error) {
	virDomainPtr *domains;
	int count = virConnectListAllDomains(manager->connection, &domains, 0);
	if (count < 0) {
		return domain_manager_fail(error);
	}
	qsort(domains, (size_t)count, sizeof(*domains), compare_starts);
	for (int i = 0; i < count; i++) {
		strings_add(names, virDomainGetName(domains[i]));
		virDomainFree(domains[i]);
	}
	free(domains);
	return 0;
}

int domain_manager_get_definition(
	struct domain_manager *manager, const char *name, char **xml, struct error *error) {
	int result = 0;
	virDomainPtr domain = domain_manager_lookup(manager, name, &result, error);
	if (domain == NULL) {
		return result;
	}
	int persistent = virDomainIsPersistent(domain);
	virDomainFree(domain);
	if (persistent < 0) {
		return domain_manager_fail(error);
	}
	if (persistent == 0) {
		error_set(error, "it is transient: libvirt keeps no definition of it");
		return DOMAIN_FAILURE_REFUSED;
	}
	return domain_manager_get_xml(manager, name, false, xml, error);
}

int domain_manager_redefine(struct domain_manager *manager, const char *name, const char *before,
	const char *after, struct error *error) {
	char *now = NULL;
	int result = domain_manager_get_definition(manager, name, &now, error);
	if (result == 0 && strcmp(now, before) != 0) {
		error_set(error, "somebody else changed it meanwhile");
		result = DOMAIN_FAILURE_CHANGED;
	}
	free(now);
	return result < 0 ? result : domain_manager_define(manager, after, error);
}

int domain_manager_define(struct domain_manager *manager, const char *xml, struct error *error) {
	virDomainPtr domain =
		virDomainDefineXMLFlags(manager->connection, xml, VIR_DOMAIN_DEFINE_VALIDATE);
	if (domain == NULL) {
		return domain_manager_fail(error);
	}
	virDomainFree(domain);
	return 0;
}

static int start(virDomainPtr domain, struct error *error) {
	int state;
	if (virDomainGetState(domain, &state, NULL, 0) < 0) {
		return domain_manager_fail(error);
	}
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
		return 0;
	case VIR_DOMAIN_PAUSED:
		return virDomainResume(domain) < 0 ? domain_manager_fail(error) : 0;
	case VIR_DOMAIN_PMSUSPENDED:
		return virDomainPMWakeup(domain, 0) < 0 ? domain_manager_fail(error) : 0;
	default:
		return virDomainCreate(domain) < 0 ? domain_manager_fail(error) : 0;
	}
}

int domain_manager_start(struct domain_manager *manager, const char *name, struct error *error) {
	int result;
	virDomainPtr domain = domain_manager_lookup(manager, name, &result, error);
	if (domain == NULL) {
		return result;
	}
	result = start(domain, error);
	virDomainFree(domain);
	return result;
}

static int end(struct domain_manager *manager, const char *name, int (*how)(virDomainPtr domain),
	struct error *error) {
	int result;
	virDomainPtr domain = domain_manager_lookup(manager, name, &result, error);
	if (domain == NULL) {
		return result;
	}
	result = how(domain) < 0 ? domain_manager_fail(error) : 0;
	virDomainFree(domain);
	return result;
}

int domain_manager_shutdown(struct domain_manager *manager, const char *name, struct error *error) {
	return end(manager, name, virDomainShutdown, error);
}

int domain_manager_kill(struct domain_manager *manager, const char *name, struct error *error) {
	return end(manager, name, virDomainDestroy, error);
}
