/* What goes over the network, and what of it the survival guard keeps. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "fixture.h"
#include "inventory/logins.h"
#include "policy/decide.h"
#include "policy/guard.h"
#include "record/record.h"

static void put(struct memory_tree *tree, const char *path, const char *text) {
	assert_int_equal(memory_tree_put_file(tree, path, text, strlen(text)), 0);
}

/* The server with many network cards, but with these routes and logins. */
static struct machine server_with(const char *routes, const char *logins) {
	struct memory_tree *tree = fixture_tree("many-nic-server");
	struct machine machine;
	put(tree, "/network/routes", routes);
	put(tree, "/network/logins", logins);
	/* eno2 and eno3 in a bridge. */
	memory_tree_put_link(tree, "/sys/class/net/br0", "../../devices/virtual/net/br0");
	put(tree, "/sys/devices/virtual/net/br0/bridge/stp_state", "0\n");
	memory_tree_put_link(tree, "/sys/devices/virtual/net/br0/lower_eno2",
		"../../../pci0000:00/0000:00:1c.0/0000:01:00.1/net/eno2");
	memory_tree_put_link(tree, "/sys/devices/virtual/net/br0/lower_eno3",
		"../../../pci0000:00/0000:00:1c.0/0000:01:00.2/net/eno3");
	/* One leg of the bond has no link. */
	memory_tree_put_link(tree, "/sys/class/net/bond1", "../../devices/virtual/net/bond1");
	memory_tree_put_link(tree, "/sys/devices/virtual/net/bond1/lower_eno2",
		"../../../pci0000:00/0000:00:1c.0/0000:01:00.1/net/eno2");
	memory_tree_put_link(tree, "/sys/class/net/eno4",
		"../../devices/pci0000:00/0000:00:1c.0/0000:01:00.3/net/eno4");
	memory_tree_put_link(tree, "/sys/devices/virtual/net/bond1/lower_eno4",
		"../../../pci0000:00/0000:00:1c.0/0000:01:00.3/net/eno4");
	put(tree, "/sys/devices/pci0000:00/0000:00:1c.0/0000:01:00.3/net/eno4/operstate", "down\n");
	assert_int_equal(machine_read(&machine, memory_tree_base(tree), NULL), 0);
	tree_destroy(memory_tree_base(tree));
	return machine;
}

/* The guard's answer to taking these devices: "RULE ADDRESS: TEXT" of each objection, one a line.
 */
static char *object_to(const struct machine *machine, const char *addresses) {
	bool *taken = must_alloc(machine->devices_count, sizeof(*taken));
	char *copy = must_copy(addresses), *rest = copy, *address;
	while ((address = strsep(&rest, " "))) {
		const struct pci_device *device = machine_find(machine, address);
		assert_non_null(device);
		taken[device - machine->devices] = true;
	}
	struct guard_objection *objections;
	size_t count = guard_check(machine, taken, NULL, &objections);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "%s %s: %s\n", guard_rule_name(objections[i].rule),
			objections[i].device->name, objections[i].text);
	}
	fclose(out);
	guard_free(objections, count);
	free(copy);
	free(taken);
	return text;
}

/* Both are freed. */
static void check(struct machine machine, const char *addresses, const char *expected) {
	char *said = object_to(&machine, addresses);
	assert_string_equal(said, expected);
	free(said);
	machine_finish(&machine);
}

/* What the guard says of a card. */
#define SAYS(rule, address, text) rule " 0000:" address ": " text
#define NO_OTHER ", and no card that stays does the same\n"
#define ROUTE(address, interface)                                                                  \
	SAYS("default-route", address, "the default route goes through " interface NO_OTHER)
#define TABLE(address, table, interface)                                                           \
	SAYS("default-route", address,                                                             \
		"the default route of table " table " goes through " interface NO_OTHER)
#define LOGIN(address, whose, interface)                                                           \
	SAYS("login", address, "somebody is logged in " whose " through " interface NO_OTHER)
#define NETWORK(address, network, interface)                                                       \
	SAYS("network", address,                                                                   \
		network " is reached through " interface ", and no card that stays reaches any\n")

static void the_last_way_to_any_network_stays_where_there_is_no_default_route(void **state) {
	static const char routes[] = "192.168.7.0/24 eno2 main\nfd00:7::/64 ens1f0 main\n";
	check(server_with(routes, ""), "01:00.1", "");
	check(server_with(routes, ""), "01:00.1 3b:00.0",
		NETWORK("01:00.1", "192.168.7.0/24", "eno2")
			NETWORK("3b:00.0", "fd00:7::/64", "ens1f0"));
}

