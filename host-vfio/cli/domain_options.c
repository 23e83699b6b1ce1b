#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "base/size.h"
#include "cli/domain.h"
#include "config_vm.h"
#include "domain/heap_ports.h"
#include "inventory/evdev.h"

#define HEAP_MOST_DEFAULT (UINT64_C(1) << 30)
/* As in portal.scfg: less would show nothing useful. */
#define HEAP_LEAST (UINT64_C(16) << 20)

/* "NAME,KEY=VALUE,KEY=VALUE": cut up in a copy of its own. */
struct words {
	const char *name;
	char *rest;
};

static struct words cut(struct domain_options *options, const char *text) {
	char *copy = must_copy(text);
	strings_take(&options->texts, copy);
	struct words words = {.name = strsep(&copy, ","), .rest = copy};
	return words;
}

/* The next KEY=VALUE; false at the end. A word without "=" has the value "". */
static bool next_word(struct words *words, const char **key, const char **value) {
	if (words->rest == NULL) {
		return false;
	}
	char *word = strsep(&words->rest, ",");
	char *equals = strchr(word, '=');
	if (equals != NULL) {
		*equals = '\0';
	}
	*key = word;
	*value = equals == NULL ? "" : equals + 1;
	return true;
}

static bool read_switch(const char *text, enum domain_switch *value) {
	static const char *const words[] = {
		[DOMAIN_SWITCH_ON] = "on",
		[DOMAIN_SWITCH_OFF] = "off",
		[DOMAIN_SWITCH_DEFAULT] = "default",
	};
	for (size_t i = DOMAIN_SWITCH_ON; i <= DOMAIN_SWITCH_DEFAULT; i++) {
		if (strcmp(words[i], text) == 0) {
			*value = (enum domain_switch)i;
			return true;
		}
	}
	return false;
}

static int need_machine(struct cli *cli) {
	return cli->machine.devices_count > 0 ? CLI_DONE : cli_read_machine(cli);
}

/* --device DEVICE[,rom=FILE|none][,rom-bar=on|off|default] */
static int read_device(struct domain_options *options, struct cli *cli, const char *text) {
	struct words words = cut(options, text);
	struct domain_hostdev how = {0};
	const char *key, *value;
	while (next_word(&words, &key, &value)) {
		if (strcmp(key, "rom") == 0 && value[0] != '\0') {
			how.rom_file = strcmp(value, "none") == 0 ? "" : value;
		} else if (strcmp(key, "rom-bar") != 0 || !read_switch(value, &how.rom_bar)) {
			return cli_fail(CLI_USAGE,
				"expected: --device "
				"DEVICE[,rom=FILE|none][,rom-bar=on|off|default]");
		}
	}
	int status = need_machine(cli);
	if (status != CLI_DONE) {
		return status;
	}
	const struct pci_device *device = cli_device(cli, words.name);
	if (device == NULL) {
		return CLI_FAILED;
	}
	if (how.rom_file != NULL && how.rom_file[0] != '\0') {
		assign_check_rom(&options->findings, device, how.rom_file);
	}
	assign_device(&options->assignment, &options->findings, &cli->machine, device, &how);
	return CLI_DONE;
}

/* --remove-device DEVICE: by address it need not be in the machine any more. */
static int read_removed_device(struct domain_options *options, struct cli *cli, const char *text) {
	struct pci_address address;
	if (!pci_address_parse(text, &address)) {
		int status = need_machine(cli);
		const struct pci_device *device = status == CLI_DONE ? cli_device(cli, text) : NULL;
		if (device == NULL) {
			return CLI_FAILED;
		}
		address = device->address;
	}
	struct domain_edit *edit = &options->edit;
	options->removed_hostdevs = must_grow(options->removed_hostdevs,
		edit->removed_hostdevs_count, sizeof(*options->removed_hostdevs));
	options->removed_hostdevs[edit->removed_hostdevs_count++] = assign_address(&address);
	return CLI_DONE;
}

/* --pin VCPU=PROCESSORS or --pin auto */
static int read_pin(struct domain_options *options, struct cli *cli, const char *text) {
	char *end;
	if (strcmp(text, "auto") == 0) {
		options->pin_auto = true;
		return CLI_DONE;
	}
	unsigned long vcpu = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '=' || end[1] == '\0' || vcpu > 65535) {
		return cli_fail(
			CLI_USAGE, "expected: --pin VCPU=PROCESSORS (--pin 0=4,12), or --pin auto");
	}
	options->pins = must_grow(options->pins, options->edit.pins_count, sizeof(*options->pins));
	options->pins[options->edit.pins_count++] =
		(struct domain_pin){.vcpu = (unsigned)vcpu, .cpuset = end + 1};
	return CLI_DONE;
}

