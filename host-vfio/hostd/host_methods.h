#ifndef HOST_HOSTD_HOST_METHODS_H
#define HOST_HOSTD_HOST_METHODS_H

#include <systemd/sd-varlink.h>

/* The methods of org.portal.Host that are not about guests: host_devices.c, host_hook.c. */

#define HOST_METHOD(name)                                                                          \
	int name(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,   \
		void *data)

HOST_METHOD(host_list_devices);
HOST_METHOD(host_list_assignments);
HOST_METHOD(host_take);
HOST_METHOD(host_return);
HOST_METHOD(host_release_gpu);
HOST_METHOD(host_recover);
HOST_METHOD(host_switch);
HOST_METHOD(host_plan_switch);
HOST_METHOD(host_hook);

#endif
