#include "hostd/door_interface.h"

static SD_VARLINK_DEFINE_ENUM_TYPE(GuestState,
	SD_VARLINK_FIELD_COMMENT("libvirt has not said, or is not there"),
	SD_VARLINK_DEFINE_ENUM_VALUE(unknown),
	SD_VARLINK_FIELD_COMMENT("the host has no such domain"),
	SD_VARLINK_DEFINE_ENUM_VALUE(undefined), SD_VARLINK_DEFINE_ENUM_VALUE(off),
	SD_VARLINK_DEFINE_ENUM_VALUE(running), SD_VARLINK_DEFINE_ENUM_VALUE(paused),
	SD_VARLINK_FIELD_COMMENT("asked to shut down"), SD_VARLINK_DEFINE_ENUM_VALUE(stopping));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Guest, SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_STRING, 0),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(state, GuestState, 0),
	SD_VARLINK_FIELD_COMMENT("bytes of its heap, where that is known"),
	SD_VARLINK_DEFINE_FIELD(heapSize, SD_VARLINK_INT, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD_FULL(ListGuests, SD_VARLINK_SUPPORTS_MORE,
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(guests, Guest, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(StartGuest, SD_VARLINK_DEFINE_INPUT(guest, SD_VARLINK_STRING, 0));

static SD_VARLINK_DEFINE_METHOD(StopGuest, SD_VARLINK_DEFINE_INPUT(guest, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("end it without asking it to shut down"),
	SD_VARLINK_DEFINE_INPUT(force, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT(
		"how long to wait for its end, a minute by default, at most an hour"),
	SD_VARLINK_DEFINE_INPUT(timeoutSeconds, SD_VARLINK_INT, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD(ReportHeap, SD_VARLINK_DEFINE_INPUT(guest, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("bytes in use now"),
	SD_VARLINK_DEFINE_INPUT(used, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_ERROR(NoSuchGuest, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_ERROR(Refused, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_ERROR(Failed, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_ERROR(Timeout, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_ERROR(NoLibvirt, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));

SD_VARLINK_DEFINE_INTERFACE(org_portal_Door, "org.portal.Door",
	SD_VARLINK_INTERFACE_COMMENT(
		"What a controller VM may ask of its host: only for the guests "
		"that the host's policy gives to it."),
	&vl_type_GuestState, &vl_type_Guest,
	SD_VARLINK_SYMBOL_COMMENT("This controller's guests. With the flag 'more' a further reply "
				  "follows each change, and the call never ends."),
	&vl_method_ListGuests, SD_VARLINK_SYMBOL_COMMENT("Starts one; answered when it runs."),
	&vl_method_StartGuest,
	SD_VARLINK_SYMBOL_COMMENT(
		"Asks one to shut down, or ends it; answered when it is off, or with Timeout."),
	&vl_method_StopGuest,
	SD_VARLINK_SYMBOL_COMMENT("Notes how much of its heap a guest uses, for the memory plan."),
	&vl_method_ReportHeap,
	SD_VARLINK_SYMBOL_COMMENT("The policy gives this controller no guest of that name."),
	&vl_error_NoSuchGuest,
	SD_VARLINK_SYMBOL_COMMENT("The host's policy or its memory plan is against it."),
	&vl_error_Refused, SD_VARLINK_SYMBOL_COMMENT("It was tried, and libvirt said no."),
	&vl_error_Failed, SD_VARLINK_SYMBOL_COMMENT("The guest is still shutting down."),
	&vl_error_Timeout, SD_VARLINK_SYMBOL_COMMENT("libvirt is not there, or does not answer."),
	&vl_error_NoLibvirt);
