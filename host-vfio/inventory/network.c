#include "inventory/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A VLAN on a bond in a bridge is three. */
enum { STACK_MAX = 8 };

/* Adds the route to the PCI devices that an interface stands on: its own, or those of the
 * interfaces below it ("lower_eth0" in sysfs). */
static void add_route(struct machine *machine, struct tree *tree, const char *route,
	const char *interface, int depth) {
	char *path = tree_target(tree, "/sys/class/net/%s", interface);
	struct pci_device *device = path ? machine_find_path(machine, path) : NULL;
	if (device) {
		machine_add_holder(device, HOLDER_ROUTE, route, interface, 0);
	}
	struct strings names = {0};
	if (path && !device && depth < STACK_MAX) {
		names = tree_list(tree, "%s", path);
	}
	for (size_t i = 0; i < names.count; i++) {
		if (strncmp(names.items[i], "lower_", 6) != 0) {
			continue;
		}
		char *below = tree_link(tree, "%s/%s", path, names.items[i]);
		if (below) {
			add_route(machine, tree, route, path_name(below), depth + 1);
		}
		free(below);
	}
	strings_finish(&names);
	free(path);
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
			add_route(machine, tree, interface, interface, 0);
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
			add_route(machine, tree, interface, interface, 0);
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
	read_ipv4(machine, tree);
	read_ipv6(machine, tree);
}
