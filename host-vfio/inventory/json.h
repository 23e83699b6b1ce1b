#ifndef HOST_INVENTORY_JSON_H
#define HOST_INVENTORY_JSON_H

#include <systemd/sd-json.h>

#include "inventory/machine.h"
#include "inventory/names.h"

/* One function, or the whole machine, as portal-host --json prints it. The caller's. */
sd_json_variant *json_device(
	const struct machine *machine, const struct pci_device *device, struct names *names);
sd_json_variant *json_machine(const struct machine *machine, struct names *names);
sd_json_variant *json_groups(const struct machine *machine);

/* Adds to an array or object; ends the process when memory is out. `value` is taken over. */
void json_append(sd_json_variant **array, sd_json_variant *value);
void json_append_string(sd_json_variant **array, const char *value);
void json_set(sd_json_variant **object, const char *name, sd_json_variant *value);
void json_set_string(sd_json_variant **object, const char *name, const char *value);
void json_set_number(sd_json_variant **object, const char *name, uint64_t value);
void json_set_flag(sd_json_variant **object, const char *name, bool value);
/* An empty array. */
sd_json_variant *json_array(void);

#endif
