#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/size.h"
#include "cli/domain.h"
#include "domain/devices.h"
#include "domain/document.h"
#include "domain/tree.h"
#include "inventory/topology.h"

/* What the host has to say to a definition: its processors and huge pages. */

/* The definition as a tree; NULL after saying why not. */
static xmlDoc *load(const struct cli_libvirt *libvirt) {
	struct error error;
	char *xml;
	int failure = domain_manager_get_definition(libvirt->manager, libvirt->name, &xml, &error);
	xmlDoc *document = failure < 0 ? NULL : domain_document_parse(xml, &error);
	if (document == NULL) {
		cli_libvirt_fail(libvirt, failure < 0 ? failure : DOMAIN_FAILURE_REFUSED, &error);
	}
	if (failure == 0) {
		free(xml);
	}
	return document;
}

int domain_suggest_pins(
	struct cli *cli, const struct cli_libvirt *libvirt, struct domain_options *options) {
	struct topology topology;
	struct error error;
	xmlDoc *document = load(libvirt);
	if (document == NULL) {
		return CLI_FAILED;
	}
	unsigned count = tuning_vcpus(xmlDocGetRootElement(document));
	xmlFreeDoc(document);
	unsigned *cpus = must_alloc(count, sizeof(*cpus));
	struct cpuset rest;
	int status = CLI_DONE;
	if (topology_read(&topology, cli->tree, &error) < 0 ||
		topology_suggest(&topology, count, cpus, &rest, &error) < 0) {
		status = cli_fail(CLI_REFUSED, "--pin auto: %s", error.text);
	}
	for (unsigned i = 0; status == CLI_DONE && i < count; i++) {
		char *cpuset = must_print("%u", cpus[i]);
		strings_take(&options->texts, cpuset);
		options->pins = must_grow(options->pins, i, sizeof(*options->pins));
		options->pins[i] = (struct domain_pin){.vcpu = i, .cpuset = cpuset};
	}
	if (status == CLI_DONE) {
		char *cpuset = cpuset_format(&rest);
		strings_take(&options->texts, cpuset);
		options->edit.pins = options->pins;
		options->edit.pins_count = count;
		options->edit.unpin = true;
		if (options->edit.emulator_cpuset == NULL) {
			options->edit.emulator_cpuset = cpuset;
		}
	}
	topology_finish(&topology);
	free(cpus);
	return status;
}

/* For tuning_each_pin(): what the whole definition takes, and what is wrong with it. */
struct pins {
	struct topology topology;
	struct findings *findings;
	struct cpuset vcpus;
	bool wrong;
};

static void check_pin(void *data, int vcpu, const char *text) {
	struct pins *pins = data;
	struct cpuset set;
	struct error error;
	char *what = vcpu < 0 ? must_copy("the emulator's threads")
			      : must_print("virtual processor %d", vcpu);
	if (!cpuset_parse(text, &set)) {
		findings_add(pins->findings, true, "%s on \"%s\": not processors (4,12 or 4-7)",
			what, text);
		pins->wrong = true;
	} else if (topology_check(&pins->topology, &set, &error) < 0) {
		findings_add(pins->findings, true, "%s on %s: %s", what, text, error.text);
		pins->wrong = true;
	} else if (vcpu >= 0) {
		cpuset_add_all(&pins->vcpus, &set);
	}
	free(what);
}

static void check_all_pins(struct pins *pins) {
	struct error error;
	if (cpuset_count(&pins->vcpus) == 0 || pins->wrong) {
		return;
	}
	if (topology_check(&pins->topology, &pins->vcpus, &error) < 0) {
		findings_add(
			pins->findings, true, "the virtual processors together: %s", error.text);
		return;
	}
	const struct topology_core *core = topology_split_core(&pins->topology, &pins->vcpus);
	if (core != NULL) {
		char *threads = cpuset_format(&core->threads);
		findings_add(pins->findings, false,
			"processors %s are one core, and the guest gets a part of it: whole cores "
			"are "
			"faster (--pin auto)",
			threads);
		free(threads);
	}
}

/* Looks at the definition as it is to become, with the pins that stay. */
static int check_pins(struct cli *cli, struct domain_options *options, xmlNode *root) {
	const struct domain_edit *edit = &options->edit;
	struct pins pins = {.findings = &options->findings};
	struct error error;
	if (edit->pins_count == 0 && edit->emulator_cpuset == NULL) {
		return CLI_DONE;
	}
	if (topology_read(&pins.topology, cli->tree, &error) < 0) {
		return cli_fail(CLI_REFUSED, "%s", error.text);
	}
	tuning_each_pin(root, check_pin, &pins);
	check_all_pins(&pins);
	topology_finish(&pins.topology);
	return CLI_DONE;
}

/* What --hugepages on stands for: the page size that the kernel hands out unasked; 0: not known. */
static uint64_t default_page(struct tree *tree) {
	char *text = tree_text(tree, "/proc/meminfo");
	const char *line = text ? strstr(text, "Hugepagesize:") : NULL;
	uint64_t kib = line ? strtoull(line + strlen("Hugepagesize:"), NULL, 10) : 0;
	free(text);
	return kib << 10;
}

static void check_hugepages(struct cli *cli, struct domain_options *options, xmlNode *root) {
	const struct domain_edit *edit = &options->edit;
	struct findings *findings = &options->findings;
	struct tree *tree = cli->tree;
	uint64_t page =
		edit->hugepages == TUNING_HUGEPAGES_DEFAULT ? default_page(tree) : edit->hugepages;
	if (!edit->set_hugepages || page == 0) {
		return;
	}
	long long pages =
		tree_number(tree, -1, "/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages",
			(unsigned long long)(page >> 10));
	/* An nvdimm has a file of its own. */
	uint64_t memory = tree_get_bytes(tree_child(root, "memory")) -
			  devices_nvdimm_bytes(tree_child(root, "devices"));
	uint64_t wanted = (memory + page - 1) / page;
	char size[SIZE_TEXT];
	size_format(page, size);
	if (pages < 0) {
		findings_add(findings, true, "the host has no huge pages of %s", size);
	} else if ((uint64_t)pages < wanted) {
		findings_add(findings, false,
			"the host has %lld huge pages of %s set aside, and the VM wants %" PRIu64
			": portal-host setup --hugepages sets some aside",
			pages, size, wanted);
	}
}

int domain_check_result(struct cli *cli, struct domain_options *options, const char *definition) {
	struct error error;
	xmlDoc *document = domain_document_parse(definition, &error);
	if (document == NULL) {
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	xmlNode *root = xmlDocGetRootElement(document);
	check_hugepages(cli, options, root);
	int status = check_pins(cli, options, root);
	xmlFreeDoc(document);
	return status;
}
