#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "setup/generator.h"

/* libvirt's <input type='evdev'> opens its device to QEMU (owner, cgroup, /dev of its own) for as
 * long as the VM runs, so that nothing has to be said in qemu.conf. What it does need is a path
 * that stays. */

/* Behind 60-input-id.rules, which tell keyboards from mice. */
#define RULES "/etc/udev/rules.d/70-portal-inputs.rules"

static char *path_of(const struct evdev *input) {
	return input->stable
		       ? must_copy(input->stable)
		       : must_print("/dev/input/by-id/portal-%04x-%04x-%04x-event-%s", input->bus,
				 input->vendor, input->product, input->keyboard ? "kbd" : "mouse");
}

/* A link for a device that udev gives none, which it has by what it says of itself. */
static void print_rule(const struct evdev *input, FILE *file) {
	char *path = path_of(input);
	fprintf(file,
		"ACTION!=\"remove\", SUBSYSTEM==\"input\", KERNEL==\"event*\", "
		"ATTRS{id/bustype}==\"%04x\", ATTRS{id/vendor}==\"%04x\", "
		"ATTRS{id/product}==\"%04x\", ",
		input->bus, input->vendor, input->product);
	/* Of a strange name the ids have to do. */
	if (!strpbrk(input->name, "\"\\*?[|\n")) {
		fprintf(file, "ATTRS{name}==\"%s\", ", input->name);
	}
	fprintf(file, "ENV{ID_INPUT_%s}==\"1\", SYMLINK+=\"%s\"\n",
		input->keyboard ? "KEYBOARD" : "MOUSE", path + strlen("/dev/"));
	free(path);
}

static void print_note(const struct generator *generator, struct text *note) {
	fputs("Add these devices to the VM's definition (virsh edit), below <devices>:\n",
		note->stream);
	for (size_t i = 0; i < generator->options->inputs_count; i++) {
		const struct evdev *input = generator->options->inputs[i];
		char *path = path_of(input);
		/* One keyboard takes all other devices along. */
		fprintf(note->stream, "  <input type='evdev'><source dev='%s'%s/></input>\n", path,
			input->keyboard ? " grab='all' grabToggle='ctrl-ctrl' repeat='on'" : "");
		free(path);
	}
	fputs("Both Ctrl keys pressed together take keyboard and mouse to the VM and back; it\n"
	      "begins with the VM. A device that is unplugged comes back to the VM only when the\n"
	      "VM is started anew. Do not give the VM the USB controller they are plugged into.",
		note->stream);
}

int generate_inputs(struct generator *generator) {
	struct text rules, note;
	bool needed = false;
	int status = 0;
	if (generator->options->inputs_count == 0) {
		return 0;
	}
	text_init(&rules);
	fputs("# Written by portal-host setup; portal-host setup --undo takes it back.\n",
		rules.stream);
	for (size_t i = 0; i < generator->options->inputs_count; i++) {
		const struct evdev *input = generator->options->inputs[i];
		if (!input->stable) {
			needed = true;
			print_rule(input, rules.stream);
		}
	}
	char *content = text_take(&rules);
	if (needed) {
		status = generator_put(generator, RULES, content, 0644);
		strings_add(&generator->plan->commands,
			"udevadm control --reload && udevadm trigger --subsystem-match=input");
	}
	free(content);
	text_init(&note);
	print_note(generator, &note);
	strings_take(&generator->plan->notes, text_take(&note));
	return status;
}
