#ifndef RELOAD_H
#define RELOAD_H

#include <stdbool.h>

struct compositor_config;
struct config_error;
struct server;

/**
 * Reads the configuration: built-in settings, then the file NAMED (NULL: the one that is where it
 * usually is, if any). Returns NULL with the error set when anything in it is wrong.
 */
struct compositor_config *reload_read_config(const char *named, struct config_error *error);

/**
 * Reads the server's configuration again and applies it to everything that is there. When anything
 * in it is wrong the old one stays and the return is false; ERROR may be NULL, the log has it too.
 */
bool reload_config(struct server *server, struct config_error *error);

#endif
