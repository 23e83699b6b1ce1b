/* portal-hostd on a recorded machine whose drivers can be changed as the kernel lets them be:
 * hostd-model MACHINE [OPTION OF PORTAL-HOSTD]... The machine outlives the daemon: SIGUSR1 kills
 * that, and another one comes in its place, as systemd would have it; SIGUSR2 prints who drives
 * what. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hostd/run.h"
#include "kernel_model.h"

static struct step_host open_host(void *user) {
	return kernel_model_host(user);
}

static pid_t start(struct kernel_model *model, const sigset_t *former, int argc, char **argv) {
	const struct daemon_options defaults = {
		.config = "/nonexistent",
		.state = "/nonexistent",
		.root = "/",
		.socket = "/nonexistent",
		.uri = "qemu:///system",
		.door_program = "/nonexistent",
		.patience_s = 120,
		.open_host = open_host,
		.user = model,
	};
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_SETMASK, former, NULL);
		_exit(hostd_main(&defaults, argc, argv));
	}
	return pid;
}

int main(int argc, char **argv) {
	sigset_t signals, former;
	int signal_number;
	if (argc < 2) {
		return 2;
	}
	struct kernel_model *model = kernel_model_create(argv[1]);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &former);
	argv[1] = argv[0];
	pid_t daemon = start(model, &former, argc - 1, argv + 1);
	while (sigwait(&signals, &signal_number) == 0) {
		if (signal_number == SIGUSR1) {
			kill(daemon, SIGKILL);
			waitpid(daemon, NULL, 0);
			fputs("the daemon is dead\n", stderr);
			daemon = start(model, &former, argc - 1, argv + 1);
		} else if (signal_number == SIGUSR2) {
			char *text = kernel_model_state(model);
			printf("%s.\n", text);
			fflush(stdout);
			free(text);
		} else if (signal_number == SIGTERM) {
			kill(daemon, SIGTERM);
			waitpid(daemon, NULL, 0);
			return 0;
		} else if (waitpid(daemon, NULL, WNOHANG) == daemon) {
			fputs("the daemon has ended\n", stderr);
			return 1;
		}
	}
	return 1;
}
