#include "hostd/host_interface.h"

static SD_VARLINK_DEFINE_ENUM_TYPE(DomainState,
	SD_VARLINK_FIELD_COMMENT("libvirt has not said, or is not there"),
	SD_VARLINK_DEFINE_ENUM_VALUE(unknown), SD_VARLINK_FIELD_COMMENT("there is no such domain"),
	SD_VARLINK_DEFINE_ENUM_VALUE(undefined), SD_VARLINK_DEFINE_ENUM_VALUE(off),
	SD_VARLINK_DEFINE_ENUM_VALUE(running), SD_VARLINK_DEFINE_ENUM_VALUE(paused),
	SD_VARLINK_FIELD_COMMENT("asked to shut down"), SD_VARLINK_DEFINE_ENUM_VALUE(stopping));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Vm, SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("its name in libvirt"),
	SD_VARLINK_DEFINE_FIELD(domain, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("'controller' or 'router'"),
	SD_VARLINK_DEFINE_FIELD(role, SD_VARLINK_STRING, 0),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(state, DomainState, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Guest, SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_STRING, 0),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(state, DomainState, 0),
	SD_VARLINK_FIELD_COMMENT("bytes of its heap, where that is known"),
	SD_VARLINK_DEFINE_FIELD(heapSize, SD_VARLINK_INT, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD_FULL(GetState, SD_VARLINK_SUPPORTS_MORE,
	SD_VARLINK_FIELD_COMMENT("why nothing is known of domains; null: it is"),
	SD_VARLINK_DEFINE_OUTPUT(libvirtProblem, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(vms, Vm, SD_VARLINK_ARRAY),
	SD_VARLINK_FIELD_COMMENT("from one controller to another; to none, where that is null"),
	SD_VARLINK_DEFINE_OUTPUT(switching, SD_VARLINK_BOOL, 0),
	SD_VARLINK_DEFINE_OUTPUT(switchingTo, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("a change of devices is under way"),
	SD_VARLINK_DEFINE_OUTPUT(changing, SD_VARLINK_BOOL, 0),
	SD_VARLINK_FIELD_COMMENT("how often devices have come, gone or changed drivers"),
	SD_VARLINK_DEFINE_OUTPUT(deviceChanges, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_METHOD_FULL(ListGuests, SD_VARLINK_SUPPORTS_MORE,
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(guests, Guest, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(StartGuest, SD_VARLINK_DEFINE_INPUT(guest, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("may polkit ask a person? not, by default"),
	SD_VARLINK_DEFINE_INPUT(
		allowInteractiveAuthentication, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD(StopGuest, SD_VARLINK_DEFINE_INPUT(guest, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("end it without asking it to shut down"),
	SD_VARLINK_DEFINE_INPUT(force, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT(
		"how long to wait for its end, a minute by default, at most an hour"),
	SD_VARLINK_DEFINE_INPUT(timeoutSeconds, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("may polkit ask a person? not, by default"),
	SD_VARLINK_DEFINE_INPUT(
		allowInteractiveAuthentication, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD(ReportHeap, SD_VARLINK_DEFINE_INPUT(guest, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("bytes in use now"),
	SD_VARLINK_DEFINE_INPUT(used, SD_VARLINK_INT, 0),
	SD_VARLINK_FIELD_COMMENT("may polkit ask a person? not, by default"),
	SD_VARLINK_DEFINE_INPUT(
		allowInteractiveAuthentication, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(GuestMemory,
	SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("its own, and what its heap gets at the next start; in bytes"),
	SD_VARLINK_DEFINE_FIELD(memory, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(heap, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("what it used of its heap, and when that was said (UNIX time)"),
	SD_VARLINK_DEFINE_FIELD(usedPercentile, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(usedLast, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_FIELD(usedPeak, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_FIELD(reported, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT(
		"of the huge pages that its own memory is in; null: it is in none"),
	SD_VARLINK_DEFINE_FIELD(pageSize, SD_VARLINK_INT, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(VmMemory, SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("'controller', 'router'; null: the policy does not name it, or it "
				 "is a guest that was not asked about"),
	SD_VARLINK_DEFINE_FIELD(role, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_FIELD(running, SD_VARLINK_BOOL, 0),
	SD_VARLINK_FIELD_COMMENT("does the plan leave it its memory"),
	SD_VARLINK_DEFINE_FIELD(counted, SD_VARLINK_BOOL, 0),
	SD_VARLINK_FIELD_COMMENT("bytes of its own, and of heaps that no guest below has"),
	SD_VARLINK_DEFINE_FIELD(memory, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(heaps, SD_VARLINK_INT, 0),
	SD_VARLINK_FIELD_COMMENT("of the huge pages that its own is in; null: it is in none"),
	SD_VARLINK_DEFINE_FIELD(pageSize, SD_VARLINK_INT, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(HugePages,
	SD_VARLINK_FIELD_COMMENT("huge pages of one size that are set aside; all in bytes"),
	SD_VARLINK_DEFINE_FIELD(pageSize, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(total, SD_VARLINK_INT, 0),
	SD_VARLINK_FIELD_COMMENT("of them, by VMs that run, and for the guests that are planned"),
	SD_VARLINK_DEFINE_FIELD(taken, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(planned, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_METHOD(GetMemory,
	SD_VARLINK_FIELD_COMMENT("why there is no plan; null: there is"),
	SD_VARLINK_DEFINE_OUTPUT(reason, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_OUTPUT(budget, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("bytes of the budget that the VMs have"),
	SD_VARLINK_DEFINE_OUTPUT(taken, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("what is not in the budget"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(
		hugePages, HugePages, SD_VARLINK_ARRAY | SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(vms, VmMemory, SD_VARLINK_ARRAY | SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("bytes for the guests and their heaps"),
	SD_VARLINK_DEFINE_OUTPUT(planned, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(
		guests, GuestMemory, SD_VARLINK_ARRAY | SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD(ListDevices,
	SD_VARLINK_FIELD_COMMENT("does the kernel drive an IOMMU; is vfio-pci loaded"),
	SD_VARLINK_DEFINE_OUTPUT(iommu, SD_VARLINK_BOOL, 0),
	SD_VARLINK_DEFINE_OUTPUT(vfioPci, SD_VARLINK_BOOL, 0),
	SD_VARLINK_DEFINE_OUTPUT(ps2Keyboard, SD_VARLINK_BOOL, 0),
	SD_VARLINK_DEFINE_OUTPUT(ps2Mouse, SD_VARLINK_BOOL, 0),
	SD_VARLINK_FIELD_COMMENT("as portal-host list --json has them"),
	SD_VARLINK_DEFINE_OUTPUT(devices, SD_VARLINK_OBJECT, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Assignment,
	SD_VARLINK_DEFINE_FIELD(address, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("the driver it has now"),
	SD_VARLINK_DEFINE_FIELD(driver, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("where it belongs, null: to the host, and why"),
	SD_VARLINK_DEFINE_FIELD(vm, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));

static SD_VARLINK_DEFINE_METHOD(ListAssignments,
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(devices, Assignment, SD_VARLINK_ARRAY),
	SD_VARLINK_FIELD_COMMENT("what the policy names and the machine does not have"),
	SD_VARLINK_DEFINE_OUTPUT(warnings, SD_VARLINK_STRING, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(Take, SD_VARLINK_FIELD_COMMENT("by address or known name"),
	SD_VARLINK_DEFINE_INPUT(devices, SD_VARLINK_STRING, SD_VARLINK_ARRAY),
	SD_VARLINK_FIELD_COMMENT("what the survival guard is to let go beside the policy's"),
	SD_VARLINK_DEFINE_INPUT(unguard, SD_VARLINK_STRING, SD_VARLINK_ARRAY | SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("may polkit ask a person? not, by default"),
	SD_VARLINK_DEFINE_INPUT(
		allowInteractiveAuthentication, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD(Return, SD_VARLINK_FIELD_COMMENT("null: everything that was taken"),
	SD_VARLINK_DEFINE_INPUT(devices, SD_VARLINK_STRING, SD_VARLINK_ARRAY | SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("may polkit ask a person? not, by default"),
	SD_VARLINK_DEFINE_INPUT(
		allowInteractiveAuthentication, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD(ReleaseGpu, SD_VARLINK_DEFINE_INPUT(device, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("stop the units and processes that have it open"),
	SD_VARLINK_DEFINE_INPUT(stopHolders, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("as the last rung, suspend the machine for a moment"),
	SD_VARLINK_DEFINE_INPUT(suspend, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_INPUT(unguard, SD_VARLINK_STRING, SD_VARLINK_ARRAY | SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("may polkit ask a person? not, by default"),
	SD_VARLINK_DEFINE_INPUT(
		allowInteractiveAuthentication, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD(Recover,
	SD_VARLINK_FIELD_COMMENT("may polkit ask a person? not, by default"),
	SD_VARLINK_DEFINE_INPUT(
		allowInteractiveAuthentication, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD(Switch,
	SD_VARLINK_FIELD_COMMENT("null: to none, so that the devices return to the host"),
	SD_VARLINK_DEFINE_INPUT(controller, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("end a controller that does not shut down in time"),
	SD_VARLINK_DEFINE_INPUT(force, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("may polkit ask a person? not, by default"),
	SD_VARLINK_DEFINE_INPUT(
		allowInteractiveAuthentication, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Finding,
	SD_VARLINK_FIELD_COMMENT("does it stand in the way, or is it only worth knowing"),
	SD_VARLINK_DEFINE_FIELD(blocks, SD_VARLINK_BOOL, 0),
	SD_VARLINK_DEFINE_FIELD(text, SD_VARLINK_STRING, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(SwitchPlan,
	SD_VARLINK_FIELD_COMMENT("'return' to the host, or 'take' for the controller"),
	SD_VARLINK_DEFINE_FIELD(what, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("as in the journal of the change: portal-host-journal(5)"),
	SD_VARLINK_DEFINE_FIELD(plan, SD_VARLINK_OBJECT, 0),
	SD_VARLINK_FIELD_COMMENT("for people, a line for each step"),
	SD_VARLINK_DEFINE_FIELD(text, SD_VARLINK_STRING, 0));

static SD_VARLINK_DEFINE_METHOD(PlanSwitch, SD_VARLINK_FIELD_COMMENT("null: to none"),
	SD_VARLINK_DEFINE_INPUT(controller, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("as of Switch"),
	SD_VARLINK_DEFINE_INPUT(force, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("may polkit ask a person? not, by default"),
	SD_VARLINK_DEFINE_INPUT(
		allowInteractiveAuthentication, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("the controllers that would be shut down"),
	SD_VARLINK_DEFINE_OUTPUT(leaving, SD_VARLINK_STRING, SD_VARLINK_ARRAY),
	SD_VARLINK_FIELD_COMMENT("with 'force' those that have not shut down after so long are "
				 "ended; null: they stay, and the switch fails"),
	SD_VARLINK_DEFINE_OUTPUT(endAfterSeconds, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("the addresses of what the host would get back"),
	SD_VARLINK_DEFINE_OUTPUT(returning, SD_VARLINK_STRING, SD_VARLINK_ARRAY),
	SD_VARLINK_FIELD_COMMENT(
		"of everything that would be taken; with one that blocks nothing is"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(findings, Finding, SD_VARLINK_ARRAY),
	SD_VARLINK_FIELD_COMMENT("the controller that would be started last; null: none"),
	SD_VARLINK_DEFINE_OUTPUT(starting, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("one after the other"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(plans, SwitchPlan, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_STRUCT_TYPE(SharedMemory,
	SD_VARLINK_FIELD_COMMENT("a file, and its bytes"),
	SD_VARLINK_DEFINE_FIELD(path, SD_VARLINK_STRING, 0),
	SD_VARLINK_DEFINE_FIELD(size, SD_VARLINK_INT, 0),
	SD_VARLINK_FIELD_COMMENT("the domain's own heap as a guest"),
	SD_VARLINK_DEFINE_FIELD(own, SD_VARLINK_BOOL, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(MemoryUsage, SD_VARLINK_FIELD_COMMENT("bytes of its own"),
	SD_VARLINK_DEFINE_FIELD(memory, SD_VARLINK_INT, 0),
	SD_VARLINK_FIELD_COMMENT("bytes that may be locked by its definition; 0: all"),
	SD_VARLINK_DEFINE_FIELD(limit, SD_VARLINK_INT, 0),
	SD_VARLINK_DEFINE_FIELD(hugePages, SD_VARLINK_BOOL, 0),
	SD_VARLINK_FIELD_COMMENT("of these, in bytes; null: whichever the host gives out unasked"),
	SD_VARLINK_DEFINE_FIELD(pageSize, SD_VARLINK_INT, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(shared, SharedMemory, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(Hook, SD_VARLINK_DEFINE_INPUT(domain, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("'prepare', 'started', 'release' …, as libvirt's hook is told"),
	SD_VARLINK_DEFINE_INPUT(operation, SD_VARLINK_STRING, 0),
	SD_VARLINK_FIELD_COMMENT("the host's PCI devices in its definition, by address"),
	SD_VARLINK_DEFINE_INPUT(devices, SD_VARLINK_STRING, SD_VARLINK_ARRAY | SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("what it takes of the memory by its definition"),
	SD_VARLINK_DEFINE_INPUT_BY_TYPE(usage, MemoryUsage, SD_VARLINK_NULLABLE),
	SD_VARLINK_FIELD_COMMENT("bytes that libvirt may lock for it; null: as many as it wants"),
	SD_VARLINK_DEFINE_INPUT(lockLimit, SD_VARLINK_INT, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD(Reload,
	SD_VARLINK_FIELD_COMMENT("may polkit ask a person? not, by default"),
	SD_VARLINK_DEFINE_INPUT(
		allowInteractiveAuthentication, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_ERROR(NoSuchDevice, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_ERROR(
	NoSuchController, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_ERROR(Busy, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_ERROR(Unfinished, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));

static SD_VARLINK_DEFINE_ERROR(
	NotAuthorized, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_ERROR(NoSuchGuest, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_ERROR(Refused, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_ERROR(Failed, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_ERROR(Timeout, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));
static SD_VARLINK_DEFINE_ERROR(NoLibvirt, SD_VARLINK_DEFINE_FIELD(reason, SD_VARLINK_STRING, 0));

SD_VARLINK_DEFINE_INTERFACE(org_portal_Host, "org.portal.Host",
	SD_VARLINK_INTERFACE_COMMENT("The devices, virtual machines and memory of a host."),
	&vl_type_DomainState, &vl_type_Vm, &vl_type_Guest, &vl_type_GuestMemory, &vl_type_HugePages,
	&vl_type_VmMemory, &vl_type_Finding, &vl_type_SwitchPlan, &vl_type_SharedMemory,
	&vl_type_MemoryUsage, &vl_type_Assignment,
	SD_VARLINK_SYMBOL_COMMENT("The virtual machines that the policy gives devices to. With the "
				  "flag 'more' a further reply follows each change, and the call "
				  "never ends."),
	&vl_method_GetState,
	SD_VARLINK_SYMBOL_COMMENT("The application VMs that the policy names. 'more' as above."),
	&vl_method_ListGuests, SD_VARLINK_SYMBOL_COMMENT("Starts one; answered when it runs."),
	&vl_method_StartGuest,
	SD_VARLINK_SYMBOL_COMMENT(
		"Asks one to shut down, or ends it; answered when it is off, or with Timeout."),
	&vl_method_StopGuest,
	SD_VARLINK_SYMBOL_COMMENT("Notes how much of its heap a guest uses, for the memory plan."),
	&vl_method_ReportHeap,
	SD_VARLINK_SYMBOL_COMMENT("The memory plan of all guests that the policy names, beside the "
				  "VMs that run, the router, and a controller."),
	&vl_method_GetMemory,
	SD_VARLINK_SYMBOL_COMMENT("Reads the policy and the names of devices again. What cannot be "
				  "read changes nothing."),
	&vl_method_Reload,
	SD_VARLINK_SYMBOL_COMMENT("The host's PCI functions, as they were seen last."),
	&vl_method_ListDevices,
	SD_VARLINK_SYMBOL_COMMENT("Where every device belongs while those run that run now."),
	&vl_method_ListAssignments,
	SD_VARLINK_SYMBOL_COMMENT("Gives devices to VFIO, with all that shares their IOMMU groups. "
				  "What was taken so is not returned by policy."),
	&vl_method_Take, SD_VARLINK_SYMBOL_COMMENT("Brings devices back to their former drivers."),
	&vl_method_Return,
	SD_VARLINK_SYMBOL_COMMENT(
		"Take, for a graphics card in use: who holds it is stopped where that was asked "
		"for, consoles are taken off it, and resets are tried until VFIO can open it."),
	&vl_method_ReleaseGpu,
	SD_VARLINK_SYMBOL_COMMENT("Undoes a change that was interrupted and not undone then."),
	&vl_method_Recover,
	SD_VARLINK_SYMBOL_COMMENT(
		"Shuts down the controllers that have what the new one is to have, waits until "
		"they have let it go, and starts the new one; answered when it runs. When that "
		"does not work, the former ones are started again. What PlanSwitch finds in the "
		"way refuses it before anybody is shut down."),
	&vl_method_Switch,
	SD_VARLINK_SYMBOL_COMMENT("What Switch would do now, without doing any of it."),
	&vl_method_PlanSwitch,
	SD_VARLINK_SYMBOL_COMMENT(
		"For libvirt's hook, from root alone: 'prepare', and 'start' of a "
		"domain that is not expected any more, are answered when there "
		"is memory for the domain and its devices are ready, or with "
		"Refused."),
	&vl_method_Hook, SD_VARLINK_SYMBOL_COMMENT("The machine has no such device."),
	&vl_error_NoSuchDevice, SD_VARLINK_SYMBOL_COMMENT("The policy names no such controller."),
	&vl_error_NoSuchController, SD_VARLINK_SYMBOL_COMMENT("Something else is under way."),
	&vl_error_Busy,
	SD_VARLINK_SYMBOL_COMMENT("It failed, and not all of it could be undone: Recover."),
	&vl_error_Unfinished,
	SD_VARLINK_SYMBOL_COMMENT("Who asks may not, or cannot be asked for it."),
	&vl_error_NotAuthorized, SD_VARLINK_SYMBOL_COMMENT("The policy names no such guest."),
	&vl_error_NoSuchGuest, SD_VARLINK_SYMBOL_COMMENT("A check said no; nothing was changed."),
	&vl_error_Refused, SD_VARLINK_SYMBOL_COMMENT("It was tried and did not work."),
	&vl_error_Failed,
	SD_VARLINK_SYMBOL_COMMENT("It has not happened in the time that was given for it."),
	&vl_error_Timeout, SD_VARLINK_SYMBOL_COMMENT("libvirt is not there, or does not answer."),
	&vl_error_NoLibvirt);
