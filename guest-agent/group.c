#include "group.h"
#include "app.h"
#include "subsurface.h"
#include "surface.h"
#include "xdg.h"

bool group_any(struct surface *surface, bool (*check)(struct surface *surface)) {
	if (check(surface)) {
		return true;
	}
	struct subsurface *sub;
	wl_list_for_each (sub, &surface->subsurfaces, link) {
		if (subsurface_is_synchronized(sub) && group_any(sub->surface, check)) {
			return true;
		}
	}
	return false;
}

/* An xdg_surface's initial commit carries no pixels. */
static bool wants_room(struct surface *surface) {
	return surface->pending && (surface->xdg == NULL || xdg_can_show(surface->xdg));
}

static bool lacks_room(struct surface *surface) {
	return wants_room(surface) && !content_reserve(&surface->content, false);
}

static bool lacks_any_room(struct surface *surface) {
	return wants_room(surface) && !content_reserve(&surface->content, true);
}

static bool gives_back(struct surface *surface) {
	content_unreserve(&surface->content);
	return false;
}

static size_t group_wanted(struct surface *surface) {
	size_t wanted = wants_room(surface) ? content_wanted(&surface->content) : 0;
	struct subsurface *sub;
	wl_list_for_each (sub, &surface->subsurfaces, link) {
		wanted += subsurface_is_synchronized(sub) ? group_wanted(sub->surface) : 0;
	}
	return wanted;
}

bool group_reserve(struct surface *root) {
	if (!group_any(root, lacks_room)) {
		return true;
	}
	group_any(root, gives_back);
	if (group_wanted(root) <= content_room(root->app->agent) &&
		!group_any(root, lacks_any_room)) {
		return true;
	}
	group_any(root, gives_back);
	return false;
}