static int check_evdev(struct domain_options *options, struct cli *cli, const char *path) {
	struct evdevs evdevs;
	struct error error;
	int status = need_machine(cli);
	if (status != CLI_DONE) {
		return status;
	}
	evdevs_read(&evdevs, &cli->machine, cli->tree);
	const struct evdev *evdev = evdevs_find(&evdevs, path, &error);
	if (evdev == NULL) {
		findings_add(&options->findings, false, "%s; the VM does not start without it",
			error.text);
	} else if (evdev->stable != NULL && strcmp(path, evdev->node) == 0) {
		findings_add(&options->findings, false,
			"%s may be another device after the next boot: %s lasts", path,
			evdev->stable);
	}
	evdevs_finish(&evdevs);
	return CLI_DONE;
}

/* --evdev FILE[,grab=all|none][,repeat=on|off][,toggle=KEYS|default] */
static int read_evdev(struct domain_options *options, struct cli *cli, const char *text) {
	struct words words = cut(options, text);
	struct domain_evdev evdev = {.path = words.name};
	const char *key, *value;
	bool good = strncmp(words.name, "/dev/input/", 11) == 0;
	while (good && next_word(&words, &key, &value)) {
		if (strcmp(key, "grab") == 0) {
			evdev.grab_all =
				strcmp(value, "all") == 0 ? DOMAIN_SWITCH_ON : DOMAIN_SWITCH_OFF;
			good = strcmp(value, "all") == 0 || strcmp(value, "none") == 0;
		} else if (strcmp(key, "repeat") == 0) {
			good = read_switch(value, &evdev.repeat);
		} else if (strcmp(key, "toggle") == 0) {
			evdev.toggle = strcmp(value, "default") == 0 ? "" : value;
			good = evdev.toggle[0] == '\0' || evdev_is_toggle(value);
		} else {
			good = false;
		}
	}
	if (!good) {
		return cli_fail(CLI_USAGE,
			"expected: --evdev "
			"/dev/input/FILE[,grab=all|none][,repeat=on|off][,toggle=KEYS], "
			"KEYS being ctrl-ctrl, alt-alt, shift-shift, meta-meta, scrolllock, "
			"ctrl-scrolllock or default");
	}
	int status = check_evdev(options, cli, evdev.path);
	if (status != CLI_DONE) {
		return status;
	}
	options->evdevs =
		must_grow(options->evdevs, options->edit.evdevs_count, sizeof(*options->evdevs));
	options->evdevs[options->edit.evdevs_count++] = evdev;
	return CLI_DONE;
}

static int read_removed_evdev(struct domain_options *options, struct cli *cli, const char *text) {
	size_t *count = &options->edit.removed_evdevs_count;
	options->removed_evdevs =
		must_grow(options->removed_evdevs, *count, sizeof(*options->removed_evdevs));
	options->removed_evdevs[(*count)++] = text;
	return CLI_DONE;
}

/* --guest NAME[=DOMAIN] */
static int read_guest(struct domain_options *options, struct cli *cli, const char *text) {
	size_t length = strcspn(text, "=");
	char *name = must_print("%.*s", (int)length, text);
	bool good = config_vm_name_valid(name) && strcmp(text + length, "=") != 0;
	free(name);
	strings_add(&options->guests, text);
	return good ? CLI_DONE
		    : cli_fail(CLI_USAGE, "expected: --guest GUEST[=DOMAIN], GUEST being its name "
					  "in portal.scfg");
}

static int read_removed_guest(struct domain_options *options, struct cli *cli, const char *text) {
	size_t *count = &options->edit.removed_peers_count;
	options->removed_peers =
		must_grow(options->removed_peers, *count, sizeof(*options->removed_peers));
	options->removed_peers[(*count)++] = text;
	return CLI_DONE;
}

static int read_suspend(struct domain_options *options, struct cli *cli, const char *option,
	enum domain_switch *value) {
	const char *text = cli_option(cli, option);
	return text == NULL || read_switch(text, value)
		       ? CLI_DONE
		       : cli_fail(CLI_USAGE, "expected: %s on|off|default", option);
}

/* --hugepages SIZE|on|off */
static int read_hugepages(struct domain_options *options, struct cli *cli) {
	const char *text = cli_option(cli, "--hugepages");
	struct domain_edit *edit = &options->edit;
	if (text == NULL) {
		return CLI_DONE;
	}
	edit->set_hugepages = true;
	if (strcmp(text, "on") == 0) {
		edit->hugepages = TUNING_HUGEPAGES_DEFAULT;
	} else if (strcmp(text, "off") != 0 &&
		   (!size_parse(text, &edit->hugepages) || edit->hugepages < 4096 ||
			   edit->hugepages % 1024 != 0)) {
		return cli_fail(CLI_USAGE, "expected: --hugepages on|off|SIZE (2M, 1G)");
	}
	return CLI_DONE;
}

