/* Shows two colours as a chessboard of squares of 32 pixels on the first output of a graphics card
 * that has something connected, in the mode that it likes best, until its input ends:
 *
 * paint CARD RRGGBB RRGGBB
 *
 * Says "WIDTH HEIGHT" when it is shown. */
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xf86drm.h>
#include <xf86drmMode.h>

enum { SQUARE = 32, BITS = 32, DEPTH = 24 };

struct screen {
	uint32_t connector, crtc, framebuffer;
	drmModeModeInfo mode;
};

static bool connect_screen(int card, uint32_t id, struct screen *screen) {
	drmModeConnector *connector = drmModeGetConnector(card, id);
	bool connected = connector && connector->connection == DRM_MODE_CONNECTED &&
			 connector->count_modes > 0;
	if (connected) {
		screen->connector = id;
		screen->mode = connector->modes[0];
	}
	drmModeFreeConnector(connector);
	return connected;
}

static void find_screen(int card, struct screen *screen) {
	drmModeRes *resources = drmModeGetResources(card);
	if (!resources || resources->count_crtcs == 0) {
		err(EXIT_FAILURE, "it shows nothing");
	}
	screen->crtc = resources->crtcs[0];
	for (int i = 0; i < resources->count_connectors; i++) {
		if (connect_screen(card, resources->connectors[i], screen)) {
			drmModeFreeResources(resources);
			return;
		}
	}
	errx(EXIT_FAILURE, "nothing is connected to it");
}

static void draw(
	char *pixels, uint32_t stride, const struct screen *screen, const uint32_t *colours) {
	for (unsigned y = 0; y < screen->mode.vdisplay; y++) {
		uint32_t *row = (uint32_t *)(void *)(pixels + (size_t)y * stride);
		for (unsigned x = 0; x < screen->mode.hdisplay; x++) {
			row[x] = colours[(x / SQUARE + y / SQUARE) % 2];
		}
	}
}

static void paint(int card, struct screen *screen, const uint32_t *colours) {
	uint32_t handle, stride, width = screen->mode.hdisplay, height = screen->mode.vdisplay;
	uint64_t size, offset;
	if (drmModeCreateDumbBuffer(card, width, height, BITS, 0, &handle, &stride, &size) != 0 ||
		drmModeAddFB(card, width, height, DEPTH, BITS, stride, handle,
			&screen->framebuffer) != 0 ||
		drmModeMapDumbBuffer(card, handle, &offset) != 0) {
		err(EXIT_FAILURE, "it gives no buffer");
	}
	char *pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, card, (off_t)offset);
	if (pixels == MAP_FAILED) {
		err(EXIT_FAILURE, "its buffer cannot be mapped");
	}
	draw(pixels, stride, screen, colours);
	munmap(pixels, size);
}

int main(int argc, char **argv) {
	struct screen screen = {0};
	char rest[1];
	if (argc != 4) {
		return 2;
	}
	const uint32_t colours[] = {
		(uint32_t)strtoul(argv[2], NULL, 16), (uint32_t)strtoul(argv[3], NULL, 16)};
	int card = open(argv[1], O_RDWR | O_CLOEXEC);
	if (card < 0) {
		err(EXIT_FAILURE, "%s", argv[1]);
	}
	find_screen(card, &screen);
	paint(card, &screen, colours);
	/* Returns when the card has it. */
	if (drmModeSetCrtc(card, screen.crtc, screen.framebuffer, 0, 0, &screen.connector, 1,
		    &screen.mode) != 0) {
		err(EXIT_FAILURE, "it does not show it");
	}
	printf("%u %u\n", screen.mode.hdisplay, screen.mode.vdisplay);
	fflush(stdout);
	while (read(STDIN_FILENO, rest, sizeof(rest)) > 0) {
	}
	close(card);
	return 0;
}
