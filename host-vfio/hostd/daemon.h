#ifndef HOST_HOSTD_DAEMON_H
#define HOST_HOSTD_DAEMON_H

#include <sys/queue.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <systemd/sd-varlink.h>

#include "hostd/domains.h"
#include "hostd/hypervisor.h"
#include "identity/known.h"
#include "policy/policy.h"
#include "transaction/step.h"

struct brain;
struct change_run;
struct door;
struct guest_call;
struct heaps;
struct order;
struct pace;
struct question;
struct survey;
struct watcher;

/* Of sd-event: what the daemon does by itself comes first, then its watchers are told, then others'
 * calls are heard. However many somebody makes, they hold up nothing but calls. */
enum {
	TELL_PRIORITY = 10,
	CALLS_PRIORITY = 20,
};

struct daemon_options {
	const char *config; /* the policy */
	const char *state; /* directory of what is kept between runs */
	const char *root; /* the tree that devices are looked for in, "/" */
	const char *socket;
	const char *uri; /* of libvirt */
	const char *door_program; /* portal-door */
	unsigned patience_s; /* how long a VM may take to shut down or to start */
	/* How devices are reached: opened anew in each process that may hang there. `tree` is NULL,
	 * with errno, when that is not possible. */
	struct step_host (*open_host)(void *user);
	void *user;
};

/* portal-hostd: the one object that everything else is handed. */
struct daemon {
	const struct daemon_options *options;
	sd_event *loop;
	struct tree *tree;
	struct policy policy;
	struct known known;
	struct machine machine; /* as it was seen last */
	bool ready; /* systemd was told so */
	bool machine_known; /* and it is so: the last look did not fail */
	uint64_t machine_changes; /* how often other devices or drivers were seen */
	struct survey *survey;
	struct brain *brain;
	struct domains domains;
	struct hypervisor *hypervisor;
	sd_varlink_server *server; /* org.portal.Host */
	struct pace *strangers; /* how fast it is called by others than root */
	sd_varlink_server *doors_server; /* org.portal.Door, over socket pairs only */
	LIST_HEAD(, door) doors; /* door.link */
	LIST_HEAD(, heaps) heaps; /* heaps.link */
	LIST_HEAD(, guest_call) guest_calls; /* guest_call.link */
	LIST_HEAD(, watcher) watchers; /* watcher.link */
	sd_event_source *tell; /* tells the watchers */
	LIST_HEAD(, order) orders; /* order.link */
	LIST_HEAD(, question) questions; /* question.entry, in authority.c */
	struct change_run *change; /* under way, or NULL */
	sd_bus *bus; /* to polkit; NULL until somebody has to be asked about */
};

/* Opens everything. NULL with the reason. */
struct daemon *daemon_create(const struct daemon_options *options, struct error *error);
void daemon_destroy(struct daemon *daemon);
/* Reads the policy again; what cannot be read changes nothing. -1 with the reason. */
int daemon_reload(struct daemon *daemon, struct error *error);
/* There is a new look at the machine. */
void daemon_surveyed(struct daemon *daemon);
/* A connection has ended. */
void daemon_forget(struct daemon *daemon, const sd_varlink *link);

#endif
