#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"
#include "config_vm.h"
#include "say.h"
#include "status.h"

#define LAUNCH_TIMEOUT 120
#define STOP_TIMEOUT 60
#define CPUS_MAX 512

const char run_options_usage[] =
	"Usage: portal-run [OPTION...] vm:NAME [-- COMMAND [ARG...]]\n"
	"       portal-run [OPTION...] local: -- COMMAND [ARG...]\n"
	"       portal-run --list [--json]\n"
	"       portal-run --stop vm:NAME [--force]\n"
	"       portal-run --define vm:NAME --image FILE [OPTION...]\n"
	"\n"
	"Runs a program in a virtual machine and shows its windows here.\n"
	"\n"
	"  --detach               do not wait for the program's end\n"
	"  --timeout SECONDS      wait so long for the guest (120; for --stop 60)\n"
	"  --list                 show the virtual machines of portal.scfg with their state;\n"
	"                         --json for programs\n"
	"  --stop                 shut the virtual machine down; with --force at once\n"
	"  --config FILE          read FILE instead of portal.scfg\n"
	"  --version, --help\n"
	"\n"
	"Defining a virtual machine:\n"
	"  --define               write the libvirt domain\n"
	"  --image FILE           its disk; --image-format raw|qcow2, --read-only\n"
	"  --kernel FILE          boot this kernel; --initrd FILE, --cmdline TEXT\n"
	"  --memory SIZE          its memory, such as 2G (1G); --lock keeps it out of swap\n"
	"  --cpus NUMBER          its processors (2)\n"
	"  --heap nvdimm|ivshmem  kind of the shared memory (nvdimm)\n"
	"  --heap-size SIZE       its size (heap-size of portal.scfg, 256M)\n"
	"  --control KIND         virtio-serial, vsock or vhost-user-vsock (virtio-serial)\n"
	"  --cid NUMBER           context id for vsock\n"
	"  --network passt|none   network (passt)\n"
	"  --sound auto|off       sound to this session's PipeWire (auto)\n"
	"  --virt auto|kvm|qemu   KVM or an emulated processor (auto: try KVM)\n"
	"  --console FILE         write the serial console to FILE\n"
	"  --dry-run              show the definition, or what would change in it\n"
	"  --replace              change a domain that exists already\n";

enum {
	OPT_DETACH = 256,
	OPT_TIMEOUT,
	OPT_LIST,
	OPT_JSON,
	OPT_STOP,
	OPT_FORCE,
	OPT_DEFINE,
	OPT_CONFIG,
	OPT_IMAGE,
	OPT_IMAGE_FORMAT,
	OPT_READ_ONLY,
	OPT_KERNEL,
	OPT_INITRD,
	OPT_CMDLINE,
	OPT_MEMORY,
	OPT_LOCK,
	OPT_CPUS,
	OPT_HEAP,
	OPT_HEAP_SIZE,
	OPT_CONTROL,
	OPT_CID,
	OPT_NETWORK,
	OPT_SOUND,
	OPT_VIRT,
	OPT_CONSOLE,
	OPT_DRY_RUN,
	OPT_REPLACE,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option long_options[] = {
	{"detach", no_argument, NULL, OPT_DETACH},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"list", no_argument, NULL, OPT_LIST},
	{"json", no_argument, NULL, OPT_JSON},
	{"stop", no_argument, NULL, OPT_STOP},
	{"force", no_argument, NULL, OPT_FORCE},
	{"define", no_argument, NULL, OPT_DEFINE},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"image", required_argument, NULL, OPT_IMAGE},
	{"image-format", required_argument, NULL, OPT_IMAGE_FORMAT},
	{"read-only", no_argument, NULL, OPT_READ_ONLY},
	{"kernel", required_argument, NULL, OPT_KERNEL},
	{"initrd", required_argument, NULL, OPT_INITRD},
	{"cmdline", required_argument, NULL, OPT_CMDLINE},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"lock", no_argument, NULL, OPT_LOCK},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"heap", required_argument, NULL, OPT_HEAP},
	{"heap-size", required_argument, NULL, OPT_HEAP_SIZE},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"cid", required_argument, NULL, OPT_CID},
	{"network", required_argument, NULL, OPT_NETWORK},
	{"sound", required_argument, NULL, OPT_SOUND},
	{"virt", required_argument, NULL, OPT_VIRT},
	{"console", required_argument, NULL, OPT_CONSOLE},
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	{"replace", no_argument, NULL, OPT_REPLACE},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static bool parse_number(const char *name, unsigned least, unsigned most, unsigned *value) {
	char *end;
	errno = 0;
	unsigned long number = strtoul(optarg, &end, 10);
	if (optarg[0] < '0' || optarg[0] > '9' || *end != '\0' || errno != 0 || number < least ||
		number > most) {
		say("%s: %s is not a number from %u to %u", name, optarg, least, most);
		return false;
	}
	*value = (unsigned)number;
	return true;
}

