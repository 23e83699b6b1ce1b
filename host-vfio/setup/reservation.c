#include "setup/reservation.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

static const char sys[] = "/sys";
static const char rule_start[] = "ACTION==\"add\", SUBSYSTEM==\"pci\", ";
static const char rule_end[] = "ATTR{driver_override}=\"vfio-pci\"";

/* What a pattern may hold as it is, in udev's rules and in a shell. */
static bool is_plain(char byte) {
	return isalnum((unsigned char)byte) || (byte != '\0' && strchr("/:._+-", byte));
}

static void hide(char *text, size_t length) {
	memset(text, '?', length);
}

/* One part of the path: which root is above it, and whether a bridge is. */
struct way {
	bool rooted; /* a root was passed */
	bool nested; /* its domain is its driver's choice */
	bool behind; /* a bridge below that root was passed */
};

static void hide_part(struct way *way, char *part) {
	static const char rest[] = ":e1:00.0"; /* behind the domain, of "10000:e1:00.0" */
	struct pci_address address;
	size_t length = strlen(part);
	if (length > strlen(rest) && pci_address_parse(part, &address)) {
		size_t domain = length - strlen(rest);
		if (way->nested) {
			hide(part, domain);
		}
		if (way->behind) {
			hide(part + domain + 1, 2);
		}
		way->behind = true;
	} else if (strncmp(part, "pci", 3) == 0 && strchr(part, ':')) {
		way->nested = way->rooted;
		way->rooted = true;
		way->behind = false;
		if (way->nested) {
			hide(part + 3, strcspn(part + 3, ":"));
		}
	}
}

char *reservation_place(const struct pci_device *device) {
	size_t skip = strncmp(device->path, sys, strlen(sys)) == 0 ? strlen(sys) : 0;
	char *place = must_copy(device->path + skip), *at = place;
	struct way way = {0};
	for (char *end; at; at = end) {
		end = strchr(at, '/');
		if (end) {
			*end = '\0';
		}
		hide_part(&way, at);
		if (end) {
			*end++ = '/';
		}
	}
	for (at = place; *at != '\0'; at++) {
		*at = is_plain(*at) ? *at : '?';
	}
	return place;
}

char *reservation_rule(const struct pci_device *device, const char *condition) {
	char *place = reservation_place(device);
	char *rule = must_print("%sDEVPATH==\"%s\", "
				"ATTR{vendor}==\"0x%04x\", ATTR{device}==\"0x%04x\", "
				"ATTR{subsystem_vendor}==\"0x%04x\", "
				"ATTR{subsystem_device}==\"0x%04x\", ATTR{class}==\"0x%06x\", "
				"%s%s\n",
		rule_start, place, device->vendor, device->device, device->subsystem_vendor,
		device->subsystem_device, device->class_code, condition, rule_end);
	free(place);
	return rule;
}

/* What a key has to be for the rule to count; the caller's, NULL: it is not among the matches. */
static char *match_of(const char *line, const char *key) {
	char *start = must_print("%s==\"", key);
	const char *value = strstr(line, start);
	value = value ? value + strlen(start) : NULL;
	const char *end = value ? strchr(value, '"') : NULL;
	free(start);
	return end ? must_print("%.*s", (int)(end - value), value) : NULL;
}

static uint32_t number_of(const char *line, const char *key) {
	char *text = match_of(line, key);
	unsigned long number = text ? strtoul(text, NULL, 16) : 0;
	free(text);
	return (uint32_t)number;
}

bool reservation_parse(struct reservation *reservation, const char *line) {
	*reservation = (struct reservation){0};
	if (strncmp(line, rule_start, strlen(rule_start)) != 0 || !strstr(line, rule_end)) {
		return false;
	}
	reservation->identity = (struct identity){
		.path = match_of(line, "DEVPATH"),
		.vendor = (uint16_t)number_of(line, "ATTR{vendor}"),
		.device = (uint16_t)number_of(line, "ATTR{device}"),
		.subsystem_vendor = (uint16_t)number_of(line, "ATTR{subsystem_vendor}"),
		.subsystem_device = (uint16_t)number_of(line, "ATTR{subsystem_device}"),
		.class_code = number_of(line, "ATTR{class}"),
	};
	if (!reservation->identity.path) {
		reservation->identity.path = match_of(line, "KERNEL");
		reservation->by_address = true;
	}
	/* Where it is shown, it is text of a file that anybody may have written. */
	for (char *at = reservation->identity.path; at && *at != '\0'; at++) {
		*at = iscntrl((unsigned char)*at) ? '?' : *at;
	}
	return reservation->identity.path != NULL;
}

void reservation_finish(struct reservation *reservation) {
	identity_finish(&reservation->identity);
}

bool reservation_is_place(const struct reservation *reservation, const struct pci_device *device) {
	const char *place = reservation->identity.path;
	if (reservation->by_address) {
		return strcmp(place, device->name) == 0;
	}
	/* As udev does it (udev-rules.c: token_match_string). */
	return strncmp(device->path, sys, strlen(sys)) == 0 &&
	       fnmatch(place, device->path + strlen(sys), 0) == 0;
}

bool reservation_is_card(const struct reservation *reservation, const struct pci_device *device) {
	return reservation->by_address ? reservation->identity.vendor == device->vendor &&
						 reservation->identity.device == device->device
				       : identity_same_card(&reservation->identity, device);
}
