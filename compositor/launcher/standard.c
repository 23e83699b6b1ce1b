#include "standard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void standard_init(void) {
	/* open() takes the lowest number that is free. Printing to a closed output stays a failure.
	 */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
			open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) != fd) {
			return; /* a machine without it: as it was */
		}
	}
}

bool standard_finish(const char *program) {
	if (fflush(stdout) == 0 && !ferror(stdout)) {
		return true;
	}
	/* An earlier failure has left no reason behind. */
	fprintf(stderr, "%s: cannot write all that was asked for to standard output: %s\n", program,
		errno != 0 ? strerror(errno) : "not all of it fits");
	return false;
}
