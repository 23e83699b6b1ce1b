/* The user that QEMU runs as, from what libvirt 12.8 says of itself and of a domain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "domain/dac.h"

#define DRIVER(model, labels) "<secmodel><model>" model "</model><doi>0</doi>" labels "</secmodel>"
#define LABELS(kvm, qemu)                                                                          \
	"<baselabel type='kvm'>" kvm "</baselabel><baselabel type='qemu'>" qemu "</baselabel>"
#define HOST(drivers) "<capabilities><host><uuid>1</uuid>" drivers "</host></capabilities>"

static const char debian[] =
	HOST(DRIVER("apparmor", "") DRIVER("dac", LABELS("+64055:+994", "+64056:+995")));
static const char session[] = HOST(DRIVER("none", ""));

static const char plain[] = "<domain type='kvm'><name>web</name></domain>";

static struct domain_dac read_dac(const char *xml, const char *capabilities) {
	struct domain_dac dac;
	struct error error = {0};
	int result = domain_dac_read(&dac, xml, capabilities, &error);
	assert_string_equal(error.text, "");
	assert_int_equal(result, 0);
	return dac;
}

static void assert_is(struct domain_dac dac, unsigned user, unsigned group) {
	assert_true(dac.known);
	assert_int_equal(dac.user, user);
	assert_int_equal(dac.group, group);
}

static void each_type_of_domain_has_its_label(void **state) {
	assert_is(read_dac(plain, debian), 64055, 994);
	assert_is(read_dac("<domain type='qemu'/>", debian), 64056, 995);
}

static void a_libvirt_without_the_driver_runs_qemu_as_itself(void **state) {
	assert_false(read_dac(plain, session).known);
	assert_false(read_dac("<domain type='test'/>", debian).known);
	assert_false(read_dac(plain, NULL).known);
	assert_false(read_dac(plain, "no capabilities").known);
}

static void a_domains_own_label_counts(void **state) {
	static const char own[] =
		"<domain type='kvm'><seclabel type='dynamic' model='apparmor'>"
		"<label>libvirt-1</label></seclabel>"
		"<seclabel type='static' model='dac' relabel='yes'><label>%s</label></seclabel>"
		"</domain>";
	static const struct {
		const char *label;
		unsigned user, group;
	} labels[] = {{"+1000:+1001", 1000, 1001}, {"1000:1001", 1000, 1001}, {"root:root", 0, 0},
		{"root:+7", 0, 7}};
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		char xml[512];
		snprintf(xml, sizeof(xml), own, labels[i].label);
		assert_is(read_dac(xml, debian), labels[i].user, labels[i].group);
		assert_is(read_dac(xml, NULL), labels[i].user, labels[i].group);
	}
}

/* relabel='no', or none at all, say whose the files are, not who QEMU is. */
static void a_label_that_says_nothing_of_the_user_is_libvirts(void **state) {
	static const char *const labels[] = {"<seclabel type='none' model='dac'/>",
		"<seclabel type='dynamic' model='dac' relabel='no'/>",
		"<seclabel type='dynamic' model='apparmor' relabel='yes'/>"};
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		char xml[512];
		snprintf(xml, sizeof(xml), "<domain type='kvm'>%s</domain>", labels[i]);
		assert_is(read_dac(xml, debian), 64055, 994);
	}
}

static void a_label_of_nobody_is_an_error(void **state) {
	static const char *const labels[] = {
		"no-such-user:root", "root", "+x:+1", "+1:", "+4294967295:+0", "+-1:+0"};
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		struct domain_dac dac;
		struct error error;
		char xml[512];
		snprintf(xml, sizeof(xml),
			"<domain type='kvm'><seclabel type='static' model='dac'><label>%s</label>"
			"</seclabel></domain>",
			labels[i]);
		assert_int_equal(domain_dac_read(&dac, xml, debian, &error), -1);
		assert_non_null(strstr(error.text, labels[i]));
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_of_domain_has_its_label),
		cmocka_unit_test(a_libvirt_without_the_driver_runs_qemu_as_itself),
		cmocka_unit_test(a_domains_own_label_counts),
		cmocka_unit_test(a_label_that_says_nothing_of_the_user_is_libvirts),
		cmocka_unit_test(a_label_of_nobody_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
