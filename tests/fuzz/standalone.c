#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs a fuzz target over every file of the directories given: a corpus as a test. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *directory, const char *name) {
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		return -1;
	}
	static uint8_t data[1 << 20];
	size_t size = fread(data, 1, sizeof(data), file);
	fclose(file);
	/* exactly as large as the input, so that a sanitizer sees what reads past it */
	uint8_t *exact = malloc(size > 0 ? size : 1);
	if (exact == NULL) {
		return -1;
	}
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	return 0;
}

int main(int argc, char *argv[]) {
	int count = 0;
	for (int i = 1; i < argc; i++) {
		DIR *directory = opendir(argv[i]);
		if (directory == NULL) {
			perror(argv[i]);
			return 1;
		}
		for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
			if (entry->d_name[0] == '.') {
				continue;
			}
			if (run_file(argv[i], entry->d_name) < 0) {
				return 1;
			}
			count++;
		}
		closedir(directory);
	}
	printf("%d inputs\n", count);
	return count > 0 ? 0 : 1;
}
