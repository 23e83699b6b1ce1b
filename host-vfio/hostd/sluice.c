#include "hostd/sluice.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"

enum { OUTSIDE, INSIDE, ENDS };

/* What came from one end and goes to the other. */
struct lane {
	uint8_t bytes[16 * 1024];
	size_t begin, end; /* of what has not been passed on */
	bool over; /* nothing more comes */
};

struct sluice {
	struct sluice_options options;
	int fds[ENDS];
	sd_event_source *sources[ENDS];
	struct lane lanes[ENDS]; /* by where they come from */
	size_t length; /* from outside, since the last NUL */
	bool closed;
};

static bool is_empty(const struct lane *lane) {
	return lane->begin == lane->end;
}

static void shut(struct sluice *sluice) {
	sluice->closed = true;
	for (int i = 0; i < ENDS; i++) {
		shutdown(sluice->fds[i], SHUT_RDWR);
		sd_event_source_set_enabled(sluice->sources[i], SD_EVENT_OFF);
	}
}

/* Whether every message that these bytes are of may be so long. */
static bool is_short(struct sluice *sluice, const uint8_t *bytes, size_t size) {
	while (size > 0) {
		const uint8_t *nul = memchr(bytes, '\0', size);
		size_t piece = nul ? (size_t)(nul - bytes) : size;
		sluice->length += piece;
		if (sluice->length > sluice->options.most) {
			return false;
		}
		if (nul) {
			sluice->length = 0;
			piece++;
		}
		bytes += piece;
		size -= piece;
	}
	return true;
}

static void receive(struct sluice *sluice, int from) {
	struct lane *lane = &sluice->lanes[from];
	ssize_t got = recv(sluice->fds[from], lane->bytes, sizeof(lane->bytes), MSG_DONTWAIT);
	if (got < 0) {
		lane->over = errno != EAGAIN && errno != EINTR;
		return;
	}
	lane->over = got == 0;
	lane->begin = 0;
	lane->end = (size_t)got;
	if (from == OUTSIDE && !is_short(sluice, lane->bytes, lane->end)) {
		shut(sluice);
		sluice->options.exceeded(sluice->options.data);
	}
}

static void pass_on(struct sluice *sluice, int from) {
	struct lane *lane = &sluice->lanes[from];
	ssize_t sent = send(sluice->fds[!from], lane->bytes + lane->begin, lane->end - lane->begin,
		MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent >= 0) {
		lane->begin += (size_t)sent;
	} else if (errno != EAGAIN && errno != EINTR) {
		shut(sluice);
	}
}

static void update_events(struct sluice *sluice) {
	for (int i = 0; i < ENDS; i++) {
		uint32_t events = (is_empty(&sluice->lanes[i]) ? EPOLLIN : 0u) |
				  (is_empty(&sluice->lanes[!i]) ? 0u : EPOLLOUT);
		sd_event_source_set_io_events(sluice->sources[i], events);
	}
}

/* What comes from an end that has something to say, or has gone. */
static void take(struct sluice *sluice, int from, bool gone) {
	struct lane *lane = &sluice->lanes[from];
	if (is_empty(lane)) {
		receive(sluice, from);
		gone = lane->over;
	}
	if (!sluice->closed && !is_empty(lane)) {
		pass_on(sluice, from);
	}
	/* Of one that has gone, what nobody has taken yet is lost: the loop would hear of its end
	 * again and again. */
	if (gone && !sluice->closed) {
		shut(sluice);
	}
}

static int handle_end(sd_event_source *source, int fd, uint32_t revents, void *data) {
	struct sluice *sluice = data;
	int end = fd == sluice->fds[OUTSIDE] ? OUTSIDE : INSIDE;
	if ((revents & EPOLLOUT) && !is_empty(&sluice->lanes[!end])) {
		pass_on(sluice, !end);
	}
	if ((revents & ~(uint32_t)EPOLLOUT) && !sluice->closed) {
		take(sluice, end, revents & (EPOLLHUP | EPOLLERR));
	}
	if (!sluice->closed) {
		update_events(sluice);
	}
	return 0;
}

struct sluice *sluice_create(sd_event *loop, const struct sluice_options *options) {
	struct sluice *sluice = must_alloc(1, sizeof(*sluice));
	sluice->options = *options;
	sluice->fds[OUTSIDE] = options->outside;
	sluice->fds[INSIDE] = options->inside;
	for (int i = 0; i < ENDS; i++) {
		int result = sd_event_add_io(
			loop, &sluice->sources[i], sluice->fds[i], EPOLLIN, handle_end, sluice);
		if (result >= 0) {
			result =
				sd_event_source_set_priority(sluice->sources[i], options->priority);
		}
		if (result < 0) {
			sluice_destroy(sluice);
			errno = -result;
			return NULL;
		}
	}
	return sluice;
}

void sluice_destroy(struct sluice *sluice) {
	if (!sluice) {
		return;
	}
	for (int i = 0; i < ENDS; i++) {
		sd_event_source_disable_unref(sluice->sources[i]);
		close(sluice->fds[i]);
	}
	free(sluice);
}
