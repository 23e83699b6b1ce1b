#ifndef PORTALCTL_TABLE_H
#define PORTALCTL_TABLE_H

#include <systemd/sd-json.h>

/** Print arrays of Window and Output of org.portal.Controller as tables for people. */
void portalctl_print_windows(sd_json_variant *windows);
void portalctl_print_outputs(sd_json_variant *outputs);

#endif
