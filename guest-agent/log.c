#include "log.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

// wlroots hands its callback no data.
static struct {
	enum wlr_log_importance verbosity;
	const char *name;
	char host[65];
	bool journal;
} agent_log;

static const struct {
	const char *word;
	int priority;
} levels[] = {
	[WLR_ERROR] = {"ERROR", LOG_ERR},
	[WLR_INFO] = {"INFO", LOG_INFO},
	[WLR_DEBUG] = {"DEBUG", LOG_DEBUG},
};

static void write_line(enum wlr_log_importance importance, const char *format, va_list args) {
	char line[2048];

	if (importance > agent_log.verbosity || importance <= WLR_SILENT ||
		importance >= WLR_LOG_IMPORTANCE_LAST) {
		return;
	}
	vsnprintf(line, sizeof(line), format, args);
	// systemd.exec(5): lines may begin with their priority. One write for each, since programs
	// of the guest write there, too.
	if (agent_log.journal) {
		fprintf(stderr, "<%d>portal-agent[%s]: %s\n", levels[importance].priority,
			agent_log.name, line);
	} else {
		fprintf(stderr, "portal-agent[%s]: [%s] %s\n", agent_log.name,
			levels[importance].word, line);
	}
}

void agent_log_init(enum wlr_log_importance verbosity, const char *name) {
	agent_log.verbosity = verbosity;
	agent_log.name = name;
	if (name == NULL) {
		gethostname(agent_log.host, sizeof(agent_log.host) - 1);
		agent_log.name = agent_log.host;
	}
	agent_log.journal = getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO);
	wlr_log_init(verbosity, write_line);
}
