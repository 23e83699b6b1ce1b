#include "inventory/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

/* A VLAN on a bond in a bridge is three. */
enum { STACK_MAX = 8 };

/* What goes over the network through an interface. */
struct use {
	enum holder_kind kind;
	const char *name, *through;
	int pid;
	const char *peer;
	bool down; /* it does not work now */
};

/* Where there is no link, IF_OPER_ of RFC 2863 as sysfs prints it. */
static bool has_no_link(struct tree *tree, const char *path) {
	static const char *const states[] = {"down", "lowerlayerdown", "notpresent"};
	char *state = tree_text(tree, "%s/operstate", path);
	bool down = false;
	for (size_t i = 0; state && i < sizeof(states) / sizeof(states[0]); i++) {
		down |= strcmp(state, states[i]) == 0;
	}
	free(state);
	return down;
}

static void add_holder(struct pci_device *device, const struct use *use, bool idle, bool bridged) {
	size_t count = device->holders_count;
	struct holder *holder =
		machine_add_holder(device, use->kind, use->name, use->through, use->pid);
	bool is_new = device->holders_count > count;
	/* Of an IPv4 and an IPv6 route one that works is enough. */
	holder->idle = idle && (is_new || holder->idle);
	holder->bridged |= bridged;
	if (!holder->peer) {
		holder->peer = must_copy(use->peer);
	}
}

/* Adds the use to the PCI devices that an interface stands on: its own, or those of the interfaces
 * below it ("lower_eth0" in sysfs). */
static void add_use(struct machine *machine, struct tree *tree, const struct use *use,
	const char *interface, bool bridged, int depth) {
	char *path = tree_target(tree, "/sys/class/net/%s", interface);
	struct pci_device *device = path ? machine_find_path(machine, path) : NULL;
	struct strings names = {0};
	if (device) {
		add_holder(device, use, use->down || has_no_link(tree, path), bridged);
	} else if (path && depth < STACK_MAX) {
		names = tree_list(tree, "%s", path);
		bridged |= tree_exists(tree, "%s/bridge/stp_state", path);
	}
	for (size_t i = 0; i < names.count; i++) {
		if (strncmp(names.items[i], "lower_", 6) != 0) {
			continue;
		}
		char *below = tree_link(tree, "%s/%s", path, names.items[i]);
		if (below) {
			add_use(machine, tree, use, path_name(below), bridged, depth + 1);
		}
		free(below);
	}
	strings_finish(&names);
	free(path);
}

static void add_default_route(struct machine *machine, struct tree *tree, const char *interface,
	const char *table, bool down) {
	char *through = table ? must_print("table %s", table) : NULL;
	const struct use use = {
		.kind = HOLDER_ROUTE, .name = interface, .through = through, .down = down};
	add_use(machine, tree, &use, interface, false, 0);
	free(through);
}

/* "DESTINATION INTERFACE TABLE [down]", routes.h; of a recorded machine "-" stands for a
 * destination. */
static void read_route(struct machine *machine, struct tree *tree, const char *line) {
	char destination[64], interface[64], table[16], state[8] = "";
	if (sscanf(line, "%63s %63s %15s %7s", destination, interface, table, state) < 3) {
		return;
	}
	bool down = strcmp(state, "down") == 0;
	if (strcmp(destination, "default") == 0) {
		bool main_table = strcmp(table, "main") == 0;
		add_default_route(machine, tree, interface, main_table ? NULL : table, down);
		return;
	}
	const struct use use = {.kind = HOLDER_NETWORK,
		.name = strcmp(destination, "-") == 0 ? "a network" : destination,
		.through = interface,
		.down = down};
	add_use(machine, tree, &use, interface, false, 0);
}

/* "PROCESS PID INTERFACE PEER", logins.h; of a recorded machine "-" stands for the peer. */
static void read_login(struct machine *machine, struct tree *tree, const char *line) {
	char process[64], interface[64], peer[64];
	int pid;
	int count = sscanf(line, "%63s %d %63s %63s", process, &pid, interface, peer);
	if (count < 3 || pid < 1) {
		return;
	}
	const struct use use = {.kind = HOLDER_LOGIN,
		.name = process,
		.through = interface,
		.pid = pid,
		.peer = count > 3 && strcmp(peer, "-") != 0 ? peer : NULL};
	add_use(machine, tree, &use, interface, false, 0);
}

/* Calls for each line. False: there is no such file. */
static bool read_lines(struct machine *machine, struct tree *tree, const char *path,
	void (*call)(struct machine *machine, struct tree *tree, const char *line)) {
	char *text = tree_text(tree, "%s", path);
	char *rest = text, *line;
	while ((line = strsep(&rest, "\n"))) {
		call(machine, tree, line);
	}
	free(text);
	return text != NULL;
}

/* /proc/net/route: interface, destination, gateway, flags, …, mask in the eighth column, all in
 * hexadecimal. */
static void read_ipv4(struct machine *machine, struct tree *tree) {
	char *text = tree_text(tree, "/proc/net/route");
	char *rest = text, *line;
	while ((line = strsep(&rest, "\n"))) {
		char interface[64];
		unsigned destination, mask;
		if (sscanf(line, "%63s %x %*x %*x %*u %*u %*u %x", interface, &destination,
			    &mask) == 3 &&
			destination == 0 && mask == 0) {
			add_default_route(machine, tree, interface, NULL, false);
		}
	}
	free(text);
}

/* /proc/net/ipv6_route: destination, prefix length, …, the interface in the tenth column. */
static void read_ipv6(struct machine *machine, struct tree *tree) {
	static const char any[] = "00000000000000000000000000000000 00 ";
	char *text = tree_text(tree, "/proc/net/ipv6_route");
	char *rest = text, *line;
	while ((line = strsep(&rest, "\n"))) {
		char interface[64];
		/* The kernel lists a reject route on lo for "no route at all". */
		if (strncmp(line, any, strlen(any)) == 0 &&
			sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %63s", interface) == 1 &&
			strcmp(interface, "lo") != 0) {
			add_default_route(machine, tree, interface, NULL, false);
		}
	}
	free(text);
}

/* An interface knows better than the class of its device: older Wi-Fi cards call themselves
 * Ethernet, and "other network controller" is what Wi-Fi cards call themselves, and others do. */
static void read_kind(struct machine *machine, struct tree *tree, const char *interface) {
	char *path = tree_target(tree, "/sys/class/net/%s", interface);
	struct pci_device *device = path ? machine_find_path(machine, path) : NULL;
	if (device && device->category == CATEGORY_NET) {
		char *wifi = tree_link(tree, "%s/phy80211", path);
		if (wifi) {
			device->net_kind = NET_WIFI;
		} else if (device->net_kind == NET_WIFI) {
			device->net_kind = NET_OTHER;
		}
		free(wifi);
	}
	free(path);
}

void network_read(struct machine *machine, struct tree *tree) {
	struct strings interfaces = tree_list(tree, "/sys/class/net");
	for (size_t i = 0; i < interfaces.count; i++) {
		read_kind(machine, tree, interfaces.items[i]);
	}
	strings_finish(&interfaces);
	/* Below another root, and on machines recorded by older versions, there is only what /proc
	 * knows: the main table's. */
	if (!read_lines(machine, tree, "/network/routes", read_route)) {
		read_ipv4(machine, tree);
		read_ipv6(machine, tree);
	}
	read_lines(machine, tree, "/network/logins", read_login);
}
