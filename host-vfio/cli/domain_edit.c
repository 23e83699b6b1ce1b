#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/domain.h"
#include "domain/change.h"
#include "domain/info.h"
#include "heap/guest_heap.h"

/* What `domain edit` is doing. */
struct editing {
	struct cli *cli;
	struct cli_libvirt libvirt;
	struct domain_options options;
	struct domain_peer *peers;
	struct domain_info *infos; /* of the peers */
	size_t infos_count;
	struct domain_change change;
};

/* One of --guest: its heap, channel and key are those of its own definition. */
static int read_peer(struct editing *editing, const char *text) {
	struct domain_options *options = &editing->options;
	const char *equals = strchr(text, '=');
	char *guest =
		equals == NULL ? must_copy(text) : must_print("%.*s", (int)(equals - text), text);
	strings_take(&options->texts, guest);
	struct cli_libvirt other = editing->libvirt;
	other.name = (char *)(equals == NULL ? text : equals + 1);
	struct error error;
	char *xml;
	int failure = domain_manager_get_xml(other.manager, other.name, false, &xml, &error);
	if (failure < 0) {
		return cli_libvirt_fail(&other, failure, &error);
	}
	struct domain_info info;
	int result = domain_info_read(&info, xml, &error);
	free(xml);
	if (result < 0) {
		return cli_libvirt_fail(&other, DOMAIN_FAILURE_REFUSED, &error);
	}
	editing->infos = must_grow(editing->infos, editing->infos_count, sizeof(*editing->infos));
	editing->infos[editing->infos_count] = info;
	editing->peers = must_grow(editing->peers, editing->infos_count, sizeof(*editing->peers));
	struct domain_peer *peer = &editing->peers[editing->infos_count++];
	*peer = (struct domain_peer){
		.guest = guest,
		.heap = {.kind = info.heap, .path = info.heap_path, .size = info.heap_size},
		.key = info.key,
	};
	static const char serial[] = "virtio-serial:";
	if (info.transport != NULL && strncmp(info.transport, serial, strlen(serial)) == 0) {
		peer->channel = info.transport + strlen(serial);
	} else if (info.transport == NULL && info.vsock_socket == NULL) {
		findings_add(&options->findings, false,
			"%s has no channel with a lasting place, so only its heap is put in "
			"(portal-host domain edit %s --channel virtio-serial,path=SOCKET gives it "
			"one)",
			guest, other.name);
	}
	return info.heap != DOMAIN_HEAP_UNSET ? CLI_DONE
					      : cli_fail(CLI_REFUSED, "%s has no heap", other.name);
}

static int read_peers(struct editing *editing) {
	struct domain_options *options = &editing->options;
	for (size_t i = 0; i < options->guests.count; i++) {
		int status = read_peer(editing, options->guests.items[i]);
		if (status != CLI_DONE) {
			return status;
		}
	}
	options->edit.peers = editing->peers;
	options->edit.peers_count = editing->infos_count;
	return CLI_DONE;
}

static int check_devices(struct editing *editing) {
	struct domain_options *options = &editing->options;
	struct error error;
	if (options->assignment.count == 0) {
		return CLI_DONE;
	}
	assign_check_groups(&options->assignment, &options->findings, &editing->cli->machine);
	int failure = assign_check_domains(&options->assignment, &options->findings,
		&editing->cli->machine, editing->libvirt.manager, editing->libvirt.name, &error);
	return failure < 0 ? cli_libvirt_fail(&editing->libvirt, failure, &error) : CLI_DONE;
}

/* A controller that is defined with the heap has to follow. */
static int check_heap(struct editing *editing) {
	struct domain_options *options = &editing->options;
	const struct domain_spec *spec = &options->spec;
	const struct heap_device heap = {
		.kind = spec->heap, .path = spec->heap_path, .size = spec->heap_size};
	struct error error;
	char *other;
	if (spec->heap == DOMAIN_HEAP_UNSET) {
		return CLI_DONE;
	}
	int found = guest_heap_find_other(
		editing->libvirt.manager, editing->libvirt.name, &heap, &other, &error);
	if (found > 0) {
		findings_add(&options->findings, false,
			"domain %s is defined with the heap %s in another size: portal-host domain "
			"edit %s --guest GUEST=%s brings it up to date",
			other, heap.path, other, editing->libvirt.name);
	}
	free(other);
	return found < 0 ? cli_libvirt_fail(&editing->libvirt, found, &error) : CLI_DONE;
}

static int prepare(struct editing *editing) {
	struct domain_options *options = &editing->options;
	struct cli_libvirt *libvirt = &editing->libvirt;
	int status =
		options->pin_auto ? domain_suggest_pins(editing->cli, libvirt, options) : CLI_DONE;
	status = status == CLI_DONE ? read_peers(editing) : status;
	status = status == CLI_DONE ? domain_find_door(editing->cli, libvirt, options) : status;
	status = status == CLI_DONE ? check_devices(editing) : status;
	status = status == CLI_DONE ? check_heap(editing) : status;
	if (status != CLI_DONE) {
		return status;
	}
	struct error error;
	int failure = domain_change_prepare(
		&editing->change, libvirt->manager, libvirt->name, &options->edit, &error);
	if (failure == DOMAIN_FAILURE_REFUSED) {
		return cli_fail(CLI_REFUSED, "%s: %s", libvirt->name, error.text);
	}
	return failure < 0 ? cli_libvirt_fail(libvirt, failure, &error)
			   : domain_check_result(editing->cli, options, editing->change.after);
}

