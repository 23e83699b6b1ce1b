#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <sys/wait.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

extern char **environ;

int spawn_journal(const char *identifier) {
	int fd = sd_journal_stream_fd(identifier, LOG_INFO, 1);
	return fd < 0 ? -1 : fd;
}

/* What says something about this process that is not true of the new one. */
static bool is_ours(const char *variable, const struct spawn *spawn) {
	static const char *const names[] = {"LISTEN_FDS=", "LISTEN_PID=", "LISTEN_PIDFDID=",
		"LISTEN_FDNAMES=", "NOTIFY_SOCKET="};
	if (spawn->output >= 0 && strncmp(variable, "JOURNAL_STREAM=", 15) == 0) {
		return true;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(variable, names[i], strlen(names[i])) == 0) {
			return true;
		}
	}
	return false;
}

struct environment {
	char **variables; /* strings are borrowed */
	char pid[32], fds[32], journal[80];
};

static bool environment_init(struct environment *environment, const struct spawn *spawn) {
	size_t count = 0, used = 0;
	while (environ[count] != NULL) {
		count++;
	}
	environment->variables = calloc(count + 4, sizeof(environment->variables[0]));
	if (environment->variables == NULL) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (!is_ours(environ[i], spawn)) {
			environment->variables[used++] = environ[i];
		}
	}
	strcpy(environment->pid, "LISTEN_PID="); /* the child knows the rest */
	if (spawn->listen) {
		snprintf(environment->fds, sizeof(environment->fds), "LISTEN_FDS=%zu",
			spawn->fds_len);
		environment->variables[used++] = environment->fds;
		environment->variables[used++] = environment->pid;
	}
	struct stat stream;
	if (spawn->journal && fstat(spawn->output, &stream) == 0) {
		/* systemd.exec(5): lines may begin with their priority. */
		snprintf(environment->journal, sizeof(environment->journal),
			"JOURNAL_STREAM=%llu:%llu", (unsigned long long)stream.st_dev,
			(unsigned long long)stream.st_ino);
		environment->variables[used++] = environment->journal;
	}
	return true;
}

static void append_number(char *text, unsigned number) {
	char digits[16];
	size_t count = 0;
	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	text += strlen(text);
	while (count > 0) {
		*text++ = digits[--count];
	}
	*text = '\0';
}

/* Puts the descriptors in their places without treading on one that is still to be moved. */
static bool place_fds(const struct spawn *spawn, int *report) {
	enum { first = 3, most = sizeof(spawn->fds) / sizeof(spawn->fds[0]) };
	int fds[most];
	for (size_t i = 0; i < spawn->fds_len; i++) {
		fds[i] = fcntl(spawn->fds[i], F_DUPFD, first + most + 1);
		if (fds[i] < 0) {
			return false;
		}
	}
	int moved = fcntl(*report, F_DUPFD_CLOEXEC, first + most + 1);
	int null = open("/dev/null", O_RDONLY);
	if (moved < 0 || null < 0) {
		return false;
	}
	*report = moved;
	dup2(null, STDIN_FILENO);
	if (spawn->output >= 0) {
		dup2(spawn->output, STDOUT_FILENO);
		dup2(spawn->output, STDERR_FILENO);
	}
	for (size_t i = 0; i < spawn->fds_len; i++) {
		dup2(fds[i], first + (int)i);
	}
	/* All others close at exec, but for what a library may have left open. */
	close_range(first + (unsigned)spawn->fds_len, (unsigned)moved - 1, 0);
	close_range((unsigned)moved + 1, ~0u, 0);
	return true;
}

/* Only calls that are safe between fork and exec. */
static _Noreturn void child(
	const struct spawn *spawn, struct environment *environment, int report, pid_t parent) {
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (spawn->session) {
		setsid();
	}
	if (spawn->follow) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent) {
			_exit(1);
		}
	}
	append_number(environment->pid, (unsigned)getpid());
	if (place_fds(spawn, &report)) {
		const char *file = spawn->file != NULL ? spawn->file : spawn->argv[0];
		execvpe(file, spawn->argv, environment->variables);
	}
	int error = errno;
	ssize_t written = write(report, &error, sizeof(error));
	_exit(written == sizeof(error) ? 127 : 126);
}

pid_t spawn_program(const struct spawn *spawn) {
	struct environment environment;
	int report[2];
	if (!environment_init(&environment, spawn)) {
		return -1;
	}
	if (pipe2(report, O_CLOEXEC) < 0) {
		free(environment.variables);
		return -1;
	}
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		child(spawn, &environment, report[1], parent);
	}
	int error = pid < 0 ? errno : 0;
	close(report[1]);
	/* Ends when exec has closed the other end. */
	if (pid > 0 && read(report[0], &error, sizeof(error)) == sizeof(error)) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(report[0]);
	free(environment.variables);
	errno = error;
	return pid;
}