static void a_network_may_go_while_the_default_route_stays(void **state) {
	static const char routes[] = "default ens1f0 main\n192.168.7.0/24 eno2 main\n";
	check(server_with(routes, ""), "01:00.1", "");
	check(server_with(routes, ""), "3b:00.0", ROUTE("3b:00.0", "ens1f0"));
	/* When the first is let go by name, the second is the last one. */
	check(server_with(routes, ""), "3b:00.0 01:00.1",
		ROUTE("3b:00.0", "ens1f0") NETWORK("01:00.1", "192.168.7.0/24", "eno2"));
}

static void each_routing_table_has_a_default_route_of_its_own(void **state) {
	static const char routes[] = "default ens1f0 main\ndefault eno2 200\ndefault eno3 200\n";
	check(server_with(routes, ""), "01:00.1", "");
	check(server_with(routes, ""), "01:00.1 01:00.2",
		TABLE("01:00.1", "200", "eno2") TABLE("01:00.2", "200", "eno3"));
}

static void whoever_is_logged_in_is_not_cut_off(void **state) {
	static const char routes[] = "default ens1f0 main\n192.168.7.0/24 eno2 main\n";
	check(server_with(routes, "sshd-session 812 eno2 192.168.7.20\n"), "01:00.1",
		LOGIN("01:00.1", "from 192.168.7.20 by sshd-session (pid 812)", "eno2"));
	/* Through a bond either leg will do. */
	check(server_with(routes, "sshd 812 bond0.40 -\n"), "3b:00.1 01:00.1", "");
	check(server_with("default eno2 main\n", "sshd 812 bond0.40 -\n"), "3b:00.1 3b:00.0",
		LOGIN("3b:00.0", "by sshd (pid 812)", "bond0.40")
			LOGIN("3b:00.1", "by sshd (pid 812)", "bond0.40"));
}

static void no_member_of_a_bridge_stands_in_for_another(void **state) {
	check(server_with("default br0 main\n", ""), "01:00.1",
		"default-route 0000:01:00.1: the default route goes through br0, and no card that "
		"stays is sure to lead there\n");
	/* A way around the bridge is as good. */
	check(server_with("default br0 main\ndefault ens1f0 main\n", ""), "01:00.1 01:00.2", "");
}

static void a_card_without_a_link_stands_in_for_none_that_has_one(void **state) {
	check(server_with("default bond1 main\n", ""), "01:00.1", ROUTE("01:00.1", "bond1"));
	check(server_with("default bond1 main\n", ""), "01:00.3", "");
	check(server_with("default eno2 main\ndefault eno3 main down\n", ""), "01:00.1",
		ROUTE("01:00.1", "eno2"));
	/* Where the cable is out everywhere, they count all the same. */
	check(server_with("default eno2 main down\ndefault eno3 main down\n", ""), "01:00.1", "");
}

static void lines_that_make_no_sense_are_passed_over(void **state) {
	static const char routes[] =
		"default\n\nmain default eno2\ndefault nowhere main\n10.0.0.0/8\n \ndefault "
		"../../etc main\ndefault eno2 main\n";
	static const char logins[] = "sshd eno2 1\nsshd\n\nsshd 1\nsshd 7 nowhere -\n";
	check(server_with(routes, logins), "01:00.1", ROUTE("01:00.1", "eno2"));
}

static void load(struct policy *policy, const char *text) {
	char path[] = "/tmp/host-network-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	fputs(text, file);
	fclose(file);
	assert_int_equal(policy_load(policy, path, NULL), 0);
	remove(path);
}

/* What goes where by a policy that gives the router every card. */
static void the_router_gets_what_the_host_is_not_managed_through(void **state) {
	static const struct {
		const char *address;
		const char *reason; /* NULL: it goes */
	} cases[] = {
		{"01:00.0", NULL},
		{"01:00.3", NULL},
		{"01:00.1", "kept by the survival guard (login)"},
		{"01:00.2", "kept by the survival guard (default-route)"},
		{"3b:00.0", "kept by the survival guard (default-route)"},
	};
	struct machine machine = fixture_machine("many-nic-server");
	struct policy policy;
	struct known known = {0};
	struct decisions decisions;
	struct strings running = {0};
	load(&policy, "assign net to router\nrouter net\n");
	strings_add(&running, "net");
	decide(&decisions, &policy, &known, &machine, &running);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct pci_device *device = machine_find(&machine, cases[i].address);
		const struct decision *decision = &decisions.items[device - machine.devices];
		assert_true((decision->vm != NULL) == (cases[i].reason == NULL));
		assert_true(!cases[i].reason || strstr(decision->reason, cases[i].reason));
	}
	decisions_finish(&decisions);
	strings_finish(&running);
	policy_finish(&policy);
	machine_finish(&machine);
}

