#include "hostd/audit.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/must.h"
#include "utf8.h"

/* Is standard error the journal? systemd says which file it is. */
static bool in_journal(void) {
	static int known = -1;
	if (known < 0) {
		known = getenv("JOURNAL_STREAM") != NULL;
	}
	return known;
}

/* Bytes of what is written: more is of strangers' making, whose calls may be megabytes. */
enum { OBJECT_BYTES = 256, LINE_BYTES = 4096 };

/* What strangers have a say in stays one printable line, of so many bytes at most. */
static char *clean(const char *text, size_t most) {
	static const char cut[] = "...";
	if (!text) {
		text = "";
	}
	size_t length = strnlen(text, most + 1);
	char *copy = must_print("%.*s", (int)length, text);
	if (length > most) {
		memcpy(copy + most - strlen(cut), cut, sizeof(cut));
	}
	utf8_make_printable(copy);
	return copy;
}

static char *name_of(long pid) {
	char path[64], name[64] = "";
	snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
	FILE *file = fopen(path, "re");
	if (file) {
		if (fgets(name, sizeof(name), file)) {
			name[strcspn(name, "\n")] = '\0';
		}
		fclose(file);
	}
	return clean(name[0] ? name : "?", sizeof(name));
}

void audit_who_peer(struct audit_who *who, sd_varlink *link) {
	uid_t uid;
	pid_t pid;
	*who = (struct audit_who){.uid = -1, .pid = -1};
	if (sd_varlink_get_peer_uid(link, &uid) >= 0) {
		who->uid = (long)uid;
	}
	if (sd_varlink_get_peer_pid(link, &pid) >= 0) {
		who->pid = (long)pid;
	}
	char *program = name_of(who->pid);
	who->name = must_print("uid %ld, pid %ld (%s)", who->uid, who->pid, program);
	free(program);
}

void audit_who_controller(struct audit_who *who, const char *controller) {
	*who = (struct audit_who){
		.name = must_print("controller %s", controller),
		.uid = -1,
		.pid = -1,
		.controller = must_copy(controller),
	};
}

void audit_who_finish(struct audit_who *who) {
	free(who->name);
	free(who->controller);
	*who = (struct audit_who){0};
}

void audit(const struct audit_who *who, const char *what, const char *object, const char *outcome,
	const char *reason) {
	int priority = strcmp(outcome, "done") == 0 ? LOG_NOTICE : LOG_WARNING;
	char *thing = clean(object, OBJECT_BYTES), *why = clean(reason, LINE_BYTES);
	char *line = must_print("%s: %s%s%s: %s%s%s", who->name, what, thing[0] ? " " : "", thing,
		outcome, why[0] ? ": " : "", why);
	if (in_journal()) {
		sd_journal_send("MESSAGE=%s", line, "PRIORITY=%i", priority, "PORTAL_AUDIT_WHAT=%s",
			what, "PORTAL_AUDIT_OBJECT=%s", thing, "PORTAL_AUDIT_OUTCOME=%s", outcome,
			"PORTAL_AUDIT_REASON=%s", why, "PORTAL_AUDIT_UID=%li", who->uid,
			"PORTAL_AUDIT_PID=%li", who->pid, "PORTAL_AUDIT_CONTROLLER=%s",
			who->controller ? who->controller : "", NULL);
	} else {
		fprintf(stderr, "portal-hostd: audit: %s\n", line);
	}
	free(line);
	free(thing);
	free(why);
}

void say(int priority, const char *format, ...) {
	va_list args;
	char *text = NULL;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
	}
	va_end(args);
	char *line = clean(text, LINE_BYTES);
	if (in_journal()) {
		sd_journal_send("MESSAGE=%s", line, "PRIORITY=%i", priority, NULL);
	} else {
		fprintf(stderr, "portal-hostd: %s\n", line);
	}
	free(line);
	free(text);
}
