/*
 * test-knock CID PORT BYTES TIMES [COMMAND ARG...]: connects so many times to a vsock's port, sends
 * so many bytes of rubbish over each connection, and prints how many there were. Then it waits
 * until the other end has closed them all; with a command, it holds them open while that runs.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

/* An emulated machine is slow to answer; the kernel's own patience is 2 s. */
static const struct timeval patience = {.tv_sec = 30};

/* A socket, or -1 with errno. */
static int connect_to(uint32_t cid, uint32_t port) {
	const struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = cid,
		.svm_port = port,
		/* Without it nothing reaches another guest. */
		.svm_flags = cid > VMADDR_CID_HOST ? VMADDR_FLAG_TO_HOST : 0,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -1;
	}
	setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

/* Whoever reads it may hang up in the middle. */
static void send_rubbish(int fd, size_t size) {
	uint8_t rubbish[4096];
	while (size > 0) {
		size_t piece = size < sizeof(rubbish) ? size : sizeof(rubbish);
		if (getrandom(rubbish, piece, 0) < 0) {
			return;
		}
		rubbish[0] = 0; /* no begin of a greeting */
		ssize_t sent = send(fd, rubbish, piece, MSG_NOSIGNAL);
		if (sent <= 0) {
			return;
		}
		size -= (size_t)sent;
	}
}

static int run(char *const command[]) {
	pid_t pid = fork();
	if (pid == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	int status = 0;
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
									       : EXIT_FAILURE;
}

static void wait_for_end(int fd) {
	uint8_t byte;
	while (recv(fd, &byte, 1, 0) > 0) {
	}
}

int main(int argc, char *argv[]) {
	if (argc < 5) {
		fputs("usage: test-knock CID PORT BYTES TIMES [COMMAND ARG...]\n", stderr);
		return 2;
	}
	uint32_t cid = (uint32_t)strtoul(argv[1], NULL, 10);
	uint32_t port = (uint32_t)strtoul(argv[2], NULL, 10);
	size_t bytes = strtoul(argv[3], NULL, 10), times = strtoul(argv[4], NULL, 10), open = 0;
	int error = 0;
	int *fds = calloc(times + 1, sizeof(*fds));
	if (fds == NULL) {
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < times; i++) {
		fds[open] = connect_to(cid, port);
		if (fds[open] < 0) {
			error = errno;
			continue;
		}
		send_rubbish(fds[open++], bytes);
	}
	printf("knock %u:%u: %zu opened, %zu refused (%s)\n", cid, port, open, times - open,
		error != 0 ? strerror(error) : "none");
	fflush(stdout);
	int status = argc > 5 ? run(argv + 5) : EXIT_SUCCESS;
	for (size_t i = 0; i < open; i++) {
		if (argc <= 5) {
			wait_for_end(fds[i]);
		}
		close(fds[i]);
	}
	puts("knock: all ended");
	free(fds);
	return status;
}
