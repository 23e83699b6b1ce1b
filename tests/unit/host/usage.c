/* Who has the host's memory: what domains take, each file once, and who is counted when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "heap/domain_usage.h"
#include "hostd/domains.h"
#include "hostd/usage_json.h"
#include "policy/memory_view.h"

static const uint64_t mib = 1024 * 1024, gib = 1024 * 1024 * 1024;

/* As libvirt writes a running controller with two guests' heaps, one of them in both forms, and a
 * disk of the kind that keeps its contents, which is no memory of the host's. */
static const char controller[] =
	"<domain type='kvm' id='3'><name>work</name>"
	"<memory unit='KiB'>5636096</memory><currentMemory unit='KiB'>1048576</currentMemory>"
	"<memtune><hard_limit unit='GiB'>6</hard_limit></memtune>"
	"<memoryBacking><hugepages/></memoryBacking><devices>"
	"<memory model='nvdimm' access='shared'><source><path>/dev/shm/fox</path></source>"
	"<target><size unit='KiB'>131072</size></target><alias name='ua-portal-heap-fox'/></memory>"
	"<memory model='nvdimm'><source><path>/dev/dax0.0</path></source>"
	"<target><size unit='KiB'>262144</size></target></memory>"
	"<memory model='dimm'><target><size unit='KiB'>524288</size></target></memory>"
	"<shmem name='mail'><model type='ivshmem-plain'/><size unit='M'>64</size>"
	"<alias name='ua-portal-heap-mail'/></shmem>"
	"</devices></domain>";

static const char guest[] =
	"<domain type='kvm'><name>fox</name><memory unit='KiB'>1179648</memory><devices>"
	"<memory model='nvdimm' access='shared'><source><path>/dev/shm/fox</path></source>"
	"<target><size unit='KiB'>131072</size></target><alias name='ua-portal-heap'/></memory>"
	"</devices></domain>";

static void a_definition_says_what_its_domain_takes(void **state) {
	struct memory_usage usage, back;
	struct error error = {""};
	assert_int_equal(domain_usage_read(&usage, NULL, controller, &error), 0);
	/* The balloon could ask for all of it, hot-plugged modules are its own, files are not. */
	assert_int_equal(usage.memory, 5 * gib);
	assert_int_equal(usage.limit, 6 * gib);
	assert_int_equal(usage.page, MEMORY_PAGE_DEFAULT);
	assert_int_equal(usage.shared_count, 2);
	assert_true(memory_usage_has(&usage, "/dev/shm/fox"));
	assert_true(memory_usage_has(&usage, "/dev/shm/mail"));
	assert_null(memory_usage_heap(&usage));
	assert_int_equal(memory_usage_total(&usage), 5 * gib + 192 * mib);
	sd_json_variant *object = usage_json(&usage);
	assert_true(usage_json_read(&back, object));
	sd_json_variant_unref(object);
	assert_int_equal(back.memory, usage.memory);
	assert_int_equal(back.limit, usage.limit);
	assert_int_equal(back.page, usage.page);
	assert_int_equal(memory_usage_total(&back), memory_usage_total(&usage));
	memory_usage_finish(&back);
	memory_usage_finish(&usage);

	assert_int_equal(domain_usage_read(&usage, NULL, guest, &error), 0);
	assert_int_equal(usage.memory, gib);
	assert_string_equal(memory_usage_heap(&usage)->path, "/dev/shm/fox");
	assert_int_equal(memory_usage_heap(&usage)->size, 128 * mib);
	assert_int_equal(usage.page, 0);
	memory_usage_finish(&usage);
	assert_int_equal(domain_usage_read(&usage, NULL, "<domain", &error), -1);
	assert_false(usage_json_read(&usage, NULL));
}

