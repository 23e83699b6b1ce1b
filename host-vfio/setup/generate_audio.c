#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "setup/generator.h"

/* QEMU runs as a user of its own, who may not enter /run/user/UID where a session's PipeWire
 * listens, and letting it in there would show it every other socket too. So PipeWire's PulseAudio
 * server listens in one more place, a directory for that one person and QEMU's group. */

#define SOCKET "/run/portal-audio/pulse"

/* The field of the line that begins with `name` or whose third field is `id`; the caller's. */
static char *look_up(const struct generator *generator, const char *path, const char *name,
	const char *id, unsigned field) {
	char *text = generator_read(generator, path), *rest = text, *line, *found = NULL;
	while (!found && (line = strsep(&rest, "\n"))) {
		char *fields[4] = {NULL}, *at = line;
		for (unsigned i = 0; i < 4; i++) {
			fields[i] = strsep(&at, ":");
		}
		if (fields[3] && ((name && strcmp(fields[0], name) == 0) ||
					 (id && strcmp(fields[2], id) == 0))) {
			found = must_copy(fields[field]);
		}
	}
	free(text);
	return found;
}

/* The name of the group that libvirt's QEMU runs with; the caller's. */
static char *find_group(const struct generator *generator) {
	static const char *const users[] = {"libvirt-qemu", "qemu"};
	char *group = NULL;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]) && !group; i++) {
		char *id = look_up(generator, "/etc/passwd", users[i], NULL, 3);
		group = id ? look_up(generator, "/etc/group", NULL, id, 0) : NULL;
		free(id);
	}
	return group;
}

static bool is_user_name(const char *name) {
	for (const char *at = name; *at != '\0'; at++) {
		if (!isalnum((unsigned char)*at) && !strchr("_-.", *at)) {
			return false;
		}
	}
	return name[0] != '\0' && name[0] != '-';
}

static int put_files(const struct generator *generator, const char *group) {
	char *text = must_print("# Written by portal-host setup.\n"
				"d /run/portal-audio 0750 %s %s -\n",
		generator->options->audio_user, group);
	int status = generator_put(generator, "/etc/tmpfiles.d/portal-audio.conf", text, 0644);
	free(text);
	/* In the sessions of others the second address fails with one line in the journal. */
	return status < 0 ? -1
			  : generator_put(generator,
				    "/etc/pipewire/pipewire-pulse.conf.d/portal-audio.conf",
				    "# Written by portal-host setup.\n"
				    "pulse.properties = {\n"
				    "    server.address = [\n"
				    "        \"unix:native\"\n"
				    "        { address = \"unix:" SOCKET
				    "\" client.access = \"restricted\" }\n"
				    "    ]\n"
				    "}\n",
				    0644);
}

int generate_audio(struct generator *generator) {
	const char *user = generator->options->audio_user;
	if (!user) {
		return 0;
	}
	char *home = is_user_name(user) ? look_up(generator, "/etc/passwd", user, NULL, 3) : NULL;
	if (!home) {
		return error_set(generator->error, "there is no user \"%s\" in /etc/passwd", user);
	}
	free(home);
	char *group = find_group(generator);
	if (!group) {
		return error_set(generator->error,
			"libvirt's QEMU has no user here (libvirt-qemu or qemu in /etc/passwd): "
			"install libvirt first");
	}
	int status = put_files(generator, group);
	free(group);
	strings_add(&generator->plan->commands,
		"systemd-tmpfiles --create /etc/tmpfiles.d/portal-audio.conf");
	strings_take(&generator->plan->notes,
		must_print(
			"Sound of VMs is heard in %s's session. Add to the VM's definition (virsh "
			"edit),\nbelow <devices>:\n"
			"  <sound model='virtio'><audio id='1'/></sound>\n"
			"  <audio id='1' type='pulseaudio' serverName='unix:" SOCKET "'/>\n"
			"and run, as %s: systemctl --user restart pipewire-pulse\n"
			"VMs of %s's own (qemu:///session) need none of this: there "
			"type='pipewire' "
			"is enough.\nA guest older than Linux 5.13 has no driver for "
			"model='virtio': "
			"give it model='ich9'.",
			user, user, user));
	return status;
}
