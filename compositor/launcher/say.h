#ifndef PORTAL_LAUNCHER_SAY_H
#define PORTAL_LAUNCHER_SAY_H

/* What portal-run tells the person before it: on standard error, which is the program's, too. */

/* "portal-run: …" on a line of its own. Returns its first argument, to be returned in turn. */
int say_failure(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line that the next message overwrites; only on a terminal. */
void say_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Removes the line. */
void say_progress_done(void);

#endif
