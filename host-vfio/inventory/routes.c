#include "inventory/routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"

enum {
	/* The kernel never puts more into one message of a dump (NLMSG_GOODSIZE, 32 KiB since
	 * Linux 4.9 for those who take that much). */
	MESSAGE_MAX = 64 * 1024,
	/* A router has a million routes; what an interface is good for is told by a few. */
	NETWORKS_MAX = 4,
};

struct interface {
	unsigned index;
	unsigned networks;
};

struct dump {
	FILE *out;
	struct interface *interfaces;
	size_t interfaces_count;
};

static struct interface *find_interface(struct dump *dump, unsigned index) {
	for (size_t i = 0; i < dump->interfaces_count; i++) {
		if (dump->interfaces[i].index == index) {
			return &dump->interfaces[i];
		}
	}
	dump->interfaces =
		must_grow(dump->interfaces, dump->interfaces_count, sizeof(*dump->interfaces));
	struct interface *interface = &dump->interfaces[dump->interfaces_count++];
	*interface = (struct interface){.index = index};
	return interface;
}

/* One route through one interface. `flags` are RTNH_F_. */
static void put_route(struct dump *dump, const struct rtmsg *route, const void *destination,
	uint32_t table, unsigned index, unsigned flags) {
	char interface[IF_NAMESIZE], text[INET6_ADDRSTRLEN], where[16] = "main";
	if (!if_indextoname(index, interface)) {
		return; /* it went away meanwhile */
	}
	if (table != RT_TABLE_MAIN) {
		snprintf(where, sizeof(where), "%u", table);
	}
	const char *down = flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN) ? " down" : "";
	if (route->rtm_dst_len == 0) {
		fprintf(dump->out, "default %s %s%s\n", interface, where, down);
	} else if (destination && inet_ntop(route->rtm_family, destination, text, sizeof(text)) &&
		   find_interface(dump, index)->networks++ < NETWORKS_MAX) {
		fprintf(dump->out, "%s/%u %s %s%s\n", text, route->rtm_dst_len, interface, where,
			down);
	}
}

static void put_hops(struct dump *dump, const struct rtmsg *route, const void *destination,
	uint32_t table, const struct rtattr *multipath) {
	const struct rtnexthop *hop = RTA_DATA(multipath);
	int left = (int)RTA_PAYLOAD(multipath);
	while (left > 0 && RTNH_OK(hop, left)) {
		put_route(dump, route, destination, table, (unsigned)hop->rtnh_ifindex,
			hop->rtnh_flags);
		left -= (int)RTNH_ALIGN(hop->rtnh_len);
		hop = RTNH_NEXT(hop);
	}
}

static bool is_local_scope(const struct rtmsg *route, const void *destination) {
	const unsigned char *bytes = destination;
	if (!bytes) {
		return false;
	}
	return route->rtm_family == AF_INET6
		       ? bytes[0] == 0xff || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
		       : (bytes[0] & 0xf0) == 0xe0;
}

static void handle_route(struct dump *dump, const struct nlmsghdr *message) {
	const struct rtmsg *route = NLMSG_DATA(message);
	const struct rtattr *attribute = RTM_RTA(route), *multipath = NULL;
	const void *destination = NULL;
	uint32_t table = route->rtm_table, index = 0;
	int left = (int)RTM_PAYLOAD(message);
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		switch (attribute->rta_type) {
		case RTA_DST:
			destination = RTA_DATA(attribute);
			break;
		case RTA_OIF:
			memcpy(&index, RTA_DATA(attribute), sizeof(index));
			break;
		case RTA_TABLE:
			memcpy(&table, RTA_DATA(attribute), sizeof(table));
			break;
		case RTA_MULTIPATH:
			multipath = attribute;
			break;
		default:
			break;
		}
	}
	if (route->rtm_type != RTN_UNICAST || route->rtm_flags & RTM_F_CLONED ||
		table == RT_TABLE_LOCAL || is_local_scope(route, destination)) {
		return;
	}
	if (multipath) {
		put_hops(dump, route, destination, table, multipath);
	} else if (index != 0) {
		put_route(dump, route, destination, table, index, route->rtm_flags);
	}
}

static int ask(int fd, unsigned char family) {
	struct {
		struct nlmsghdr header;
		struct rtmsg route;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_GETROUTE,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.route = {.rtm_family = family},
	};
	return send(fd, &request, sizeof(request), 0) < 0 ? -1 : 0;
}

/* 1: the dump is complete, 0: more comes, -1 with errno. */
static int handle_messages(struct dump *dump, const void *data, unsigned length) {
	const struct nlmsghdr *message = data;
	for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
		if (message->nlmsg_type == NLMSG_DONE) {
			return 1;
		}
		if (message->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *error = NLMSG_DATA(message);
			errno = -error->error;
			return -1;
		}
		if (message->nlmsg_type == RTM_NEWROUTE) {
			handle_route(dump, message);
		}
	}
	return 0;
}

/* A kernel without IPv6 says that there is nothing of it, by whatever errno: that is no failure. */
static int dump_family(struct dump *dump, int fd, unsigned char family) {
	if (ask(fd, family) < 0) {
		return -1;
	}
	void *data = must_alloc(MESSAGE_MAX, 1);
	int status = 0;
	while (status == 0) {
		ssize_t length = recv(fd, data, MESSAGE_MAX, 0);
		if (length < 0 && errno != EINTR) {
			status = -1;
		} else if (length >= 0) {
			status = handle_messages(dump, data, (unsigned)length);
		}
	}
	free(data);
	return status > 0 || family == AF_INET6 ? 0 : -1;
}

char *routes_text(void) {
	char *text = NULL;
	size_t size;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0) {
		return NULL;
	}
	struct dump dump = {.out = must_have(open_memstream(&text, &size))};
	int status = dump_family(&dump, fd, AF_INET);
	if (status == 0) {
		status = dump_family(&dump, fd, AF_INET6);
	}
	int saved = errno;
	fclose(dump.out);
	free(dump.interfaces);
	close(fd);
	if (status < 0) {
		free(text);
		errno = saved;
		return NULL;
	}
	return text;
}
