#include "hostd/authority.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/must.h"

/* A person may be typing a password. */
static const uint64_t patience_usec = 5 * 60 * 1000 * 1000ull;

struct question {
	void (*answer)(void *data, const char *refusal);
	void *data;
	sd_bus_slot *slot;
	LIST_ENTRY(question) link; /* daemon.questions */
};

static void finish(struct question *question, const char *refusal) {
	void (*answer)(void *, const char *) = question->answer;
	void *data = question->data;
	LIST_REMOVE(question, link);
	sd_bus_slot_unref(question->slot);
	free(question);
	answer(data, refusal);
}

/* org.freedesktop.PolicyKit1.Authority.CheckAuthorization: (is_authorized, is_challenge, details)
 */
static int handle_reply(sd_bus_message *reply, void *data, sd_bus_error *ignored) {
	const sd_bus_error *error = sd_bus_message_get_error(reply);
	int authorized = 0, challenge = 0;
	struct error refusal;
	if (error) {
		error_set(&refusal, "only root may do this: polkit does not answer (%s)",
			error->message ? error->message : error->name);
	} else if (sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
		   sd_bus_message_read(reply, "bb", &authorized, &challenge) < 0) {
		error_set(&refusal, "only root may do this: polkit's answer makes no sense");
	} else if (challenge) {
		error_set(&refusal,
			"polkit wants to ask somebody first: there is nobody to ask, or "
			"it was not allowed to");
	} else if (!authorized) {
		error_set(&refusal, "polkit does not allow it");
	}
	finish(data, authorized ? NULL : refusal.text);
	return 0;
}

static int open_bus(struct daemon *daemon) {
	if (daemon->bus && sd_bus_is_open(daemon->bus) > 0) {
		return 0;
	}
	daemon->bus = sd_bus_flush_close_unref(daemon->bus);
	int result = sd_bus_open_system_with_description(&daemon->bus, "polkit");
	return result < 0 ? result : sd_bus_attach_event(daemon->bus, daemon->loop, 0);
}

static int ask(struct daemon *daemon, sd_varlink *link, const char *action, bool interactive,
	struct question *question) {
	sd_bus_message *message = NULL;
	uid_t uid;
	int pidfd = sd_varlink_get_peer_pidfd(link);
	int result = pidfd < 0 ? pidfd : sd_varlink_get_peer_uid(link, &uid);
	if (result >= 0) {
		result = open_bus(daemon);
	}
	if (result >= 0) {
		result = sd_bus_message_new_method_call(daemon->bus, &message,
			"org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
			"org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");
	}
	if (result >= 0) {
		result = sd_bus_message_append(message, "(sa{sv})s", "unix-process", 2, "pidfd",
			"h", pidfd, "uid", "i", (int32_t)uid, action);
	}
	if (result >= 0) {
		/* No details, and no way to cancel it. */
		result = sd_bus_message_append(message, "a{ss}us", 0, interactive ? 1u : 0u, "");
	}
	if (result >= 0) {
		result = sd_bus_call_async(daemon->bus, &question->slot, message, handle_reply,
			question, patience_usec);
	}
	sd_bus_message_unref(message);
	return result;
}

void authority_check(struct daemon *daemon, sd_varlink *link, const char *action, bool interactive,
	void (*answer)(void *data, const char *refusal), void *data) {
	uid_t uid;
	if (sd_varlink_get_peer_uid(link, &uid) >= 0 && uid == 0) {
		answer(data, NULL);
		return;
	}
	struct question *question = must_alloc(1, sizeof(*question));
	question->answer = answer;
	question->data = data;
	LIST_INSERT_HEAD(&daemon->questions, question, link);
	int result = ask(daemon, link, action, interactive, question);
	if (result < 0) {
		struct error refusal;
		error_set(&refusal, "only root may do this: polkit is not there (%s)",
			strerror(-result));
		finish(question, refusal.text);
	}
}

void authority_finish(struct daemon *daemon) {
	while (!LIST_EMPTY(&daemon->questions)) {
		finish(LIST_FIRST(&daemon->questions), "portal-hostd is ending");
	}
	daemon->bus = sd_bus_flush_close_unref(daemon->bus);
}
