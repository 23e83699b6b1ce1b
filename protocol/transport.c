#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "transport-impl.h"

static_assert(sizeof(((struct portal_transport_address *)0)->path) ==
		      sizeof(((struct sockaddr_un *)0)->sun_path),
	"socket paths");

static const struct transport_kind {
	const char *prefix;
	enum portal_transport_kind kind;
	bool path, cid, port;
} kinds[] = {
	{"unix:", PORTAL_TRANSPORT_UNIX, .path = true},
	{"vsock:", PORTAL_TRANSPORT_VSOCK, .cid = true, .port = true},
	{"vsock-unix:", PORTAL_TRANSPORT_VSOCK_UNIX, .path = true, .port = true},
	{"virtio-serial:", PORTAL_TRANSPORT_VIRTIO_SERIAL, .path = true},
};

static int fail_parse(const char **error, const char *text) {
	if (error != NULL) {
		*error = text;
	}
	errno = EINVAL;
	return -1;
}

static int parse_number(uint32_t *number, const char *text, size_t length) {
	uint64_t value = 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return -1;
		}
		value = value * 10 + (uint64_t)(text[i] - '0');
		if (value >= UINT32_MAX) {
			return -1;
		}
	}
	*number = (uint32_t)value;
	return length > 0 ? 0 : -1;
}

static int parse_cid(uint32_t *cid, const char *text, size_t length) {
	static const struct {
		const char *name;
		uint32_t cid;
	} names[] = {
		{"any", VMADDR_CID_ANY},
		{"local", VMADDR_CID_LOCAL},
		{"host", VMADDR_CID_HOST},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i].name) == length && memcmp(names[i].name, text, length) == 0) {
			*cid = names[i].cid;
			return 0;
		}
	}
	return parse_number(cid, text, length);
}

static const struct transport_kind *find_kind(const char *text) {
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
			return &kinds[i];
		}
	}
	return NULL;
}

int portal_transport_parse(
	struct portal_transport_address *address, const char *text, const char **error) {
	const struct transport_kind *kind = find_kind(text);
	if (kind == NULL) {
		return fail_parse(error,
			"a transport is unix:PATH, vsock:CID:PORT, vsock-unix:PATH:PORT or "
			"virtio-serial:PATH");
	}
	*address = (struct portal_transport_address){.kind = kind->kind};
	const char *rest = text + strlen(kind->prefix);
	size_t length = strlen(rest);
	if (kind->port) {
		const char *colon = strrchr(rest, ':');
		if (colon == NULL ||
			parse_number(&address->port, colon + 1, strlen(colon + 1)) < 0) {
			return fail_parse(error, "the transport's PORT is not a number");
		}
		length = (size_t)(colon - rest);
	}
	if (kind->cid && parse_cid(&address->cid, rest, length) < 0) {
		return fail_parse(error, "a vsock CID is a number, any, local or host");
	}
	if (kind->path) {
		if (length == 0 || length >= sizeof(address->path)) {
			return fail_parse(error, "the transport's PATH is empty or over 107 bytes");
		}
		memcpy(address->path, rest, length);
	}
	return 0;
}

bool portal_transport_needs_key(const struct portal_transport_address *address) {
	return address->kind != PORTAL_TRANSPORT_UNIX;
}

static void format_name(char *name, size_t size, const struct portal_transport_address *address) {
	switch (address->kind) {
	case PORTAL_TRANSPORT_UNIX:
		snprintf(name, size, "unix:%s", address->path);
		break;
	case PORTAL_TRANSPORT_VSOCK:
		snprintf(name, size, "vsock:%u:%u", address->cid, address->port);
		break;
	case PORTAL_TRANSPORT_VSOCK_UNIX:
		snprintf(name, size, "vsock-unix:%s:%u", address->path, address->port);
		break;
	case PORTAL_TRANSPORT_VIRTIO_SERIAL:
		snprintf(name, size, "virtio-serial:%s", address->path);
		break;
	}
}

void portal_transport_init(struct portal_transport *transport,
	const struct portal_transport_impl *impl, const struct portal_transport_address *address,
	int fd) {
	*transport = (struct portal_transport){.impl = impl, .address = *address, .fd = fd};
	format_name(transport->name, sizeof(transport->name), address);
}

struct portal_transport *portal_transport_connect(const struct portal_transport_address *address) {
	if (address->kind == PORTAL_TRANSPORT_VIRTIO_SERIAL) {
		return portal_transport_serial_connect(address);
	}
	return portal_transport_socket_connect(address);
}

void portal_transport_destroy(struct portal_transport *transport) {
	if (transport != NULL) {
		transport->impl->destroy(transport);
	}
}

int portal_transport_get_fd(const struct portal_transport *transport) {
	return transport->fd;
}

short portal_transport_get_events(struct portal_transport *transport, short wanted) {
	return transport->impl->events(transport, wanted);
}

ssize_t portal_transport_read(
	struct portal_transport *transport, void *data, size_t size, int *fd) {
	*fd = -1;
	return transport->impl->read(transport, data, size, fd);
}

ssize_t portal_transport_write(
	struct portal_transport *transport, const void *data, size_t size, int fd) {
	if (fd >= 0 && !transport->can_pass_fd) {
		errno = ENOTSUP;
		return -1;
	}
	return transport->impl->write(transport, data, size, fd);
}

const char *portal_transport_get_name(const struct portal_transport *transport) {
	return transport->name;
}

void portal_transport_unread(struct portal_transport *transport, const void *data, size_t size) {
	if (transport->impl->unread != NULL && size > 0) {
		transport->impl->unread(transport, data, size);
	}
}

void portal_transport_rearm(struct portal_transport *transport) {
	if (transport->impl->rearm != NULL) {
		transport->impl->rearm(transport);
	}
}
