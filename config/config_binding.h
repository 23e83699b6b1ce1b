#ifndef CONFIG_BINDING_H
#define CONFIG_BINDING_H

#include "compositor_config.h"

/** The bit of the modifier whose name is the first LENGTH bytes of NAME; 0 when there is none. */
uint32_t config_modifier_from_name(const char *name, size_t length);

bool config_bindings_set_defaults(struct compositor_config *config);
void config_bindings_clear(struct compositor_config *config);

/* bind COMBINATION ACTION [ARG…] */
bool config_binding_read(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error);
/* unbind COMBINATION, or unbind all */
bool config_unbind_read(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error);

#endif
