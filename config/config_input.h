#ifndef CONFIG_INPUT_H
#define CONFIG_INPUT_H

#include "compositor_config.h"

/* keyboard { layout …; variant …; options …; model …; rules …; repeat RATE DELAY } */
bool config_keyboard_read(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error);
void config_keyboard_finish(struct config_keyboard *keyboard);

/* input PATTERN { … } */
bool config_input_read(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error);
void config_input_finish(struct config_input *input);

#endif
