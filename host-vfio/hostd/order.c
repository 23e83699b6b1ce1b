#include "hostd/order.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "hostd/authority.h"
#include "hostd/guest_call.h"
#include "hostd/host_interface.h"

static void strv_free(char **strv) {
	for (size_t i = 0; strv && strv[i]; i++) {
		free(strv[i]);
	}
	free(strv);
}

static void order_free(struct order *order) {
	LIST_REMOVE(order, link);
	sd_varlink_unref(order->call);
	audit_who_finish(&order->who);
	free(order->guest);
	free(order->controller);
	free(order->device);
	strv_free(order->devices);
	strv_free(order->unguard);
	free(order);
}

void order_forget(struct order *order) {
	order_free(order);
}

void orders_forget(struct daemon *daemon, const sd_varlink *link) {
	struct order *order, *next;
	for (order = LIST_FIRST(&daemon->orders); order; order = next) {
		next = LIST_NEXT(order, link);
		if (order->call == link && order->asking) {
			authority_forget(daemon, order);
			order_free(order);
		}
	}
}

void orders_finish(struct daemon *daemon) {
	while (!LIST_EMPTY(&daemon->orders)) {
		order_free(LIST_FIRST(&daemon->orders));
	}
}

/* What the caller named, for the audit; the caller's, empty when it was nothing. */
static char *named_object(const struct order *order) {
	const char *name = order->guest	       ? order->guest
			   : order->controller ? order->controller
			   : order->device     ? order->device
					       : "";
	char *text = must_copy(name);
	for (size_t i = 0; order->devices && order->devices[i] && !order->device; i++) {
		char *longer = must_print("%s%s%s", text, i ? " " : "", order->devices[i]);
		free(text);
		text = longer;
	}
	return text;
}

static void audit_order(
	const struct order *order, const char *object, const char *outcome, const char *reason) {
	char *named = object ? NULL : named_object(order);
	audit(&order->who, order->kind->what, object ? object : named, outcome, reason);
	free(named);
}

void order_done(struct order *order, const char *object, sd_json_variant *reply) {
	audit_order(order, object, "done", NULL);
	sd_varlink_reply(order->call, reply);
	order_free(order);
}

void order_fail(
	struct order *order, const char *object, const char *error, const char *format, ...) {
	char reason[sizeof(struct error)];
	va_list args;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	bool failed = strcmp(error, "Failed") == 0 || strcmp(error, "Unfinished") == 0 ||
		      strcmp(error, "Timeout") == 0;
	audit_order(order, object, failed ? "failed" : "refused", reason);
	guest_refuse(order->call, HOST_INTERFACE, error, "%s", reason);
	order_free(order);
}

static void handle_answer(void *data, const char *refusal) {
	struct order *order = data;
	order->asking = false;
	if (refusal) {
		order_fail(order, NULL, "NotAuthorized", "%s", refusal);
	} else {
		order->kind->run(order);
	}
}

int order_begin(struct daemon *daemon, sd_varlink *link, sd_json_variant *parameters,
	const struct order_kind *kind) {
	/* What each method has of these, and must have, was checked against the interface. */
	static const sd_json_dispatch_field table[] = {
		{"guest", SD_JSON_VARIANT_STRING, sd_json_dispatch_string,
			offsetof(struct order, guest), SD_JSON_NULLABLE},
		{"controller", SD_JSON_VARIANT_STRING, sd_json_dispatch_string,
			offsetof(struct order, controller), SD_JSON_NULLABLE},
		{"device", SD_JSON_VARIANT_STRING, sd_json_dispatch_string,
			offsetof(struct order, device), SD_JSON_NULLABLE},
		{"devices", SD_JSON_VARIANT_ARRAY, sd_json_dispatch_strv,
			offsetof(struct order, devices), SD_JSON_NULLABLE},
		{"unguard", SD_JSON_VARIANT_ARRAY, sd_json_dispatch_strv,
			offsetof(struct order, unguard), SD_JSON_NULLABLE},
		{"force", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
			offsetof(struct order, force), SD_JSON_NULLABLE},
		{"stopHolders", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
			offsetof(struct order, stop_holders), SD_JSON_NULLABLE},
		{"suspend", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
			offsetof(struct order, suspend), SD_JSON_NULLABLE},
		{"timeoutSeconds", _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_uint64,
			offsetof(struct order, timeout_s), SD_JSON_NULLABLE},
		{"used", _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_uint64,
			offsetof(struct order, used), SD_JSON_NULLABLE},
		{"allowInteractiveAuthentication", SD_JSON_VARIANT_BOOLEAN,
			sd_json_dispatch_stdbool, offsetof(struct order, interactive),
			SD_JSON_NULLABLE},
		{0},
	};
	struct order *order = must_alloc(1, sizeof(*order));
	*order = (struct order){.daemon = daemon, .kind = kind, .timeout_s = GUEST_TIMEOUT_S};
	order->call = sd_varlink_ref(link);
	LIST_INSERT_HEAD(&daemon->orders, order, link);
	int result = sd_varlink_dispatch(link, parameters, table, order);
	if (result != 0) {
		order_free(order);
		return result;
	}
	audit_who_peer(&order->who, link);
	order->asking = true;
	authority_check(daemon, link, kind->action, order->interactive, handle_answer, order);
	return 0;
}