/* --prepare-heaps N[,size=SIZE] */
static int read_prepare(struct domain_options *options, struct cli *cli) {
	const char *text = cli_option(cli, "--prepare-heaps"), *key, *value;
	struct domain_edit *edit = &options->edit;
	if (text == NULL) {
		return CLI_DONE;
	}
	struct words words = cut(options, text);
	char *end;
	unsigned long count = strtoul(words.name, &end, 10);
	bool good = words.name[0] >= '0' && words.name[0] <= '9' && *end == '\0' &&
		    count <= HEAP_PORTS_MAX;
	edit->heap_most = HEAP_MOST_DEFAULT;
	while (good && next_word(&words, &key, &value)) {
		good = strcmp(key, "size") == 0 && size_parse(value, &edit->heap_most) &&
		       edit->heap_most > 0 && edit->heap_most <= HEAP_PORTS_SIZE_MAX;
	}
	edit->prepare_heaps = true;
	edit->heap_ports = (unsigned)count;
	return good ? CLI_DONE
		    : cli_fail(CLI_USAGE,
			      "expected: --prepare-heaps N[,size=SIZE], at most %d, each for heaps "
			      "of up to SIZE (1G by default, 64G at most)",
			      HEAP_PORTS_MAX);
}

/* --heap nvdimm|ivshmem,path=FILE,size=SIZE */
static int read_heap(struct domain_options *options, struct cli *cli) {
	const char *text = cli_option(cli, "--heap"), *key, *value;
	struct domain_spec *spec = &options->spec;
	if (text == NULL) {
		return CLI_DONE;
	}
	struct words words = cut(options, text);
	bool nvdimm = strcmp(words.name, "nvdimm") == 0;
	bool good = nvdimm || strcmp(words.name, "ivshmem") == 0;
	spec->heap = nvdimm ? DOMAIN_HEAP_NVDIMM : DOMAIN_HEAP_IVSHMEM;
	while (good && next_word(&words, &key, &value)) {
		if (strcmp(key, "path") == 0) {
			spec->heap_path = value;
		} else {
			good = strcmp(key, "size") == 0 && size_parse(value, &spec->heap_size);
		}
	}
	good = good && spec->heap_path != NULL && spec->heap_path[0] == '/' &&
	       spec->heap_size >= HEAP_LEAST;
	options->edit.spec = spec;
	return good ? CLI_DONE
		    : cli_fail(CLI_USAGE,
			      "expected: --heap nvdimm|ivshmem,path=FILE,size=SIZE, with a SIZE of "
			      "16M at least");
}

/* --channel virtio-serial[,path=SOCKET] | vsock[,cid=N] */
static int read_channel(struct domain_options *options, struct cli *cli) {
	const char *text = cli_option(cli, "--channel"), *key, *value;
	struct domain_spec *spec = &options->spec;
	if (text == NULL) {
		return CLI_DONE;
	}
	struct words words = cut(options, text);
	bool serial = strcmp(words.name, "virtio-serial") == 0;
	bool good = serial || strcmp(words.name, "vsock") == 0;
	spec->control = serial ? DOMAIN_CONTROL_VIRTIO_SERIAL : DOMAIN_CONTROL_VSOCK;
	while (good && next_word(&words, &key, &value)) {
		if (serial && strcmp(key, "path") == 0 && value[0] == '/') {
			spec->control_path = value;
		} else {
			char *end;
			unsigned long cid = strtoul(value, &end, 10);
			good = !serial && strcmp(key, "cid") == 0 && *end == '\0' && cid >= 3 &&
			       cid < UINT32_MAX;
			spec->cid = (unsigned)cid;
		}
	}
	options->edit.spec = spec;
	return good ? CLI_DONE
		    : cli_fail(CLI_USAGE, "expected: --channel virtio-serial[,path=SOCKET], or "
					  "vsock[,cid=N] with "
					  "N from 3 on");
}

/* What makes the domain a guest of Portal's. */
static int read_spec(struct domain_options *options, struct cli *cli) {
	struct domain_spec *spec = &options->spec;
	spec->guest = cli_option(cli, "--guest-name");
	spec->key = cli_option(cli, "--key");
	if (spec->guest != NULL && !config_vm_name_valid(spec->guest)) {
		return cli_fail(CLI_USAGE,
			"expected: --guest-name NAME, of letters, digits, \"_\", \".\" and \"-\", "
			"as in portal.scfg");
	}
	if (spec->key != NULL && spec->key[0] != '/') {
		return cli_fail(CLI_USAGE, "expected: --key FILE, with its path from the root on");
	}
	if (spec->key != NULL && access(spec->key, F_OK) < 0) {
		findings_add(&options->findings, false,
			"%s: %s; the VM does not start without it (portal-run --define makes a "
			"guest's key)",
			spec->key, strerror(errno));
	}
	if (spec->guest != NULL || spec->key != NULL) {
		options->edit.spec = spec;
	}
	int status = read_heap(options, cli);
	return status == CLI_DONE ? read_channel(options, cli) : status;
}

