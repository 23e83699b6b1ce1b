#ifndef ACTIVATION_H
#define ACTIVATION_H

struct server;

/*
 * xdg-activation: a client that the user has just used may hand the focus on. A token is as good as
 * the input event it was asked with: without a recent one from the very window that had the focus,
 * asking for attention does not take the keyboard away. Nor does a good one while something is
 * typed into a window of another label: much can have happened since it was asked for.
 */
void activation_init(struct server *server);
void activation_finish(struct server *server);

#endif
