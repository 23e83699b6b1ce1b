#ifndef PORTAL_LAUNCHER_KEEPER_RUN_H
#define PORTAL_LAUNCHER_KEEPER_RUN_H

/* What keeper_start() hands to the keeper it starts: arguments, and descriptors behind standard
 * error. For no one else. */
enum keeper_argument {
	KEEPER_PROGRAM,
	KEEPER_FLAG, /* --keep */
	KEEPER_VM,
	KEEPER_TRANSPORT,
	KEEPER_HEAP,
	KEEPER_KEY,
	KEEPER_LABEL,
	KEEPER_HEAP_SIZE,
	KEEPER_URI,
	KEEPER_DOMAIN,
	KEEPER_IDLE_STOP,
	KEEPER_ARGUMENTS,
};

enum keeper_descriptor {
	KEEPER_CONTROL = 3, /* the bridge's listening control socket */
	KEEPER_STATE = 4, /* guest_paths.state, locked */
};

#endif
