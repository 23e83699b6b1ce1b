#ifndef PORTAL_TEST_SERVER_H
#define PORTAL_TEST_SERVER_H

/* As much of a compositor as relays need: surfaces, libwayland's wl_shm, a seat, and what to hide.
 */

#include <stdint.h>

#include <wayland-server-core.h>

struct test_server {
	struct wl_display *display;
	struct wl_resource *pointer, *keyboard; /* of the client, once it asked for them */
	int surfaces; /* there now */
	int commits;
	uint32_t last_pixel; /* the first of the buffer committed last, read from its pool */
	struct wl_resource *attached;
};

void test_server_init(struct test_server *server);
void test_server_finish(struct test_server *server);

/* Events of the devices; positions are whole numbers of wl_fixed_t. */
void test_server_send_motion(struct test_server *server, wl_fixed_t x, wl_fixed_t y);
void test_server_send_button(struct test_server *server, uint32_t serial, uint32_t button);
void test_server_send_pointer_frame(struct test_server *server);
void test_server_send_key(struct test_server *server, uint32_t serial);
void test_server_send_keymap(struct test_server *server, int fd, uint32_t size);

#endif