static int read_repeated(struct domain_options *options, struct cli *cli) {
	static const struct {
		const char *option;
		int (*read)(struct domain_options *options, struct cli *cli, const char *text);
	} readers[] = {
		{"--device", read_device},
		{"--remove-device", read_removed_device},
		{"--pin", read_pin},
		{"--evdev", read_evdev},
		{"--remove-evdev", read_removed_evdev},
		{"--guest", read_guest},
		{"--remove-guest", read_removed_guest},
	};
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		const char *text;
		while ((text = cli_option(cli, readers[i].option)) != NULL) {
			int status = text[0] == '\0' ? cli_fail(CLI_USAGE, "%s wants a value",
							       readers[i].option)
						     : readers[i].read(options, cli, text);
			if (status != CLI_DONE) {
				return status;
			}
		}
	}
	return CLI_DONE;
}

/* What is to be put in and taken out at once is a mistake: which of both cannot be known. */
static int check_contradictions(const struct domain_options *options) {
	const struct domain_edit *edit = &options->edit;
	for (size_t i = 0; i < edit->removed_hostdevs_count; i++) {
		for (size_t k = 0; k < options->assignment.count; k++) {
			const struct domain_address *host = &options->assignment.hostdevs[k].host;
			char text[DOMAIN_ADDRESS_TEXT];
			if (domain_address_equal(&options->removed_hostdevs[i], host)) {
				domain_address_format(host, text);
				return cli_fail(CLI_USAGE,
					"%s is both put in and taken out: --device takes all "
					"functions of a card along",
					text);
			}
		}
	}
	for (size_t i = 0; i < edit->removed_evdevs_count; i++) {
		for (size_t k = 0; k < edit->evdevs_count; k++) {
			if (strcmp(options->removed_evdevs[i], options->evdevs[k].path) == 0) {
				return cli_fail(CLI_USAGE, "%s is both put in and taken out",
					options->removed_evdevs[i]);
			}
		}
	}
	for (size_t i = 0; i < edit->removed_peers_count; i++) {
		const char *guest = options->removed_peers[i];
		for (size_t k = 0; k < options->guests.count; k++) {
			const char *added = options->guests.items[k];
			if (strncmp(added, guest, strlen(guest)) == 0 &&
				(added[strlen(guest)] == '\0' || added[strlen(guest)] == '=')) {
				return cli_fail(
					CLI_USAGE, "%s is both put in and taken out", guest);
			}
		}
	}
	return CLI_DONE;
}

int domain_options_read(struct domain_options *options, struct cli *cli) {
	struct domain_edit *edit = &options->edit;
	bool dry_run = cli_flag(cli, "--dry-run");
	options->apply = cli_flag(cli, "--apply");
	options->expect = cli_option(cli, "--expect");
	if (dry_run && options->apply) {
		return cli_fail(CLI_USAGE, "--dry-run and --apply exclude each other");
	}
	edit->unpin = cli_flag(cli, "--unpin");
	options->has_door = cli_flag(cli, "--door");
	edit->remove_door = cli_flag(cli, "--remove-door");
	edit->emulator_cpuset = cli_option(cli, "--pin-emulator");
	int status = read_repeated(options, cli);
	status = status == CLI_DONE ? check_contradictions(options) : status;
	status = status == CLI_DONE ? read_spec(options, cli) : status;
	status = status == CLI_DONE ? read_hugepages(options, cli) : status;
	status = status == CLI_DONE ? read_prepare(options, cli) : status;
	status = status == CLI_DONE
			 ? read_suspend(options, cli, "--suspend-to-mem", &edit->suspend_to_memory)
			 : status;
	status = status == CLI_DONE
			 ? read_suspend(options, cli, "--suspend-to-disk", &edit->suspend_to_disk)
			 : status;
	edit->hostdevs = options->assignment.hostdevs;
	edit->hostdevs_count = options->assignment.count;
	edit->removed_hostdevs = options->removed_hostdevs;
	edit->pins = options->pins;
	edit->evdevs = options->evdevs;
	edit->removed_evdevs = options->removed_evdevs;
	edit->removed_peers = options->removed_peers;
	return status;
}

void domain_options_finish(struct domain_options *options) {
	strings_finish(&options->guests);
	strings_finish(&options->texts);
	assignment_finish(&options->assignment);
	findings_finish(&options->findings);
	free(options->removed_hostdevs);
	free(options->pins);
	free(options->evdevs);
	free(options->removed_evdevs);
	free(options->removed_peers);
}
