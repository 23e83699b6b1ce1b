#include <stdlib.h>

#include "base/must.h"
#include "setup/generator.h"

#define SYSCTL "/etc/sysctl.d/60-portal-hugepages.conf"

/* Pages of 1 GiB are found at boot only, before memory is in pieces. systemd mounts pages of the
 * default size; libvirt finds another size by its mount. */
static int generate_large_pages(struct generator *generator) {
	strings_take(&generator->arguments,
		must_print("hugepagesz=1G hugepages=%u", generator->options->hugepages_1g));
	int status = generator_put(generator, "/etc/systemd/system/dev-hugepages1G.mount",
		"# Written by portal-host setup.\n"
		"[Unit]\n"
		"Description=Huge Pages of 1 GiB\n"
		"DefaultDependencies=no\n"
		"Before=sysinit.target\n"
		"ConditionPathExists=/sys/kernel/mm/hugepages/hugepages-1048576kB\n"
		"\n"
		"[Mount]\n"
		"What=hugetlbfs\n"
		"Where=/dev/hugepages1G\n"
		"Type=hugetlbfs\n"
		"Options=pagesize=1G,nosuid,nodev\n",
		0644);
	return status < 0 ? -1
			  : generator_put(generator,
				    "/etc/systemd/system/sysinit.target.d/portal-hugepages.conf",
				    "# Written by portal-host setup.\n"
				    "[Unit]\n"
				    "Wants=dev-hugepages1G.mount\n",
				    0644);
}

static int generate_pages(struct generator *generator) {
	char *text = must_print("# Written by portal-host setup.\nvm.nr_hugepages = %u\n",
		generator->options->hugepages);
	int status = generator_put(generator, SYSCTL, text, 0644);
	free(text);
	strings_add(&generator->plan->commands, "sysctl -p " SYSCTL);
	return status;
}

int generate_memory(struct generator *generator) {
	if (generator->options->hugepages > 0 && generate_pages(generator) < 0) {
		return -1;
	}
	if (generator->options->hugepages_1g > 0 && generate_large_pages(generator) < 0) {
		return -1;
	}
	if (!generator->options->zram) {
		return 0;
	}
	if (!generator_has(generator, "/usr/lib/systemd/system-generators/zram-generator")) {
		strings_add(&generator->plan->notes,
			"Compressed swap is made by a program that is not installed here: the "
			"package "
			"is zram-generator, with Debian and Ubuntu systemd-zram-generator.");
	}
	strings_add(&generator->plan->commands,
		"systemctl daemon-reload && systemctl start systemd-zram-setup@zram0.service");
	return generator_put(generator, "/etc/systemd/zram-generator.conf.d/portal.conf",
		"# Written by portal-host setup; needs the package zram-generator.\n"
		"[zram0]\n"
		"zram-size = min(ram / 4, 8192)\n",
		0644);
}
