#ifndef CURSOR_IMAGE_H
#define CURSOR_IMAGE_H

struct seat;
struct server;

/*
 * What the pointer looks like. A client may show a surface of its own while the pointer is over it;
 * one that is sandboxed may not use that to draw beside its window, so its cursor has to
 * stay near the point it points at.
 */
void cursor_image_init(struct seat *seat);
void cursor_image_finish(struct seat *seat);

/** Listens for shapes that clients choose by name (cursor-shape). */
void cursor_image_init_shapes(struct server *server);
void cursor_image_finish_shapes(struct server *server);

#endif
