#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "heap.h"

static const char usage[] = "portal-heap create FILE SIZE [--dax]\n"
			    "Make the file behind a guest's heap: an ivshmem's memory, or with "
			    "--dax an nvdimm's, which\n"
			    "the guest then sees as a DAX device. SIZE takes K, M, G; a multiple "
			    "of 2 MiB, at least 6.\n";

static int create(const char *path, const char *size_text, bool dax) {
	uint64_t size;
	if (portal_heap_parse_size(size_text, &size) < 0) {
		fprintf(stderr, "portal-heap: not a size: %s\n", size_text);
		return 2;
	}
	if (portal_heap_format_file(path, size, dax) == 0) {
		return 0;
	}
	fprintf(stderr, "portal-heap: %s: %s\n", path,
		errno == EINVAL ? "the size is not a multiple of 2 MiB, or under 6 MiB"
				: portal_heap_file_error(errno));
	return 1;
}

int main(int argc, char *argv[]) {
	static const struct option options[] = {
		{"dax", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	bool dax = false;
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			dax = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'v':
			puts("portal-heap " PORTAL_VERSION);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (argc - optind != 3 || strcmp(argv[optind], "create") != 0) {
		fputs(usage, stderr);
		return 2;
	}
	return create(argv[optind + 1], argv[optind + 2], dax);
}
