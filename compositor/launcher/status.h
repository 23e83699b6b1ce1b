#ifndef PORTAL_LAUNCHER_STATUS_H
#define PORTAL_LAUNCHER_STATUS_H

/*
 * Exit statuses of portal-run; portal-run(1) explains each. A program's own status passes through,
 * so these begin where few programs have any; 126, 127 and 128 + signal are the shell's.
 */
enum run_status {
	RUN_OK = 0,
	RUN_CANNOT_EXECUTE = 126,
	RUN_NOT_FOUND = 127,
	RUN_SIGNAL = 128, /* plus the signal's number */

	RUN_USAGE = 200,
	RUN_CONFIG = 201, /* portal.scfg is wrong, or says too little */
	RUN_NO_VM = 202, /* no such vm block */
	RUN_NO_LIBVIRT = 203,
	RUN_NO_DOMAIN = 204,
	RUN_DOMAIN = 205, /* libvirt refused, or the domain ended at once */
	RUN_AGENT_SILENT = 206,
	RUN_HEAP = 207,
	RUN_KEY = 208,
	RUN_VERSION = 209,
	RUN_BRIDGE = 210, /* portal-bridge failed or could not be run, before a program */
	RUN_NO_COMPOSITOR = 211,
	RUN_AGENT = 212, /* local: the same of portal-agent */
	RUN_LOST = 213, /* guest, agent or bridge went away while the program ran */
	RUN_VIOLATION = 214, /* the guest broke a rule and was cut off */
	RUN_EXISTS = 215, /* --define without --replace on another definition */
	RUN_STOP_TIMEOUT = 216,
	RUN_SYSTEM = 217, /* out of memory, no runtime directory … */
	RUN_MEMORY = 218, /* the memory plan has no room for the guest */
};

#endif