/* What is kept for another reason may be the network that stays. */
static void one_card_more_than_needed_is_not_kept(void **state) {
	struct machine machine = server_with("default ens1f0 main\n192.168.7.0/24 eno2 main\n", "");
	struct policy policy;
	struct known known = {0};
	struct decisions decisions;
	struct strings running = {0};
	load(&policy, "assign net to router\nrouter net\n");
	strings_add(&running, "net");
	size_t lan = (size_t)(machine_find(&machine, "01:00.1") - machine.devices);
	size_t uplink = (size_t)(machine_find(&machine, "3b:00.0") - machine.devices);
	decide(&decisions, &policy, &known, &machine, &running);
	assert_non_null(decisions.items[lan].vm);
	assert_null(decisions.items[uplink].vm);
	decisions_finish(&decisions);
	policy_finish(&policy);
	load(&policy, "assign net to router\nrouter net\nunguard 3b:00.0\n");
	decide(&decisions, &policy, &known, &machine, &running);
	assert_null(decisions.items[lan].vm);
	assert_non_null(strstr(decisions.items[lan].reason, "survival guard (network)"));
	assert_non_null(decisions.items[uplink].vm);
	decisions_finish(&decisions);
	strings_finish(&running);
	policy_finish(&policy);
	machine_finish(&machine);
}

static void a_recording_keeps_the_ways_but_not_where_they_lead(void **state) {
	struct memory_tree *tree = fixture_tree("many-nic-server");
	put(tree, "/network/routes",
		"default bond0.40 main\n192.168.7.0/24 eno2 main\n2001:db8:7::/48 eno3 200 down\n");
	put(tree, "/network/logins", "sshd-session 2214 eno2 203.0.113.9\n");
	struct memory_tree *recording = record_machine(memory_tree_base(tree));
	char *text = tree_text(memory_tree_base(recording), "/network/routes");
	assert_string_equal(text, "default bond0.40 main\n- eno2 main\n- eno3 200 down");
	free(text);
	text = tree_text(memory_tree_base(recording), "/network/logins");
	assert_string_equal(text, "sshd-session 2214 eno2 -");
	free(text);
	tree_destroy(memory_tree_base(recording));
	tree_destroy(memory_tree_base(tree));
}

/* It is masked in the place where it was read to, which has no room for more. */
static void a_recording_of_lines_that_make_no_sense_is_not_longer_than_they_are(void **state) {
	enum { LINES = 1360 };
	struct memory_tree *tree = fixture_tree("many-nic-server");
	char *lines = must_alloc(LINES * 3 + 1, 1);
	for (int i = 0; i < LINES; i++) {
		memcpy(lines + i * 3, " x\n", 3);
	}
	put(tree, "/network/routes", lines);
	struct memory_tree *recording = record_machine(memory_tree_base(tree));
	char *text = tree_text(memory_tree_base(recording), "/network/routes");
	assert_memory_equal(text, lines, strlen(lines) - 1);
	free(text);
	free(lines);
	tree_destroy(memory_tree_base(recording));
	tree_destroy(memory_tree_base(tree));
}

/* A line of /proc/net/tcp or tcp6, in the byte order of this machine. */
static void put_socket(FILE *out, const char *local, unsigned port, const char *peer,
	unsigned state, unsigned long inode) {
	fprintf(out, "   0: ");
	for (int i = 0; i < 2; i++) {
		const char *address = i == 0 ? local : peer;
		uint32_t words[4];
		int count = strchr(address, ':') ? 4 : 1;
		assert_int_equal(inet_pton(count == 4 ? AF_INET6 : AF_INET, address, words), 1);
		for (int k = 0; k < count; k++) {
			fprintf(out, "%08X", words[k]);
		}
		fprintf(out, ":%04X ", i == 0 ? port : state == 10 ? 0 : 50000);
	}
	fprintf(out, "%02X 00000000:00000000 00:00000000 00000000     0        0 %lu 1 0 20\n",
		state, inode);
}

static void put_process(struct memory_tree *tree, int pid, const char *name, const char *sockets) {
	char *comm = must_print("/proc/%d/comm", pid), *copy = must_copy(sockets);
	char *line = must_print("%s\n", name), *rest = copy, *inode;
	put(tree, comm, line);
	for (int fd = 3; (inode = strsep(&rest, " ")); fd++) {
		char *path = must_print("/proc/%d/fd/%d", pid, fd);
		char *target = must_print("socket:[%s]", inode);
		memory_tree_put_link(tree, path, target);
		free(target);
		free(path);
	}
	free(line);
	free(copy);
	free(comm);
}