static bool parse_size(const char *name, uint64_t *value) {
	if (!config_parse_size(optarg, value) || *value % (1 << 20) != 0) {
		say("%s: %s is not a size in whole megabytes, such as 512M or 2G", name, optarg);
		return false;
	}
	return true;
}

/* words: NULL terminated; stores the position. */
static bool parse_word(const char *name, const char *const words[], int *value) {
	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], optarg) == 0) {
			*value = i;
			return true;
		}
	}
	char list[128] = "";
	for (int i = 0; words[i] != NULL; i++) {
		strncat(list, i == 0 ? "" : ", ", sizeof(list) - strlen(list) - 1);
		strncat(list, words[i], sizeof(list) - strlen(list) - 1);
	}
	say("%s: %s is none of %s", name, optarg, list);
	return false;
}

static bool set_action(struct run_options *options, enum run_action action) {
	if (options->action != RUN_LAUNCH && options->action != action) {
		say("only one of --list, --stop and --define is possible");
		return false;
	}
	options->action = action;
	return true;
}

static bool parse_define_word(struct run_options *options, int option) {
	static const char *const heaps[] = {"nvdimm", "ivshmem", NULL};
	static const char *const controls[] = {"virtio-serial", "vsock", "vhost-user-vsock", NULL};
	static const char *const networks[] = {"none", "passt", NULL};
	static const char *const sounds[] = {"off", "auto", NULL};
	static const char *const virts[] = {"auto", "kvm", "qemu", NULL};
	struct domain_spec *spec = &options->spec;
	int word;
	switch (option) {
	case OPT_HEAP:
		if (!parse_word("--heap", heaps, &word)) {
			return false;
		}
		spec->heap = word == 0 ? DOMAIN_HEAP_NVDIMM : DOMAIN_HEAP_IVSHMEM;
		return true;
	case OPT_CONTROL:
		if (!parse_word("--control", controls, &word)) {
			return false;
		}
		spec->control = DOMAIN_CONTROL_VIRTIO_SERIAL + (enum domain_control)word;
		return true;
	case OPT_NETWORK:
		if (!parse_word("--network", networks, &word)) {
			return false;
		}
		spec->network = word == 0 ? DOMAIN_NETWORK_NONE : DOMAIN_NETWORK_PASST;
		return true;
	case OPT_SOUND:
		if (!parse_word("--sound", sounds, &word)) {
			return false;
		}
		options->sound = word == 1;
		spec->sound = word == 1 ? DOMAIN_SOUND_UNSET : DOMAIN_SOUND_NONE;
		return true;
	default:
		if (!parse_word("--virt", virts, &word)) {
			return false;
		}
		options->virt = (enum run_virt)word;
		return true;
	}
}

/* Files go into the definition, which has no working directory. */
static bool parse_path(const char *name, const char **path) {
	if (optarg[0] != '/') {
		say("%s: %s is not an absolute path", name, optarg);
		return false;
	}
	*path = optarg;
	return true;
}

static bool parse_define_option(struct run_options *options, int option) {
	static const char *const image_formats[] = {"raw", "qcow2", NULL};
	int word;
	struct domain_spec *spec = &options->spec;
	switch (option) {
	case OPT_IMAGE:
		return parse_path("--image", &spec->image);
	case OPT_IMAGE_FORMAT:
		if (!parse_word("--image-format", image_formats, &word)) {
			return false;
		}
		spec->image_format = image_formats[word];
		return true;
	case OPT_READ_ONLY:
		spec->image_read_only = true;
		return true;
	case OPT_KERNEL:
		return parse_path("--kernel", &spec->kernel);
	case OPT_INITRD:
		return parse_path("--initrd", &spec->initrd);
	case OPT_CMDLINE:
		spec->cmdline = optarg;
		return true;
	case OPT_MEMORY:
		return parse_size("--memory", &spec->memory);
	case OPT_LOCK:
		spec->lock_memory = true;
		return true;
	case OPT_CPUS:
		return parse_number("--cpus", 1, CPUS_MAX, &spec->cpus);
	case OPT_HEAP_SIZE:
		return parse_size("--heap-size", &spec->heap_size);
	case OPT_CID:
		return parse_number("--cid", 3, UINT32_MAX - 1, &spec->cid);
	case OPT_CONSOLE:
		return parse_path("--console", &spec->console_log);
	case OPT_DRY_RUN:
		options->dry_run = true;
		return true;
	case OPT_REPLACE:
		options->replace = true;
		return true;
	default:
		return parse_define_word(options, option);
	}
}

