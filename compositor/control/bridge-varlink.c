#include "bridge-varlink.h"

static SD_VARLINK_DEFINE_ENUM_TYPE(State,
	SD_VARLINK_FIELD_COMMENT("no agent yet, or no longer; the bridge tries on"),
	SD_VARLINK_DEFINE_ENUM_VALUE(waiting),
	SD_VARLINK_FIELD_COMMENT("the agent has proved itself and programs can be launched"),
	SD_VARLINK_DEFINE_ENUM_VALUE(ready));

static SD_VARLINK_DEFINE_ENUM_TYPE(Problem,
	SD_VARLINK_FIELD_COMMENT("nothing listens at the transport, or it does not say HELLO"),
	SD_VARLINK_DEFINE_ENUM_VALUE(unreachable),
	SD_VARLINK_FIELD_COMMENT("one end has another key, or none"),
	SD_VARLINK_DEFINE_ENUM_VALUE(key),
	SD_VARLINK_FIELD_COMMENT("agent and bridge share no protocol version"),
	SD_VARLINK_DEFINE_ENUM_VALUE(version),
	SD_VARLINK_FIELD_COMMENT("the heap is absent, or not the one the agent uses"),
	SD_VARLINK_DEFINE_ENUM_VALUE(heap),
	SD_VARLINK_FIELD_COMMENT("the guest broke a rule of the protocol or a quota"),
	SD_VARLINK_DEFINE_ENUM_VALUE(protocol));

static SD_VARLINK_DEFINE_METHOD_FULL(GetState, SD_VARLINK_SUPPORTS_MORE,
	SD_VARLINK_FIELD_COMMENT("the VM's name"),
	SD_VARLINK_DEFINE_OUTPUT(vm, SD_VARLINK_STRING, 0),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(state, State, 0),
	SD_VARLINK_FIELD_COMMENT(
		"while waiting: why the last attempt ended, and a line for people"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(problem, Problem, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_OUTPUT(message, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("mapped toplevel windows"),
	SD_VARLINK_DEFINE_OUTPUT(windows, SD_VARLINK_INT, 0),
	SD_VARLINK_FIELD_COMMENT("programs launched through this bridge that have not exited"),
	SD_VARLINK_DEFINE_OUTPUT(programs, SD_VARLINK_INT, 0),
	SD_VARLINK_FIELD_COMMENT("the TRANSPORT and HEAP of the command line"),
	SD_VARLINK_DEFINE_OUTPUT(transport, SD_VARLINK_STRING, 0),
	SD_VARLINK_DEFINE_OUTPUT(heap, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("bytes of the heap, when ready"),
	SD_VARLINK_DEFINE_OUTPUT(heapSize, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("bytes of it in use, as the agent said last, when ready"),
	SD_VARLINK_DEFINE_OUTPUT(heapUsed, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT(
		"bytes of it that buffers lie in, as the bridge counts: the most since the "
		"watchers were told last, when ready"),
	SD_VARLINK_DEFINE_OUTPUT(heapInBuffers, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT(
		"what the agent has counted since its start, as it said in answer "
		"to the last call: frames passed on, pixels damaged by them, pixels "
		"copied for them"),
	SD_VARLINK_DEFINE_OUTPUT(frames, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_OUTPUT(damagedPixels, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_OUTPUT(copiedPixels, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("the agent's program and version, when ready"),
	SD_VARLINK_DEFINE_OUTPUT(software, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("boot ids of the bridge's and, when ready, the agent's kernel"),
	SD_VARLINK_DEFINE_OUTPUT(bootId, SD_VARLINK_STRING, 0),
	SD_VARLINK_DEFINE_OUTPUT(agentBootId, SD_VARLINK_STRING, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_ENUM_TYPE(
	Event, SD_VARLINK_DEFINE_ENUM_VALUE(started), SD_VARLINK_DEFINE_ENUM_VALUE(exited));

static SD_VARLINK_DEFINE_METHOD_FULL(Launch, SD_VARLINK_SUPPORTS_MORE,
	SD_VARLINK_FIELD_COMMENT("the program, looked up on the guest's PATH, and its arguments"),
	SD_VARLINK_DEFINE_INPUT(argv, SD_VARLINK_STRING, SD_VARLINK_ARRAY),
	SD_VARLINK_FIELD_COMMENT("NAME=VALUE, on top of the agent's own environment"),
	SD_VARLINK_DEFINE_INPUT(
		environment, SD_VARLINK_STRING, SD_VARLINK_ARRAY | SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(event, Event, 0),
	SD_VARLINK_FIELD_COMMENT("names the program in Signal"),
	SD_VARLINK_DEFINE_OUTPUT(launch, SD_VARLINK_INT, 0),
	SD_VARLINK_FIELD_COMMENT("started: process id in the guest"),
	SD_VARLINK_DEFINE_OUTPUT(pid, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("exited: exit status, or the signal that ended it"),
	SD_VARLINK_DEFINE_OUTPUT(status, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_OUTPUT(signal, SD_VARLINK_INT, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD(Signal, SD_VARLINK_DEFINE_INPUT(launch, SD_VARLINK_INT, 0),
	SD_VARLINK_FIELD_COMMENT("number on Linux, x86"),
	SD_VARLINK_DEFINE_INPUT(signal, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_METHOD(Quit);

static SD_VARLINK_DEFINE_ERROR(
	NotReady, SD_VARLINK_DEFINE_FIELD(message, SD_VARLINK_STRING, SD_VARLINK_NULLABLE));
static SD_VARLINK_DEFINE_ERROR(LaunchFailed, SD_VARLINK_DEFINE_FIELD(errno, SD_VARLINK_INT, 0));
static SD_VARLINK_DEFINE_ERROR(
	AgentLost, SD_VARLINK_DEFINE_FIELD(message, SD_VARLINK_STRING, SD_VARLINK_NULLABLE));
static SD_VARLINK_DEFINE_ERROR(NoSuchLaunch);

SD_VARLINK_DEFINE_INTERFACE(org_portal_Bridge, "org.portal.Bridge",
	SD_VARLINK_INTERFACE_COMMENT("The bridge of one guest."), &vl_type_State, &vl_type_Problem,
	&vl_type_Event,
	SD_VARLINK_SYMBOL_COMMENT("What the bridge and its agent are doing. With the flag 'more' a "
				  "further reply follows each change, and the call never ends."),
	&vl_method_GetState,
	SD_VARLINK_SYMBOL_COMMENT(
		"Launches a program in the guest. With 'more' the reply 'started' is followed by "
		"'exited'; without it the call ends with 'started'. The program lives on when the "
		"caller goes away."),
	&vl_method_Launch,
	SD_VARLINK_SYMBOL_COMMENT("Sends a signal to a launched program and its process group."),
	&vl_method_Signal,
	SD_VARLINK_SYMBOL_COMMENT("Says goodbye to the agent, closes every window, and exits. "
				  "The guest's applications keep running."),
	&vl_method_Quit, SD_VARLINK_SYMBOL_COMMENT("There is no agent to launch a program with."),
	&vl_error_NotReady,
	SD_VARLINK_SYMBOL_COMMENT("The agent could not start the program; errno as on Linux, x86."),
	&vl_error_LaunchFailed,
	SD_VARLINK_SYMBOL_COMMENT("The agent went away before the program's end was known."),
	&vl_error_AgentLost,
	SD_VARLINK_SYMBOL_COMMENT("No program of that number, or it has exited."),
	&vl_error_NoSuchLaunch);
