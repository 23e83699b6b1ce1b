#include <stdlib.h>

#include "base/must.h"
#include "base/words.h"
#include "doctor/examine.h"

/* The words of /sys/power/mem_sleep: "deep" is ACPI's S3, "s2idle" leaves everything powered
 * (Documentation/admin-guide/pm/sleep-states.rst). */
void examine_sleep(struct diagnoses *diagnoses, struct tree *tree) {
	char *modes = tree_text(tree, "/sys/power/mem_sleep");
	if (modes && words_contain(modes, "deep", " []\n")) {
		diagnoses_add(diagnoses, DIAGNOSIS_GOOD, "suspend",
			must_copy("The machine can suspend to memory (S3), which resets a graphics "
				  "card when nothing else does."),
			NULL);
	} else if (modes) {
		diagnoses_add(diagnoses, DIAGNOSIS_HINT, "suspend",
			must_copy("The machine cannot suspend to memory (S3): a graphics card that "
				  "hangs comes back only when the machine is started anew."),
			must_copy("Look for \"Sleep State\" in the firmware's set-up, and choose "
				  "\"Linux\" or \"S3\" where it is there."));
	}
	free(modes);
}

void examine_keyboard(struct diagnoses *diagnoses, const struct machine *machine) {
	if (machine->ps2_keyboard) {
		diagnoses_add(diagnoses, DIAGNOSIS_GOOD, "keyboard",
			must_copy("There is a PS/2 keyboard, which stays with the host whatever "
				  "USB controllers go."),
			NULL);
		return;
	}
	unsigned controllers = 0;
	for (size_t i = 0; i < machine->devices_count; i++) {
		for (size_t k = 0; k < machine->devices[i].holders_count; k++) {
			if (machine->devices[i].holders[k].kind == HOLDER_INPUT) {
				controllers++;
				break;
			}
		}
	}
	if (controllers == 1) {
		diagnoses_add(diagnoses, DIAGNOSIS_HINT, "keyboard",
			must_copy("All keyboards and mice are behind one USB controller and none "
				  "is PS/2: while no controller VM runs, the survival guard keeps "
				  "that one with the host."),
			must_copy("To work at the host while a VM has that controller, plug a "
				  "second keyboard into another one, or have another way in, such "
				  "as ssh."));
	}
}
