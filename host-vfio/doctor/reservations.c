#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "doctor/examine.h"
#include "setup/reservation.h"

/* A rule that fits no device says nothing by itself: the host's driver has the card after the
 * start, as if there were no set-up. */

struct reservations {
	struct reservation *items;
	size_t count;
};

static void reservations_read(struct reservations *reservations, struct tree *tree) {
	char *text = tree_text(tree, RESERVATION_RULES), *rest = text, *line;
	struct reservation read;
	*reservations = (struct reservations){0};
	while ((line = strsep(&rest, "\n"))) {
		if (reservation_parse(&read, line)) {
			reservations->items = must_grow(reservations->items, reservations->count,
				sizeof(*reservations->items));
			reservations->items[reservations->count++] = read;
		}
	}
	free(text);
}

static void reservations_finish(struct reservations *reservations) {
	for (size_t i = 0; i < reservations->count; i++) {
		reservation_finish(&reservations->items[i]);
	}
	free(reservations->items);
}

static bool fits(const struct reservation *reservation, const struct pci_device *device) {
	return reservation_is_place(reservation, device) &&
	       reservation_is_card(reservation, device);
}

static bool is_reserved(const struct reservations *reservations, const struct pci_device *device) {
	for (size_t i = 0; i < reservations->count; i++) {
		if (fits(&reservations->items[i], device)) {
			return true;
		}
	}
	return false;
}

/* What is not reserved, and is in the place, or else of the kind; NULL: nothing is. */
static const struct pci_device *find(const struct machine *machine,
	const struct reservations *reservations, const struct reservation *reservation,
	bool (*is)(const struct reservation *, const struct pci_device *)) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		if (is(reservation, device) && !is_reserved(reservations, device)) {
			return device;
		}
	}
	return NULL;
}

/* The way to it as it is written in the rule, without what every way begins with. */
static const char *place_of(const struct reservation *reservation) {
	static const char start[] = "/devices/";
	const char *path = reservation->identity.path;
	return strncmp(path, start, strlen(start)) == 0 ? path + strlen(start) : path;
}

/* Who has it, as a clause; the caller's. */
static char *print_owner(const struct pci_device *device) {
	return !device->driver ? must_copy("which no driver has")
	       : strcmp(device->driver, "vfio-pci") == 0
		       ? must_copy("which VFIO has")
		       : must_print("which the host's driver %s has", device->driver);
}

static void tell_missing(struct diagnoses *diagnoses, const struct machine *machine,
	const struct reservations *reservations, const struct reservation *reservation) {
	const struct identity *identity = &reservation->identity;
	const struct pci_device *same =
		find(machine, reservations, reservation, reservation_is_card);
	const struct pci_device *other =
		find(machine, reservations, reservation, reservation_is_place);
	const struct pci_device *named = same ? same : other;
	char *owner = named ? print_owner(named) : NULL;
	char *now = same    ? must_print("one of its kind is at %s now, %s", same->name, owner)
		    : other ? must_print("%04x:%04x is there now (%s), %s", other->vendor,
				      other->device, other->name, owner)
			    : must_copy("no device of its kind is in the machine");
	diagnoses_add(diagnoses, DIAGNOSIS_PROBLEM, "reservation",
		must_print("The set-up reserves %04x:%04x for VMs, and it is not where it was "
			   "(%s): %s.",
			identity->vendor, identity->device, place_of(reservation), now),
		same ? must_print("Put it back into its slot; or, where it stays there, run "
				  "\"portal-host setup --undo\", then \"portal-host setup --device "
				  "%s\" with what else was set up, and --apply.",
			       same->name)
		     : must_copy("Put it back into its slot, and look whether the firmware's "
				 "set-up has it switched off. When it is gone for good, "
				 "\"portal-host setup --undo\" takes the set-up back, for one "
				 "without it."));
	free(now);
	free(owner);
}

void examine_reservations(
	struct diagnoses *diagnoses, const struct machine *machine, struct tree *tree) {
	struct reservations reservations;
	size_t found = 0, by_address = 0;
	reservations_read(&reservations, tree);
	for (size_t i = 0; i < reservations.count; i++) {
		const struct reservation *reservation = &reservations.items[i];
		bool there = false;
		for (size_t k = 0; k < machine->devices_count && !there; k++) {
			there = fits(reservation, &machine->devices[k]);
		}
		if (!there) {
			tell_missing(diagnoses, machine, &reservations, reservation);
		}
		found += there;
		by_address += reservation->by_address;
	}
	if (reservations.count > 0 && found == reservations.count) {
		diagnoses_add(diagnoses, DIAGNOSIS_GOOD, "reservation",
			must_copy("Every device that the set-up reserves is where it was."), NULL);
	}
	if (by_address > 0) {
		diagnoses_add(diagnoses, DIAGNOSIS_HINT, "reservation-by-address",
			must_copy("The set-up is an earlier one, which knows devices by their "
				  "addresses: they change when buses are numbered anew, as after "
				  "a card was added."),
			must_copy("Run \"portal-host setup --undo\", and make it anew."));
	}
	reservations_finish(&reservations);
}