static void a_heap_counts_once_and_with_its_guest(void **state) {
	struct memory_usage usages[2] = {{0}};
	struct strings apart = {0};
	struct error error = {""};
	assert_int_equal(domain_usage_read(&usages[0], NULL, controller, &error), 0);
	assert_int_equal(domain_usage_read(&usages[1], NULL, guest, &error), 0);
	struct memory_holder holders[] = {{"work", &usages[0], 0}, {"fox", &usages[1], 0}};
	struct scheme_running *running = memory_holders_count(holders, 2, NULL);
	assert_int_equal(running[0].memory, 5 * gib);
	assert_int_equal(running[0].heap, 64 * mib);
	assert_int_equal(running[1].memory, gib);
	assert_int_equal(running[1].heap, 128 * mib);
	free(running);
	/* While its guest is off the controller has it. */
	running = memory_holders_count(holders, 1, NULL);
	assert_int_equal(running[0].heap, 192 * mib);
	free(running);
	/* One that starts brings it along. */
	strings_add(&apart, "/dev/shm/fox");
	running = memory_holders_count(holders, 1, &apart);
	assert_int_equal(running[0].heap, 64 * mib);
	free(running);
	holders[1].heap = 256 * mib; /* and is about to be resized */
	running = memory_holders_count(holders, 2, NULL);
	assert_int_equal(running[1].heap, 256 * mib);
	free(running);
	strings_finish(&apart);
	memory_usage_finish(&usages[0]);
	memory_usage_finish(&usages[1]);
}

static bool counts(const struct domains *domains, const char *name) {
	const struct domain_entry *entry = domains_find(domains, name);
	return entry && domain_has_memory(entry);
}

static bool set(
	struct domains *domains, const char *name, int state, const struct memory_usage *usage) {
	bool former;
	bool changed = domains_set(domains, name, state, usage, &former);
	assert_false(former);
	return changed;
}

static void assert_former(struct domains *domains, const char *name, int state) {
	bool former;
	domains_set(domains, name, state, NULL, &former);
	assert_true(former);
}

static void a_domain_counts_from_its_start_on_until_it_is_gone(void **state) {
	struct domains domains = {0};
	struct strings names = {0};
	const struct memory_usage usage = {.memory = gib};
	strings_add(&names, "fox");
	domains_name(&domains, &names);
	domains_know(&domains);
	set(&domains, "fox", DOMAIN_OFF, &usage);
	assert_false(counts(&domains, "fox"));
	/* Between the hook's question and libvirt's event it has its memory already; what libvirt
	 * said before comes late. */
	domains_hold(&domains, "fox", &usage);
	assert_true(counts(&domains, "fox"));
	set(&domains, "fox", DOMAIN_OFF, &usage);
	assert_true(counts(&domains, "fox"));
	/* And the hook knows before the event that it has ended. */
	assert_true(set(&domains, "fox", DOMAIN_RUNNING, NULL));
	domains_release(&domains, "fox");
	assert_false(counts(&domains, "fox"));
	assert_former(&domains, "fox", DOMAIN_OFF);
	assert_false(counts(&domains, "fox"));
	/* A start that fails ends in a release, too. */
	domains_hold(&domains, "fox", NULL);
	domains_release(&domains, "fox");
	set(&domains, "fox", DOMAIN_RUNNING, NULL); /* it did, when that was sent */
	assert_false(counts(&domains, "fox"));

	/* One that nobody has named counts in the same way, and is forgotten when it is gone. */
	domains_hold(&domains, "stranger", &usage);
	assert_true(counts(&domains, "stranger"));
	assert_false(set(&domains, "stranger", DOMAIN_RUNNING, NULL));
	/* Its machine does not end because libvirt does. */
	domains_forget(&domains, "gone");
	assert_true(counts(&domains, "stranger"));
	set(&domains, "fox", DOMAIN_OFF, &usage);
	domains_know(&domains);
	assert_null(domains_find(&domains, "stranger"));
	set(&domains, "stranger", DOMAIN_RUNNING, &usage);
	set(&domains, "stranger", DOMAIN_OFF, NULL); /* it was transient */
	assert_null(domains_find(&domains, "stranger"));
	set(&domains, "stranger", DOMAIN_OFF, &usage);
	assert_non_null(domains_find(&domains, "stranger"));
	set(&domains, "stranger", DOMAIN_ABSENT, NULL);
	assert_null(domains_find(&domains, "stranger"));
	strings_finish(&names);
	domains_finish(&domains);
}

