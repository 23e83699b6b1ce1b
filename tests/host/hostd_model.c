/* portal-hostd on a recorded machine whose drivers can be changed as the kernel lets them be:
 * hostd-model MACHINE [OPTION OF PORTAL-HOSTD]... The machine outlives the daemon: SIGUSR1 kills
 * that, and another one comes in its place, as systemd would have it; SIGUSR2 prints who drives
 * what. More is done by datagrams to the socket that MODEL_SOCKET names, each answered by a line
 * "model: WHAT IT SAID": see orders[]. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hostd/run.h"
#include "kernel_model.h"

static struct step_host open_host(void *user) {
	return kernel_model_host(user);
}

struct host {
	struct kernel_model *model;
	int argc;
	char **argv; /* of portal-hostd */
	sigset_t former; /* signals, as they were blocked at the beginning */
	pid_t daemon;
	bool restarting;
};

static void start(struct host *host) {
	const struct daemon_options defaults = {
		.config = "/nonexistent",
		.state = "/nonexistent",
		.root = "/",
		.socket = "/nonexistent",
		.uri = "qemu:///system",
		.door_program = "/nonexistent",
		.patience_s = 120,
		.open_host = open_host,
		.user = host->model,
	};
	host->restarting = false;
	host->daemon = fork();
	if (host->daemon == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_SETMASK, &host->former, NULL);
		_exit(hostd_main(&defaults, host->argc, host->argv));
	}
}

/* In the process that hangs; the line is whole, whoever else writes. */
static void say_hangs(const char *sentence) {
	dprintf(STDERR_FILENO, "the kernel hangs: %s\n", sentence);
}

/* As SIGTERM ends it. */
static void restart(struct host *host, const char *address) {
	host->restarting = true;
	kill(host->daemon, SIGTERM);
}

static void release(struct host *host, const char *address) {
	kernel_model_release(host->model);
}

static void expire(struct host *host, const char *address) {
	kernel_model_expire(host->model);
}

static void stick_at_unbind(struct host *host, const char *address) {
	kernel_model_trap(host->model, address, STEP_UNBIND, FAULT_HANG_STUCK);
}

static void stick_at_bind(struct host *host, const char *address) {
	kernel_model_trap(host->model, address, STEP_BIND, FAULT_HANG_STUCK);
}

static void fail_bind(struct host *host, const char *address) {
	kernel_model_trap(host->model, address, STEP_BIND, FAULT_FAIL);
}

static void unplug(struct host *host, const char *address) {
	kernel_model_unplug(host->model, address);
}

static void plug(struct host *host, const char *address) {
	kernel_model_plug(host->model, address);
}

static void unplug_at_override(struct host *host, const char *address) {
	kernel_model_trap(host->model, address, STEP_OVERRIDE, FAULT_UNPLUG);
}

static void unplug_at_unbind(struct host *host, const char *address) {
	kernel_model_trap(host->model, address, STEP_UNBIND, FAULT_UNPLUG);
}

static void unplug_at_bind(struct host *host, const char *address) {
	kernel_model_trap(host->model, address, STEP_BIND, FAULT_UNPLUG);
}

/* "WORD" or "WORD ADDRESS". */
static const struct {
	const char *word;
	void (*obey)(struct host *host, const char *address);
} orders[] = {
	{"release", release}, /* what hangs goes on, and is done */
	{"restart", restart}, /* the daemon is asked to end, and another one comes */
	{"expire", expire}, /* the time of what hangs is over */
	/* The next one of the device hangs, and not even SIGKILL ends it. */
	{"stick-unbind", stick_at_unbind},
	{"stick-bind", stick_at_bind},
	{"unplug", unplug},
	{"plug", plug},
	/* In the next one of the device, which it is pulled out in. */
	{"unplug-at-override", unplug_at_override},
	{"unplug-at-unbind", unplug_at_unbind},
	{"unplug-at-bind", unplug_at_bind},
	{"fail-bind", fail_bind}, /* the next one's driver does not want the device */
};

static void obey(struct host *host, int control) {
	char order[128];
	ssize_t length = recv(control, order, sizeof(order) - 1, 0);
	if (length < 0) {
		return;
	}
	order[length] = '\0';
	size_t word = strcspn(order, " ");
	const char *address = order + word + (order[word] == ' ');
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		if (strlen(orders[i].word) == word && strncmp(orders[i].word, order, word) == 0) {
			orders[i].obey(host, address);
			dprintf(STDERR_FILENO, "model: %s\n", order);
			return;
		}
	}
	dprintf(STDERR_FILENO, "model: no such order: %s\n", order);
}

/* -1: there is to be none. */
static int open_control(void) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("MODEL_SOCKET");
	if (!path) {
		return -1;
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int control = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(control, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror(path);
		exit(2);
	}
	return control;
}

static void print_state(const struct kernel_model *model) {
	char *text = kernel_model_state(model);
	printf("%s.\n", text);
	fflush(stdout);
	free(text);
}

/* The next signal; what is ordered in the meantime is done. */
static unsigned wait_for_signal(struct host *host, int signals, int control) {
	struct signalfd_siginfo info;
	struct pollfd poll_fds[] = {
		{.fd = signals, .events = POLLIN}, {.fd = control, .events = POLLIN}};
	for (;;) {
		if (poll(poll_fds, 2, -1) < 0) {
			return 0;
		}
		if (poll_fds[1].revents) {
			obey(host, control);
		}
		if (poll_fds[0].revents) {
			return read(signals, &info, sizeof(info)) == sizeof(info) ? info.ssi_signo
										  : 0;
		}
	}
}

/* The daemon has ended: should it? */
static bool comes_again(struct host *host) {
	if (waitpid(host->daemon, NULL, WNOHANG) != host->daemon) {
		return true; /* it was another one */
	}
	if (host->restarting) {
		start(host);
		return true;
	}
	fputs("the daemon has ended\n", stderr);
	return false;
}

int main(int argc, char **argv) {
	sigset_t signals;
	unsigned number;
	if (argc < 2) {
		return 2;
	}
	struct host host = {
		.model = kernel_model_create(argv[1]), .argc = argc - 1, .argv = argv + 1};
	int control = open_control();
	if (control >= 0) {
		kernel_model_take_time(host.model, say_hangs);
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &host.former);
	int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	argv[1] = argv[0];
	start(&host);
	while ((number = wait_for_signal(&host, signal_fd, control)) != 0) {
		if (number == SIGUSR1) {
			kill(host.daemon, SIGKILL);
			waitpid(host.daemon, NULL, 0);
			fputs("the daemon is dead\n", stderr);
			start(&host);
		} else if (number == SIGUSR2) {
			print_state(host.model);
		} else if (number == SIGTERM) {
			kill(host.daemon, SIGTERM);
			waitpid(host.daemon, NULL, 0);
			kernel_model_release(host.model); /* whoever still hangs */
			return 0;
		} else if (!comes_again(&host)) {
			return 1;
		}
	}
	return 1;
}
