#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

/*
 * What systemd and D-Bus start for the user's session has to find the display as well: the
 * variables that are set for programs which portal starts itself are told to both of them. Where
 * there is no session bus, or no systemd on it, that is only logged.
 */
void environment_publish(void);

/** The display is about to go. */
void environment_withdraw(void);

#endif
