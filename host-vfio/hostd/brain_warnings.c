#include "hostd/brain-impl.h"

#include <syslog.h>

#include "policy/decide.h"

void brain_warn(struct brain *brain) {
	const struct daemon *daemon = brain->daemon;
	static const struct strings none;
	struct decisions decisions;
	decide(&decisions, &daemon->policy, &daemon->known, &daemon->machine, &none);
	for (size_t i = 0; i < decisions.warnings.count; i++) {
		if (!strings_contain(&brain->warned, decisions.warnings.items[i])) {
			say(LOG_WARNING, "the policy: %s", decisions.warnings.items[i]);
		}
	}
	strings_finish(&brain->warned);
	brain->warned = decisions.warnings;
	decisions.warnings = (struct strings){0};
	decisions_finish(&decisions);
}