/* A hook waits for its answer, and events come through a process of their own. */
static void what_events_say_of_a_life_before_is_no_news_of_this_one(void **state) {
	struct domains domains = {0};
	struct strings names = {0};
	strings_add(&names, "fox");
	domains_name(&domains, &names);
	domains_know(&domains);
	set(&domains, "fox", DOMAIN_RUNNING, NULL);
	domains_release(&domains, "fox");
	/* It is started again before they have told the end. */
	domains_hold(&domains, "fox", NULL);
	assert_former(&domains, "fox", DOMAIN_STOPPING);
	assert_true(counts(&domains, "fox"));
	domains_started(&domains, "fox");
	assert_former(&domains, "fox", DOMAIN_OFF);
	assert_true(counts(&domains, "fox"));
	assert_true(set(&domains, "fox", DOMAIN_RUNNING, NULL));
	/* It ends, and is started and ends twice before anything is told; once it is refused. */
	domains_release(&domains, "fox");
	for (int i = 0; i < 2; i++) {
		domains_hold(&domains, "fox", NULL);
		domains_started(&domains, "fox");
		domains_release(&domains, "fox");
		domains_hold(&domains, "fox", NULL);
		domains_release(&domains, "fox");
	}
	for (int i = 0; i < 3; i++) {
		assert_former(&domains, "fox", DOMAIN_RUNNING);
		assert_former(&domains, "fox", DOMAIN_OFF);
		assert_false(counts(&domains, "fox"));
	}
	set(&domains, "fox", DOMAIN_RUNNING, NULL);
	assert_true(counts(&domains, "fox"));
	/* What is not told when libvirt goes is not told when it is back. */
	domains_release(&domains, "fox");
	domains_forget(&domains, "gone");
	set(&domains, "fox", DOMAIN_RUNNING, NULL);
	domains_know(&domains);
	assert_true(counts(&domains, "fox"));
	strings_finish(&names);
	domains_finish(&domains);
}

static const char policy_text[] =
	"controller work {\n\tmemory 8G\n}\ncontroller play {\n\tmemory 6G\n}\n"
	"router net {\n\tmemory 512M\n}\nguest web {\n\tdomain fox\n"
	"\tmemory 4G\n\theap 64M 256M\n}\nmemory {\n\treserve 4G\n}\n";

static void load(struct policy *policy) {
	char path[] = "/tmp/host-usage-XXXXXX";
	struct error error = {""};
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, policy_text, strlen(policy_text)), strlen(policy_text));
	close(fd);
	assert_int_equal(policy_load(policy, path, &error), 0);
	unlink(path);
}

/* Until the next. */
static const struct memory_host *host_of(uint64_t total) {
	static struct memory_host host;
	host = (struct memory_host){
		.total = total, .page = 2 * mib, .pools = {{2 * mib, 0, 0}}, .pools_count = 1};
	return &host;
}

static const struct memory_view_vm *find(const struct memory_view *view, const char *name) {
	for (size_t i = 0; i < view->vms_count; i++) {
		if (strcmp(view->vms[i].name, name) == 0) {
			return &view->vms[i];
		}
	}
	return NULL;
}

