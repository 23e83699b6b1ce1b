#ifndef COMPOSITOR_CONFIG_H
#define COMPOSITOR_CONFIG_H

#include "config_vm.h"

/*
 * The settings of the program `portal` in portal.scfg; portal(5) describes every directive. Plain
 * data: nothing here knows of Wayland, so that it can be tested and checked without a compositor.
 */

enum config_focus {
	CONFIG_FOCUS_CLICK,
	CONFIG_FOCUS_POINTER,
};

/* Which new windows take the keyboard. */
enum config_focus_new {
	CONFIG_FOCUS_NEW_ALWAYS,
	/* not those of another label while something is being typed */
	CONFIG_FOCUS_NEW_UNLESS_TYPING,
	/* only when nothing is focused or the focused window has the same label */
	CONFIG_FOCUS_NEW_SAME_LABEL,
	CONFIG_FOCUS_NEW_NEVER,
};

/* When the environment of the session's services is the compositor's to set. */
enum config_services_environment {
	CONFIG_SERVICES_ENVIRONMENT_CONSOLE, /* when it runs on a console: a login session */
	CONFIG_SERVICES_ENVIRONMENT_ALWAYS,
	CONFIG_SERVICES_ENVIRONMENT_NEVER,
};

/* What shows the label of a fullscreen window. */
enum config_fullscreen_label {
	CONFIG_FULLSCREEN_LABEL_BORDER, /* a line along all four edges */
	CONFIG_FULLSCREEN_LABEL_NONE,
};

/* One key combination and what it does. */
struct config_binding {
	uint32_t modifiers; /* bit i is the modifier config_modifier_names[i] */
	char *key; /* the name of an XKB keysym, not resolved here */
	char *action;
	char **args; /* NULL terminated */
	int line;
};

struct config_keyboard {
	char *rules, *model, *layout, *variant, *options; /* NULL: XKB's default */
	int repeat_rate; /* keys a second, 0: no repeat */
	int repeat_delay; /* milliseconds */
	int line; /* of the last block in the file, 0: none */
};

/* Settings of libinput devices whose name matches PATTERN (fnmatch); -1: as the device has it. */
struct config_input {
	char *pattern;
	int tap, tap_drag, natural_scroll, left_handed, middle_emulation, disable_while_typing;
	int scroll_method; /* none, two-finger, edge, button */
	int click_method; /* none, areas, clickfinger */
	int accel_profile; /* flat, adaptive */
	bool has_accel;
	double accel; /* -1 to 1 */
	int enabled; /* 1 on, 0 off */
	char *map_to_output; /* NULL: the whole layout */
	int line;
};

struct config_output {
	char *name; /* connector ("DP-1"), "MAKE MODEL SERIAL", or "*" */
	int enabled; /* -1 unset, 0, 1 */
	int width, height; /* pixels; 0: preferred mode */
	int refresh; /* mHz; 0: any */
	bool custom_mode; /* force a mode that the display does not offer */
	bool has_position;
	int x, y; /* layout coordinates */
	double scale; /* 0: unset */
	int transform; /* enum wl_output_transform, -1: unset */
	int adaptive_sync; /* -1 unset, 0, 1 */
};

struct config_theme {
	int border_width; /* logical pixels of the label border of a window */
	int popup_border_width;
	int fullscreen_border_width;
	char *font; /* a Pango font description */
	uint32_t background; /* of the desktop */
	uint32_t local; /* border of windows of this machine */
	uint32_t unknown; /* border of windows of a VM without a label in the configuration */
	uint32_t bar_focused, bar_unfocused; /* title bar of unlabelled windows / all unfocused */
	uint32_t text_focused, text_unfocused;
	char *cursor_theme; /* NULL: XCURSOR_THEME, else the default theme */
	int cursor_size; /* 0: XCURSOR_SIZE, else 24 */
};

struct compositor_config {
	struct config_theme theme;
	enum config_focus focus;
	enum config_focus_new focus_new;
	int typing_time; /* milliseconds after a key that count as typing */
	bool raise_on_focus;
	enum config_fullscreen_label fullscreen_label;
	uint32_t drag_modifiers; /* any of these held makes a drag move or resize the window */
	struct config_keyboard keyboard;
	struct config_binding *bindings;
	size_t bindings_len;
	struct config_input *inputs; /* in the order of the file; a later match wins */
	size_t inputs_len;
	struct config_output *outputs;
	size_t outputs_len;
	struct config_vms vms;
	enum config_services_environment services_environment;
	char **startup; /* NULL terminated list of shell commands, run once */
};

/* Names of modifiers in the order of their bits: Shift, Ctrl, Alt, Super. */
enum config_modifier {
	CONFIG_MODIFIER_SHIFT = 1 << 0,
	CONFIG_MODIFIER_CTRL = 1 << 1,
	CONFIG_MODIFIER_ALT = 1 << 2,
	CONFIG_MODIFIER_SUPER = 1 << 3,
};

/** Built-in settings, complete in themselves. Returns NULL when memory is out. */
struct compositor_config *compositor_config_create(void);

/**
 * Applies the directives of FILE on top of what the settings hold. On failure the settings are half
 * changed and good for compositor_config_destroy() only.
 */
bool compositor_config_read(struct compositor_config *config, const struct config_file *file,
	struct config_error *error);

/**
 * Fails unless FILE is text as it should be and some program reads each directive at its top level,
 * and each block, so that a slip there is told by whichever program sees the file first.
 */
bool compositor_config_check_names(const struct config_file *file, struct config_error *error);

void compositor_config_destroy(struct compositor_config *config);

/** The VM of that name if it has a label, or NULL. */
const struct config_vm *compositor_config_label(
	const struct compositor_config *config, const char *vm);

#endif