static void print_json(const struct editing *editing, bool changed) {
	const struct findings *findings = &editing->options.findings;
	sd_json_variant *object = NULL, *list = json_array();
	for (size_t i = 0; i < findings->count; i++) {
		sd_json_variant *finding = NULL;
		json_set_flag(&finding, "blocks", findings->items[i].blocks);
		json_set_string(&finding, "text", findings->items[i].text);
		json_append(&list, finding);
	}
	char token[24];
	snprintf(token, sizeof(token), "%016" PRIx64, editing->change.token);
	json_set_string(&object, "domain", editing->libvirt.name);
	json_set(&object, "findings", list);
	/* Of what is refused there is neither. */
	bool blocked = findings_block(findings);
	json_set_string(&object, "diff", blocked ? NULL : editing->change.diff);
	json_set_string(&object, "token", blocked ? NULL : token);
	json_set_flag(&object, "changed", changed);
	cli_print_json(object);
}

/* Everything that is known before anything is changed. */
static int show(const struct editing *editing) {
	const struct domain_options *options = &editing->options;
	const struct findings *findings = &options->findings;
	for (size_t i = 0; i < findings->count; i++) {
		fprintf(stderr, "%s: %s\n", findings->items[i].blocks ? "refused" : "note",
			findings->items[i].text);
	}
	if (findings_block(findings)) {
		if (editing->cli->json) {
			print_json(editing, false);
		}
		return cli_fail(CLI_REFUSED, "nothing was changed");
	}
	if (options->expect != NULL) {
		char token[24];
		snprintf(token, sizeof(token), "%016" PRIx64, editing->change.token);
		if (strcmp(token, options->expect) != 0) {
			const struct error error = {"somebody changed it since it was shown"};
			return cli_libvirt_fail(&editing->libvirt, DOMAIN_FAILURE_CHANGED, &error);
		}
	}
	if (!editing->cli->json) {
		fputs(editing->change.diff, stdout);
	}
	return CLI_DONE;
}

/* The heap's file goes with its definition: QEMU takes none that is shorter. While the domain runs
 * it has the file open, and the next start sees to it. */
static int fit_heap(const struct editing *editing) {
	const struct cli_libvirt *libvirt = &editing->libvirt;
	struct error error;
	if (editing->options.spec.heap == DOMAIN_HEAP_UNSET ||
		editing->change.state != DOMAIN_OFF ||
		guest_heap_fit_file(libvirt->manager, libvirt->name, &error) == 0) {
		return CLI_DONE;
	}
	return cli_fail(CLI_FAILED, "%s is changed, but %s", libvirt->name, error.text);
}

static int apply(struct editing *editing) {
	struct domain_change *change = &editing->change;
	struct cli_libvirt *libvirt = &editing->libvirt;
	bool same = change->diff[0] == '\0', apply = editing->options.apply;
	int status = apply ? domain_make_door_key(&editing->options) : CLI_DONE;
	if (status != CLI_DONE) {
		return status;
	}
	if (apply && !same) {
		struct error error;
		int failure = domain_change_commit(change, libvirt->manager, libvirt->name, &error);
		if (failure < 0) {
			return cli_libvirt_fail(libvirt, failure, &error);
		}
	}
	status = apply ? fit_heap(editing) : CLI_DONE;
	if (status != CLI_DONE) {
		return status;
	}
	if (editing->cli->json) {
		print_json(editing, apply && !same);
	} else if (same) {
		printf("%s is like this already\n", libvirt->name);
	} else if (!apply) {
		printf("nothing was changed: --apply does it, and with --expect %016" PRIx64
		       " only if nobody else changes %s meanwhile\n",
			change->token, libvirt->name);
	} else {
		printf("changed %s%s\n", libvirt->name,
			change->state == DOMAIN_OFF
				? ""
				: ", which runs: it counts from its next start on");
	}
	return CLI_DONE;
}

static void editing_finish(struct editing *editing) {
	domain_change_finish(&editing->change);
	cli_libvirt_finish(&editing->libvirt);
	domain_options_finish(&editing->options);
	for (size_t i = 0; i < editing->infos_count; i++) {
		domain_info_finish(&editing->infos[i]);
	}
	free(editing->infos);
	free(editing->peers);
}

int cli_domain_edit(struct cli *cli) {
	struct editing editing = {.cli = cli, .libvirt.uri = cli_libvirt_uri(cli)};
	int status = domain_options_read(&editing.options, cli);
	status = status == CLI_DONE ? cli_check_args(cli, 1, 1) : status;
	if (status == CLI_DONE) {
		status = cli_libvirt_init(&editing.libvirt, cli, cli->args[0], false);
	}
	status = status == CLI_DONE ? prepare(&editing) : status;
	status = status == CLI_DONE ? show(&editing) : status;
	status = status == CLI_DONE ? apply(&editing) : status;
	editing_finish(&editing);
	return status;
}