static void the_plan_leaves_controllers_router_and_strangers_their_memory(void **state) {
	struct policy policy;
	struct history history = {0};
	struct memory_view view;
	struct memory_usage fox, work;
	const struct memory_usage stranger = {.memory = 3 * gib};
	const struct strings all = {0};
	struct error error = {""};
	load(&policy);
	/* Without libvirt the policy's figures are what there is; one controller at a time. */
	assert_int_equal(memory_view_init(&view, &policy, &history, host_of(32 * gib), NULL, 0,
				 &all, &error),
		0);
	assert_true(find(&view, "work")->counted);
	assert_false(find(&view, "play")->counted);
	assert_true(find(&view, "net")->counted);
	assert_int_equal(view.scheme.taken, 8 * gib + 512 * mib);
	assert_int_equal(view.scheme.plan.total, 4 * gib + 64 * mib);
	memory_view_finish(&view);
	/* What a definition says goes before that, and what runs counts whoever knows it. */
	assert_int_equal(domain_usage_read(&fox, NULL, guest, &error), 0);
	assert_int_equal(domain_usage_read(&work, NULL, controller, &error), 0);
	const struct memory_domain domains[] = {
		{"play", true, &(struct memory_usage){.memory = 7 * gib}},
		{"stranger", true, &stranger}, {"idle", false, &stranger}, {"fox", true, &fox},
		{"work", false, &work}};
	assert_int_equal(memory_view_init(&view, &policy, &history, host_of(32 * gib), domains, 5,
				 &all, &error),
		0);
	assert_false(find(&view, "work")->counted);
	assert_true(find(&view, "play")->runs);
	assert_null(find(&view, "idle"));
	assert_null(find(&view, "stranger")->role);
	assert_int_equal(view.scheme.taken, 7 * gib + 512 * mib + 3 * gib);
	assert_int_equal(view.scheme.plan.total, gib + 64 * mib);
	memory_view_finish(&view);
	/* A heap that is planned is not counted with the controller, too. */
	const struct memory_domain both[] = {{"work", true, &work}, {"fox", true, &fox}};
	assert_int_equal(memory_view_init(&view, &policy, &history, host_of(32 * gib), both, 2,
				 &all, &error),
		0);
	assert_int_equal(find(&view, "work")->heaps, 64 * mib);
	memory_view_finish(&view);
	assert_int_equal(memory_view_init(&view, &policy, &history, host_of(15 * gib), domains, 5,
				 &all, &error),
		-1);
	assert_non_null(strstr(error.text, "beside play (7 GiB), stranger (3 GiB), net (512 MiB)"));
	sd_json_variant *object = memory_view_json(&view, error.text);
	assert_null(sd_json_variant_by_key(object, "planned"));
	assert_int_equal(sd_json_variant_elements(sd_json_variant_by_key(object, "vms")), 4);
	sd_json_variant_unref(object);
	memory_view_finish(&view);
	memory_usage_finish(&fox);
	memory_usage_finish(&work);
	policy_finish(&policy);
}

static bool is_allocated(const char *xml) {
	struct memory_usage usage;
	struct error error = {""};
	bool allocated;
	assert_int_equal(domain_usage_read(&usage, &allocated, xml, &error), 0);
	memory_usage_finish(&usage);
	return allocated;
}

static void memory_is_there_at_the_start_or_only_promised(void **state) {
	static const struct {
		const char *backing, *devices;
		bool allocated;
	} cases[] = {
		{"", "", false},
		{"<allocation mode='ondemand'/>", "", false},
		{"<source type='memfd'/><access mode='shared'/>", "<interface type='network'/>",
			false},
		{"", "<hostdev mode='subsystem' type='usb'/>", false},
		{"<allocation mode='immediate' threads='2'/>", "", true},
		{"<hugepages/>", "", true},
		{"<locked/>", "", true},
		{"", "<hostdev type='usb'/><hostdev mode='subsystem' type='pci'/>", true},
		{"", "<interface type='network'/><interface type='hostdev'/>", true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *xml = must_print("<domain><memoryBacking>%s</memoryBacking>"
				       "<devices>%s</devices></domain>",
			cases[i].backing, cases[i].devices);
		assert_int_equal(is_allocated(xml), cases[i].allocated);
		free(xml);
	}
	assert_false(is_allocated(guest));
	assert_true(is_allocated(controller));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_definition_says_what_its_domain_takes),
		cmocka_unit_test(memory_is_there_at_the_start_or_only_promised),
		cmocka_unit_test(a_heap_counts_once_and_with_its_guest),
		cmocka_unit_test(a_domain_counts_from_its_start_on_until_it_is_gone),
		cmocka_unit_test(what_events_say_of_a_life_before_is_no_news_of_this_one),
		cmocka_unit_test(the_plan_leaves_controllers_router_and_strangers_their_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
