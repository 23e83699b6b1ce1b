#ifndef CONFIG_OUTPUT_H
#define CONFIG_OUTPUT_H

#include "compositor_config.h"

/* output NAME { mode 1920x1080@60; position X Y; scale S; transform T; adaptive-sync on; … } */
bool config_output_read(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error);
void config_output_finish(struct config_output *output);

#endif
