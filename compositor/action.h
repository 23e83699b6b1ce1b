#ifndef ACTION_H
#define ACTION_H

#include <stdbool.h>
#include <stdint.h>
#include <xkbcommon/xkbcommon.h>

struct compositor_config;
struct config_binding;
struct seat;

/** Runs what is bound to a key; modifiers as enum wlr_keyboard_modifier. False: nothing is. */
bool action_run_binding(struct seat *seat, uint32_t modifiers, xkb_keysym_t sym);

/**
 * Checks that every binding names a key and an action that exist. On failure returns the binding at
 * fault and what is wrong with it in *WHY.
 */
const struct config_binding *action_check(const struct compositor_config *config, const char **why);

/** CONFIG_MODIFIER_… as enum wlr_keyboard_modifier. */
uint32_t action_modifiers(uint32_t config_modifiers);

#endif
