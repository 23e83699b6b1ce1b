#ifndef HOST_DOMAIN_FIRMWARE_CONFIG_H
#define HOST_DOMAIN_FIRMWARE_CONFIG_H

#include <libxml/tree.h>

/*
 * Files that a guest gets through QEMU's fw_cfg. Keys go in this way, from their files: SMBIOS
 * strings would put them into the definition and on QEMU's command line, where every process of the
 * host can read them.
 */
void firmware_config_set_file(xmlNode *root, const char *name, const char *path);
/* One that is not there is fine. */
void firmware_config_remove(xmlNode *root, const char *name);

#endif
