#include "control_interface.h"

// One field a line, in the order of the interface.
// clang-format off

static SD_VARLINK_DEFINE_STRUCT_TYPE(Box,
	SD_VARLINK_DEFINE_FIELD(x, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(y, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(width, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(height, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Output,
	SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("make, model and serial number, as an output block can name it"),
	SD_VARLINK_DEFINE_FIELD(description, SD_VARLINK_STRING, 0),
	SD_VARLINK_DEFINE_FIELD(enabled, SD_VARLINK_BOOL, 0),
	SD_VARLINK_FIELD_COMMENT("in the layout, logical pixels"),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(box, Box, 0),
	SD_VARLINK_FIELD_COMMENT("what bars leave for windows"),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(usable, Box, 0),
	SD_VARLINK_FIELD_COMMENT("mode in pixels; refresh in mHz, 0 when unknown"),
	SD_VARLINK_DEFINE_FIELD(width, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(height, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(refresh, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(scale, SD_VARLINK_FLOAT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Window,
	SD_VARLINK_DEFINE_FIELD(id, SD_VARLINK_INT, 0),
	SD_VARLINK_FIELD_COMMENT("what the application calls itself"),
	SD_VARLINK_DEFINE_FIELD(title, SD_VARLINK_STRING, 0),
	SD_VARLINK_DEFINE_FIELD(appId, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("local, vm, unknown-vm or sandbox"),
	SD_VARLINK_DEFINE_FIELD(kind, SD_VARLINK_STRING, 0),
	SD_VARLINK_DEFINE_FIELD(vm, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_FIELD(label, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("#rrggbb"),
	SD_VARLINK_DEFINE_FIELD(color, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("the window without its frame, in the layout, logical pixels"),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(box, Box, 0),
	SD_VARLINK_FIELD_COMMENT("the same with its frame"),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(frame, Box, 0),
	SD_VARLINK_DEFINE_FIELD(output, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_FIELD(focused, SD_VARLINK_BOOL, 0),
	SD_VARLINK_DEFINE_FIELD(maximized, SD_VARLINK_BOOL, 0),
	SD_VARLINK_DEFINE_FIELD(fullscreen, SD_VARLINK_BOOL, 0),
	SD_VARLINK_DEFINE_FIELD(minimized, SD_VARLINK_BOOL, 0),
	SD_VARLINK_FIELD_COMMENT("of the client, as the kernel has it"),
	SD_VARLINK_DEFINE_FIELD(pid, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(State,
	SD_VARLINK_FIELD_COMMENT("the name of the Wayland socket"),
	SD_VARLINK_DEFINE_FIELD(display, SD_VARLINK_STRING, 0),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(outputs, Output, SD_VARLINK_ARRAY),
	SD_VARLINK_FIELD_COMMENT("the most recently focused first"),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(windows, Window, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(GetState,
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(state, State, 0));

static SD_VARLINK_DEFINE_METHOD_FULL(Watch, SD_VARLINK_REQUIRES_MORE,
	SD_VARLINK_FIELD_COMMENT("now, and again whenever it has changed"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(state, State, 0));

static SD_VARLINK_DEFINE_METHOD(Focus,
	SD_VARLINK_DEFINE_INPUT(id, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_METHOD(Close,
	SD_VARLINK_DEFINE_INPUT(id, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_METHOD(SetState,
	SD_VARLINK_DEFINE_INPUT(id, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_INPUT(maximized, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_INPUT(fullscreen, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_INPUT(minimized, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD(Place,
	SD_VARLINK_FIELD_COMMENT("of the window without its frame; a size of 0 stays as it is"),
	SD_VARLINK_DEFINE_INPUT(id, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_INPUT(x, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_INPUT(y, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_INPUT(width, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_INPUT(height, SD_VARLINK_INT, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD(Reload);

static SD_VARLINK_DEFINE_METHOD(Quit);

static SD_VARLINK_DEFINE_ERROR(NoSuchWindow,
	SD_VARLINK_DEFINE_FIELD(id, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_ERROR(BadConfiguration,
	SD_VARLINK_FIELD_COMMENT("FILE:LINE: what is wrong"),
	SD_VARLINK_DEFINE_FIELD(message, SD_VARLINK_STRING, 0));

SD_VARLINK_DEFINE_INTERFACE(org_portal_Controller, CONTROL_INTERFACE,
	SD_VARLINK_INTERFACE_COMMENT("Asks and steers a running portal."),
	SD_VARLINK_SYMBOL_COMMENT("A rectangle."), &vl_type_Box,
	SD_VARLINK_SYMBOL_COMMENT("A screen."), &vl_type_Output,
	SD_VARLINK_SYMBOL_COMMENT("A window and whose it is."), &vl_type_Window,
	SD_VARLINK_SYMBOL_COMMENT("Everything that is shown."), &vl_type_State,
	SD_VARLINK_SYMBOL_COMMENT("Returns what is."), &vl_method_GetState,
	SD_VARLINK_SYMBOL_COMMENT("Streams what is."), &vl_method_Watch,
	SD_VARLINK_SYMBOL_COMMENT("Gives a window the keyboard and raises it."), &vl_method_Focus,
	SD_VARLINK_SYMBOL_COMMENT("Asks an application to close its window."), &vl_method_Close,
	SD_VARLINK_SYMBOL_COMMENT("Changes what is given of a window's state."),
	&vl_method_SetState,
	SD_VARLINK_SYMBOL_COMMENT("Moves and resizes a window."), &vl_method_Place,
	SD_VARLINK_SYMBOL_COMMENT("Reads the configuration again."), &vl_method_Reload,
	SD_VARLINK_SYMBOL_COMMENT("Ends the compositor."), &vl_method_Quit,
	SD_VARLINK_SYMBOL_COMMENT("No window has that number."), &vl_error_NoSuchWindow,
	SD_VARLINK_SYMBOL_COMMENT("The configuration is wrong and stays as it was."),
	&vl_error_BadConfiguration);
