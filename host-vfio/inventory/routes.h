#ifndef HOST_INVENTORY_ROUTES_H
#define HOST_INVENTORY_ROUTES_H

/* The running machine's IPv4 and IPv6 routes of every table but "local", by rtnetlink(7), one a
 * line:
 *
 *	DESTINATION INTERFACE TABLE [down]
 *
 * DESTINATION is "default" or "192.168.7.0/24", TABLE "main" or a number; "down" is a route that
 * does not work now, for want of a link. Left out are multicast, IPv6 link-local (every interface
 * has it) and, of each interface, all but the first few that are not default routes. The caller's;
 * NULL with errno. */
char *routes_text(void);

#endif