static struct memory_tree *tree_of_sockets(void) {
	enum { ESTABLISHED = 1, LISTEN = 10 };
	struct memory_tree *tree = memory_tree_create();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	fputs("  sl  local_address rem_address   st tx_queue rx_queue ...\n", out);
	put_socket(out, "0.0.0.0", 22, "0.0.0.0", LISTEN, 100);
	put_socket(out, "0.0.0.0", 443, "0.0.0.0", LISTEN, 101);
	put_socket(out, "192.168.7.5", 22, "192.168.7.20", ESTABLISHED, 200);
	put_socket(out, "192.168.7.5", 443, "192.168.7.21", ESTABLISHED, 201);
	put_socket(out, "192.168.7.5", 40000, "10.0.0.1", ESTABLISHED, 202);
	put_socket(out, "127.0.0.1", 22, "127.0.0.1", ESTABLISHED, 203);
	put_socket(out, "192.168.7.5", 22, "192.168.7.5", ESTABLISHED, 204);
	put_socket(out, "172.16.0.1", 22, "172.16.0.2", ESTABLISHED, 205);
	fputs("garbage\n   1: 0:16 0:0 01\n", out);
	fclose(out);
	put(tree, "/proc/net/tcp", text);
	free(text);
	out = open_memstream(&text, &size);
	put_socket(out, "2001:db8::5", 22, "2001:db8::20", ESTABLISHED, 300);
	put_socket(out, "::ffff:10.1.0.5", 22, "::ffff:10.1.0.20", ESTABLISHED, 301);
	fclose(out);
	put(tree, "/proc/net/tcp6", text);
	free(text);
	return tree;
}

static void logins_are_what_others_began_with_a_process_that_lets_people_in(void **state) {
	struct memory_tree *tree = tree_of_sockets();
	put_process(tree, 800, "sshd", "100");
	put_process(tree, 801, "sshd-session", "200 200 202 203 204 205");
	put_process(tree, 802, "sshd-session", "200");
	put_process(tree, 803, "nginx", "101 201");
	put_process(tree, 804, "sshd-session", "300");
	put_process(tree, 805, "sshd-session", "301");
	struct sockaddr_in v4 = {.sin_family = AF_INET}, other = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	inet_pton(AF_INET, "192.168.7.5", &v4.sin_addr);
	inet_pton(AF_INET, "10.1.0.5", &other.sin_addr);
	inet_pton(AF_INET6, "2001:db8::5", &v6.sin6_addr);
	char eth0[] = "eth0", label[] = "br0:1", bond0[] = "bond0", none[] = "tun0";
	struct ifaddrs addresses[] = {
		{.ifa_next = &addresses[1], .ifa_name = none},
		{.ifa_next = &addresses[2], .ifa_name = eth0, .ifa_addr = (struct sockaddr *)&v4},
		{.ifa_next = &addresses[3],
			.ifa_name = label,
			.ifa_addr = (struct sockaddr *)&other},
		{.ifa_name = bond0, .ifa_addr = (struct sockaddr *)&v6},
	};
	char *text = logins_text(memory_tree_base(tree), addresses);
	assert_string_equal(text, "sshd-session 801 eth0 192.168.7.20\n"
				  "sshd-session 804 bond0 2001:db8::20\n"
				  "sshd-session 805 br0 10.1.0.20\n");
	free(text);
	tree_destroy(memory_tree_base(tree));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_way_to_any_network_stays_where_there_is_no_default_route),
		cmocka_unit_test(a_network_may_go_while_the_default_route_stays),
		cmocka_unit_test(each_routing_table_has_a_default_route_of_its_own),
		cmocka_unit_test(whoever_is_logged_in_is_not_cut_off),
		cmocka_unit_test(no_member_of_a_bridge_stands_in_for_another),
		cmocka_unit_test(a_card_without_a_link_stands_in_for_none_that_has_one),
		cmocka_unit_test(lines_that_make_no_sense_are_passed_over),
		cmocka_unit_test(the_router_gets_what_the_host_is_not_managed_through),
		cmocka_unit_test(one_card_more_than_needed_is_not_kept),
		cmocka_unit_test(
			a_recording_of_lines_that_make_no_sense_is_not_longer_than_they_are),
		cmocka_unit_test(a_recording_keeps_the_ways_but_not_where_they_lead),
		cmocka_unit_test(logins_are_what_others_began_with_a_process_that_lets_people_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
