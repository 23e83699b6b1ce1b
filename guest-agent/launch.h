/* Programs that the controller starts in the guest, and how they end. */
#ifndef GUEST_AGENT_LAUNCH_H
#define GUEST_AGENT_LAUNCH_H

#include <stdint.h>

struct channel_controller;
struct session;

/** Starts a program for a session, which hears its pid or an errno, and how it ended. */
void launch_start(
	struct session *session, uint32_t launch, const char *const *argv, const char *const *envp);
/** Sends a signal to a program's process group. */
void launch_signal(struct session *session, uint32_t launch, int32_t number);

/** The channel has room again: what could not be told is told. */
void launch_report(struct session *session);
/** The session is going: its programs go on, unobserved. */
void launch_forget(struct session *session);
void launch_finish(struct channel_controller *controller);

#endif
