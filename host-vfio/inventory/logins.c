#include "inventory/logins.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { STATE_ESTABLISHED = 1, STATE_LISTEN = 10 }; /* include/net/tcp_states.h */

/* IPv4 is in the last four bytes of ::ffff:0:0/96 (RFC 4291, 2.5.5.2). */
struct connection {
	struct in6_addr local, peer;
	unsigned port;
	unsigned long inode;
	bool told;
};

struct sockets {
	struct connection *items; /* established */
	size_t count;
	bool listened[65536];
};

/* What opens the machine to people, by the kernel's names (15 letters) of the processes. */
static bool lets_people_in(const char *name) {
	static const char *const names[] = {"sshd", "sshd-session", "sshd-auth", "dropbear",
		"in.telnetd", "telnetd", "xrdp", "Xvnc", "x11vnc", "wayvnc", "x0vncserver",
		"gnome-remote-de", "krdpserver", "krfb", "cockpit-ws", "cockpit-tls", "ttyd",
		"shellinaboxd", "libvirtd", "virtproxyd"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

/* "0100007F" or 32 digits: words of the machine's byte order. */
static bool read_address(const char *digits, struct in6_addr *address) {
	uint32_t words[4] = {0, 0, htonl(0xffff), 0};
	size_t count = strlen(digits) == 8 ? 1 : strlen(digits) == 32 ? 4 : 0;
	for (size_t i = 0; i < count; i++) {
		if (sscanf(digits + 8 * i, "%8x", &words[4 - count + i]) != 1) {
			return false;
		}
	}
	memcpy(address, words, sizeof(*address));
	return count > 0;
}

static bool is_loopback(const struct in6_addr *address) {
	return IN6_IS_ADDR_LOOPBACK(address) ||
	       (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

/* Documentation/networking/proc_net_tcp.rst: number, local and other address and port, state,
 * queues, timer, retransmissions, user, time-out, inode. */
static void read_socket(struct sockets *sockets, const char *line) {
	char local[33], peer[33];
	unsigned port, state;
	struct connection socket = {0};
	if (sscanf(line, "%*u: %32[0-9A-F]:%x %32[0-9A-F]:%*x %x %*s %*s %*s %*u %*u %lu", local,
		    &port, peer, &state, &socket.inode) != 5 ||
		port > 65535 || !read_address(local, &socket.local) ||
		!read_address(peer, &socket.peer)) {
		return;
	}
	socket.port = port;
	if (state == STATE_LISTEN) {
		sockets->listened[port] = true;
	} else if (state == STATE_ESTABLISHED && !is_loopback(&socket.peer)) {
		sockets->items = must_grow(sockets->items, sockets->count, sizeof(socket));
		sockets->items[sockets->count++] = socket;
	}
}

/* Too large for tree_text() where thousands are connected: read in growing pieces. */
static void read_table(struct sockets *sockets, struct tree *tree, const char *path) {
	enum { MOST = 64 * 1024 * 1024 };
	char *text = NULL;
	ssize_t length = 0;
	for (size_t room = 256 * 1024; room <= MOST; room *= 4) {
		free(text);
		text = must_alloc(room + 1, 1);
		length = tree_bytes(tree, text, room, "%s", path);
		if (length < (ssize_t)room) {
			break;
		}
	}
	char *rest = length > 0 ? text : NULL, *line;
	while ((line = strsep(&rest, "\n"))) {
		read_socket(sockets, line);
	}
	free(text);
}

/* Leaves those that somebody else began. */
static void keep_accepted(struct sockets *sockets) {
	size_t kept = 0;
	for (size_t i = 0; i < sockets->count; i++) {
		if (sockets->listened[sockets->items[i].port]) {
			sockets->items[kept++] = sockets->items[i];
		}
	}
	sockets->count = kept;
}

static bool is_address(const struct sockaddr *given, const struct in6_addr *address) {
	if (given && given->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)given;
		return IN6_ARE_ADDR_EQUAL(&v6->sin6_addr, address);
	}
	if (given && given->sa_family == AF_INET && IN6_IS_ADDR_V4MAPPED(address)) {
		const struct sockaddr_in *v4 = (const void *)given;
		return memcmp(&v4->sin_addr, &address->s6_addr[12], 4) == 0;
	}
	return false;
}

/* NULL: none has it any more. The label of an old "eth0:1" is that of eth0. */
static char *find_interface(const struct ifaddrs *addresses, const struct in6_addr *address) {
	for (const struct ifaddrs *entry = addresses; entry; entry = entry->ifa_next) {
		if (is_address(entry->ifa_addr, address)) {
			return must_print(
				"%.*s", (int)strcspn(entry->ifa_name, ":"), entry->ifa_name);
		}
	}
	return NULL;
}

static void put_login(FILE *out, const struct connection *socket, const struct ifaddrs *addresses,
	const char *process, const char *pid) {
	char peer[INET6_ADDRSTRLEN];
	char *interface = find_interface(addresses, &socket->local);
	char *own = find_interface(addresses, &socket->peer);
	bool v4 = IN6_IS_ADDR_V4MAPPED(&socket->peer);
	const void *bytes = v4 ? (const void *)&socket->peer.s6_addr[12] : &socket->peer;
	if (interface && !own && inet_ntop(v4 ? AF_INET : AF_INET6, bytes, peer, sizeof(peer))) {
		fprintf(out, "%s %s %s %s\n", process, pid, interface, peer);
	}
	free(own);
	free(interface);
}

static void put_logins(FILE *out, struct sockets *sockets, unsigned long inode,
	const struct ifaddrs *addresses, const char *process, const char *pid) {
	for (size_t i = 0; i < sockets->count; i++) {
		struct connection *socket = &sockets->items[i];
		if (socket->inode == inode && !socket->told) {
			socket->told = true;
			put_login(out, socket, addresses, process, pid);
		}
	}
}

/* A connection is told once: sshd has one in two processes, and may have many descriptors for it.
 */
static void read_process(FILE *out, struct sockets *sockets, struct tree *tree,
	const struct ifaddrs *addresses, const char *pid) {
	char *name = tree_text(tree, "/proc/%s/comm", pid);
	struct strings files = {0};
	if (name && lets_people_in(name)) {
		files = tree_list(tree, "/proc/%s/fd", pid);
	}
	for (size_t i = 0; i < files.count; i++) {
		unsigned long inode;
		char *link = tree_link(tree, "/proc/%s/fd/%s", pid, files.items[i]);
		if (link && sscanf(link, "socket:[%lu]", &inode) == 1) {
			put_logins(out, sockets, inode, addresses, name, pid);
		}
		free(link);
	}
	strings_finish(&files);
	free(name);
}

char *logins_text(struct tree *tree, const struct ifaddrs *addresses) {
	struct sockets *sockets = must_alloc(1, sizeof(*sockets));
	char *text = NULL;
	size_t size;
	FILE *out = must_have(open_memstream(&text, &size));
	read_table(sockets, tree, "/proc/net/tcp");
	read_table(sockets, tree, "/proc/net/tcp6");
	keep_accepted(sockets);
	struct strings pids = {0};
	if (sockets->count > 0) {
		pids = tree_list(tree, "/proc");
	}
	for (size_t i = 0; i < pids.count; i++) {
		if (isdigit((unsigned char)pids.items[i][0])) {
			read_process(out, sockets, tree, addresses, pids.items[i]);
		}
	}
	strings_finish(&pids);
	fclose(out);
	free(sockets->items);
	free(sockets);
	return text;
}
