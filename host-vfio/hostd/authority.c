#include "hostd/authority.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/must.h"

/* A person may be typing a password. */
static const uint64_t patience_usec = 5 * 60 * 1000 * 1000ull;

struct question {
	struct daemon *daemon;
	sd_varlink *link;
	const char *action;
	bool interactive;
	void (*answer)(void *data, const char *refusal);
	void *data;
	sd_bus_slot *slot; /* NULL: not asked yet, the bus is being connected to */
	LIST_ENTRY(question) entry; /* daemon.questions */
};

static void question_free(struct question *question) {
	LIST_REMOVE(question, entry);
	sd_bus_slot_unref(question->slot);
	sd_varlink_unref(question->link);
	free(question);
}

static void finish(struct question *question, const char *refusal) {
	void (*answer)(void *, const char *) = question->answer;
	void *data = question->data;
	question_free(question);
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

/* Only on a bus that is ready: a descriptor makes libsystemd wait for that otherwise. */
static int ask(struct question *question) {
	struct daemon *daemon = question->daemon;
	sd_bus_message *message = NULL;
	uid_t uid;
	int pidfd = sd_varlink_get_peer_pidfd(question->link);
	int result = pidfd < 0 ? pidfd : sd_varlink_get_peer_uid(question->link, &uid);
	if (result >= 0) {
		result = sd_bus_message_new_method_call(daemon->bus, &message,
			"org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
			"org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");
	}
	if (result >= 0) {
		result = sd_bus_message_append(message, "(sa{sv})s", "unix-process", 2, "pidfd",
			"h", pidfd, "uid", "i", (int32_t)uid, question->action);
	}
	if (result >= 0) {
		/* No details, and no way to cancel it. */
		result = sd_bus_message_append(
			message, "a{ss}us", 0, question->interactive ? 1u : 0u, "");
	}
	if (result >= 0) {
		result = sd_bus_call_async(daemon->bus, &question->slot, message, handle_reply,
			question, patience_usec);
	}
	sd_bus_message_unref(message);
	return result;
}

static void refuse(struct question *question, int result) {
	struct error refusal;
	error_set(&refusal, "only root may do this: polkit is not there (%s)", strerror(-result));
	finish(question, refusal.text);
}

static int handle_connected(sd_bus_message *signal, void *data, sd_bus_error *ignored) {
	struct daemon *daemon = data;
	struct question *question, *next;
	for (question = LIST_FIRST(&daemon->questions); question; question = next) {
		next = LIST_NEXT(question, entry);
		int result = question->slot ? 0 : ask(question);
		if (result < 0) {
			refuse(question, result);
		}
	}
	return 0;
}

static int handle_disconnected(sd_bus_message *signal, void *data, sd_bus_error *ignored) {
	struct daemon *daemon = data;
	while (!LIST_EMPTY(&daemon->questions)) {
		refuse(LIST_FIRST(&daemon->questions), -ECONNRESET);
	}
	daemon->bus = sd_bus_close_unref(daemon->bus);
	return 0;
}

static int hear(struct daemon *daemon, const char *signal, sd_bus_message_handler_t handler) {
	return sd_bus_match_signal_async(daemon->bus, NULL, NULL, "/org/freedesktop/DBus/Local",
		"org.freedesktop.DBus.Local", signal, handler, NULL, daemon);
}

/* The system's bus, without waiting for it: one that hangs is nobody's trouble but of who is to be
 * asked about. */
static int open_bus(struct daemon *daemon) {
	const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
	int result = sd_bus_new(&daemon->bus);
	if (result >= 0) {
		result = sd_bus_set_address(
			daemon->bus, address ? address : "unix:path=/run/dbus/system_bus_socket");
	}
	if (result >= 0) {
		result = sd_bus_set_bus_client(daemon->bus, 1);
	}
	if (result >= 0) {
		result = sd_bus_negotiate_fds(daemon->bus, 1);
	}
	if (result >= 0) {
		result = sd_bus_set_connected_signal(daemon->bus, 1);
	}
	if (result >= 0) {
		/* Nor is it waited for at the end. */
		result = sd_bus_set_close_on_exit(daemon->bus, 0);
	}
	if (result >= 0) {
		result = sd_bus_start(daemon->bus);
	}
	if (result >= 0) {
		result = sd_bus_attach_event(daemon->bus, daemon->loop, 0);
	}
	if (result >= 0) {
		result = hear(daemon, "Connected", handle_connected);
	}
	if (result >= 0) {
		result = hear(daemon, "Disconnected", handle_disconnected);
	}
	if (result < 0) {
		daemon->bus = sd_bus_close_unref(daemon->bus);
	}
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
	*question = (struct question){
		.daemon = daemon,
		.link = sd_varlink_ref(link),
		.action = action,
		.interactive = interactive,
		.answer = answer,
		.data = data,
	};
	LIST_INSERT_HEAD(&daemon->questions, question, entry);
	int result = daemon->bus ? 0 : open_bus(daemon);
	if (result >= 0 && sd_bus_is_ready(daemon->bus) > 0) {
		result = ask(question);
	}
	if (result < 0) {
		refuse(question, result);
	}
}

void authority_forget(struct daemon *daemon, const void *data) {
	struct question *question, *next;
	for (question = LIST_FIRST(&daemon->questions); question; question = next) {
		next = LIST_NEXT(question, entry);
		if (question->data == data) {
			question_free(question);
		}
	}
}

void authority_finish(struct daemon *daemon) {
	while (!LIST_EMPTY(&daemon->questions)) {
		finish(LIST_FIRST(&daemon->questions), "portal-hostd is ending");
	}
	daemon->bus = sd_bus_close_unref(daemon->bus);
}
