#ifndef HOST_RELEASE_RELEASE_H
#define HOST_RELEASE_RELEASE_H

#include "identity/known.h"
#include "policy/policy.h"
#include "transaction/preflight.h"
#include "transaction/transaction.h"

/* A graphics card changes hands without a reboot: one plan that stops who holds it, takes consoles
 * and framebuffers off it, unbinds its driver, and then climbs a ladder of rungs until VFIO can
 * open it: each reset method, removal and rescan, and a short sleep of the machine. */

enum release_suspend {
	RELEASE_SUSPEND_NEVER,
	RELEASE_SUSPEND_ASK, /* the transaction's host confirms it when it comes to that */
	RELEASE_SUSPEND_ALLOWED,
};

struct release_options {
	/* Stop what holds the card: units by systemd, other processes by SIGTERM. */
	bool stop_holders;
	bool kill; /* and by SIGKILL those that do not end */
	/* Reset methods to try, in this order; none: those that the kernel lists, in its order.
	 * Those a device does not have are left out. */
	const struct strings *resets;
	enum release_suspend suspend;
	unsigned suspend_seconds; /* 0: fifteen */
};

/* What the policy says for a card. `resets` points into the policy. */
void release_options_init(struct release_options *options, const struct policy *policy,
	const struct known *known, const struct machine *machine, const char *address);

/* Plans it for the cards `names` and everything that changes hands with it, and finds what stands
 * in the way or is worth knowing: preflight_take(), and why the machine would not be suspended. A
 * card that VFIO has already, but that does not work, climbs the same ladder. `unguarded` as there.
 */
void release_plan(struct plan *plan, struct findings *findings, const struct machine *machine,
	const struct step_host *host, const struct strings *names, const struct strings *unguarded,
	const struct release_options *options);

/* Plans to take devices that are no graphics cards, as plan_take(), and finds what stands in the
 * way. With `stop_holders` processes that have them open are stopped before; mounted disks,
 * networks in use and consoles are in the way in any case. Of the options only what says who is
 * stopped counts.
 */
void release_plan_take(struct plan *plan, struct findings *findings, const struct machine *machine,
	const struct strings *names, const struct strings *unguarded,
	const struct release_options *options);
/* Has a process that could be stopped anything open of what changes hands with the device? */
bool release_has_holders(const struct machine *machine, const struct pci_device *device);

/* What a machine is once a plan was carried out: its devices have the drivers that were wanted and
 * nobody on them, as far as is known, and whoever was stopped for it holds nothing any more. For
 * plans of what comes after. */
void release_foresee(struct machine *machine, const struct plan *plan);

/* Which of these devices (addresses, in the machine's order) return next where each that can is to
 * return, whatever becomes of the others: all of one IOMMU group, USB first, since keyboards are
 * there; and last the graphics cards, together, so that what shows something on them begins when
 * all of them are back. Empty when `names` is; the caller finishes it. */
struct strings release_next_return(const struct machine *machine, const struct strings *names);
/* The first of these devices, and the others of them that are in its IOMMU group; the caller
 * finishes it. */
struct strings release_first_group(const struct machine *machine, const struct strings *names);

/* Plans the way back of every device of these devices' groups (all that were taken, when `names` is
 * empty) that was taken since the machine was booted, the last one first; then of consoles,
 * framebuffers and units that were put out of the way for them. `records` are the journals. */
void release_plan_return(struct plan *plan, const struct machine *machine,
	const struct step_host *host, const struct strings *names,
	const struct journal_records *records, const char *boot);
/* Finds what keeps devices of a plan of the way back where they are: who has one open by VFIO, and
 * of one that a driver of the host has by now and would lose, everything that is on it. Of a device
 * that no driver is taken from nothing is in the way. */
void release_find_users(
	struct findings *findings, const struct plan *plan, const struct machine *machine);

#endif