static bool parse_option(struct run_options *options, int option) {
	switch (option) {
	case OPT_DETACH:
		options->detach = true;
		return true;
	case OPT_TIMEOUT:
		return parse_number("--timeout", 1, 24 * 3600, &options->timeout);
	case OPT_LIST:
		return set_action(options, RUN_LIST);
	case OPT_JSON:
		options->json = true;
		return true;
	case OPT_STOP:
		return set_action(options, RUN_STOP);
	case OPT_FORCE:
		options->force = true;
		return true;
	case OPT_DEFINE:
		return set_action(options, RUN_DEFINE);
	case OPT_CONFIG:
		options->config = optarg;
		return true;
	case OPT_VERSION:
		options->action = RUN_SHOW_VERSION;
		return true;
	case OPT_HELP:
		options->action = RUN_HELP;
		return true;
	case '?':
		return false; /* getopt has said why */
	default:
		return parse_define_option(options, option);
	}
}

static bool parse_target(struct run_options *options, const char *target) {
	if (strcmp(target, "local:") == 0) {
		options->vm = CONFIG_VM_LOCAL;
		options->local = true;
		return true;
	}
	if (strncmp(target, "vm:", 3) != 0) {
		say("%s: write vm:NAME or local:", target);
		return false;
	}
	if (!config_vm_name_valid(target + 3) || strcmp(target + 3, CONFIG_VM_LOCAL) == 0) {
		say("%s: \"%s\" cannot be a VM's name", target, target + 3);
		return false;
	}
	options->vm = target + 3;
	return true;
}

static bool check(struct run_options *options, int define_options) {
	bool launch = options->action == RUN_LAUNCH;
	if (options->vm == NULL && options->action != RUN_LIST) {
		say("say which guest: vm:NAME or local:");
	} else if (options->vm != NULL && options->action == RUN_LIST) {
		say("--list takes no VM");
	} else if (options->command != NULL && !launch) {
		say("a command can only be run, not be listed, stopped or defined");
	} else if (options->command != NULL && options->command[0] == NULL) {
		say("there is no command after --");
	} else if (options->local && !launch) {
		say("local: is the agent on this machine: there is nothing to stop or to define");
	} else if (options->detach && !launch) {
		say("--detach is about running a command");
	} else if (options->timeout != 0 && !launch && options->action != RUN_STOP) {
		say("--timeout is about running a command or --stop");
	} else if (options->force && options->action != RUN_STOP) {
		say("--force goes with --stop");
	} else if (options->json && options->action != RUN_LIST) {
		say("--json goes with --list");
	} else if (define_options > 0 && options->action != RUN_DEFINE) {
		say("the options of a definition go with --define");
	} else {
		return true;
	}
	return false;
}

int run_options_parse(struct run_options *options, int argc, char **argv) {
	*options = (struct run_options){.sound = true};

	/* Everything after the first "--" is the command, options of its own and all. */
	int own = 1;
	while (own < argc && strcmp(argv[own], "--") != 0) {
		own++;
	}
	if (own < argc) {
		options->command = argv + own + 1;
	}

	int option, define_options = 0;
	optind = 0; /* also forgets an earlier parse, as the tests need */
	opterr = 1;
	while ((option = getopt_long(own, argv, "", long_options, NULL)) != -1) {
		if (!parse_option(options, option)) {
			goto usage;
		}
		if (options->action == RUN_HELP || options->action == RUN_SHOW_VERSION) {
			return RUN_OK;
		}
		define_options += option >= OPT_IMAGE && option <= OPT_REPLACE;
	}
	if (optind < own && !parse_target(options, argv[optind++])) {
		goto usage;
	}
	if (optind < own) {
		say("%s: write -- before the command", argv[optind]);
		goto usage;
	}
	if (!check(options, define_options)) {
		goto usage;
	}
	if (options->timeout == 0) {
		options->timeout = options->action == RUN_STOP ? STOP_TIMEOUT : LAUNCH_TIMEOUT;
	}
	return RUN_OK;

usage:
	return say_failure(RUN_USAGE, "see portal-run --help");
}
