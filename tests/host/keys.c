/*
 * A keyboard and a mouse that exist in the kernel alone (uinput), and ears for input devices.
 *
 * keys make: makes them, says "KEYBOARD MOUSE" (their nodes), and does what each line says:
 *   CODE... presses these keys, by the numbers of linux/input-event-codes.h, and releases them all;
 *   move X moves the mouse, click presses its button; grabbed | free waits until somebody has taken
 *   both devices for himself, or nobody has; each is answered with "done". They are gone at the end
 *   of standard input.
 * keys hear NODE LAST: says "ready", then each key that is pressed and each way ("key CODE",
 *   "move X"), until the key LAST.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/uinput.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { KEYS = 128, CHORD = 8, POLL_US = 10000 };

struct device {
	int fd;
	char node[64];
	int reader; /* the node, opened to ask who has it */
};

static void ask(int fd, unsigned long request, unsigned long value) {
	if (ioctl(fd, request, value) < 0) {
		err(1, "uinput");
	}
}

/* "eventN" below the device's directory in sysfs. */
static void find_node(struct device *device) {
	char name[32], command[128];
	if (ioctl(device->fd, UI_GET_SYSNAME(sizeof(name)), name) < 0) {
		err(1, "uinput");
	}
	snprintf(command, sizeof(command), "ls -d /sys/devices/virtual/input/%s/event*", name);
	FILE *list = popen(command, "r");
	char line[128] = "";
	if (!list || !fgets(line, sizeof(line), list)) {
		errx(1, "%s has no node", name);
	}
	pclose(list);
	line[strcspn(line, "\n")] = '\0';
	snprintf(device->node, sizeof(device->node), "/dev/input%s", strrchr(line, '/'));
}

static struct device make(const char *name, bool mouse) {
	struct device device = {.fd = open("/dev/uinput", O_RDWR | O_CLOEXEC)};
	if (device.fd < 0) {
		err(1, "/dev/uinput");
	}
	struct uinput_setup setup = {.id = {.bustype = BUS_USB, .vendor = 1, .product = mouse}};
	snprintf(setup.name, sizeof(setup.name), "%s", name);
	ask(device.fd, UI_SET_EVBIT, EV_KEY);
	for (unsigned i = 1; i < KEYS && !mouse; i++) {
		ask(device.fd, UI_SET_KEYBIT, i);
	}
	if (mouse) {
		ask(device.fd, UI_SET_KEYBIT, BTN_LEFT);
		ask(device.fd, UI_SET_EVBIT, EV_REL);
		ask(device.fd, UI_SET_RELBIT, REL_X);
		ask(device.fd, UI_SET_RELBIT, REL_Y);
	}
	if (ioctl(device.fd, UI_DEV_SETUP, &setup) < 0) {
		err(1, "uinput");
	}
	ask(device.fd, UI_DEV_CREATE, 0);
	find_node(&device);
	while ((device.reader = open(device.node, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
		if (errno != ENOENT) {
			err(1, "%s", device.node);
		}
		usleep(POLL_US); /* devtmpfs is a moment behind sysfs */
	}
	return device;
}

static void emit(const struct device *device, int type, int code, int value) {
	const struct input_event events[] = {
		{.type = (unsigned short)type, .code = (unsigned short)code, .value = value},
		{.type = EV_SYN, .code = SYN_REPORT},
	};
	if (write(device->fd, events, sizeof(events)) != sizeof(events)) {
		err(1, "%s", device->node);
	}
}

static void type_chord(const struct device *keyboard, char *line) {
	int codes[CHORD];
	size_t count = 0;
	for (char *word; (word = strsep(&line, " ")) != NULL && count < CHORD;) {
		codes[count++] = atoi(word);
	}
	for (size_t i = 0; i < count; i++) {
		emit(keyboard, EV_KEY, codes[i], 1);
	}
	while (count > 0) {
		emit(keyboard, EV_KEY, codes[--count], 0);
	}
}

/* The kernel tells nobody of it. */
static void wait_for_grab(const struct device *device, bool wanted) {
	for (;;) {
		bool grabbed = ioctl(device->reader, EVIOCGRAB, 1) < 0 && errno == EBUSY;
		if (!grabbed) {
			ioctl(device->reader, EVIOCGRAB, 0);
		}
		if (grabbed == wanted) {
			return;
		}
		usleep(POLL_US);
	}
}

static void act(const struct device *keyboard, const struct device *mouse, char *line) {
	int way;
	if (strcmp(line, "grabbed") == 0 || strcmp(line, "free") == 0) {
		wait_for_grab(keyboard, line[0] == 'g');
		wait_for_grab(mouse, line[0] == 'g');
	} else if (sscanf(line, "move %d", &way) == 1) {
		emit(mouse, EV_REL, REL_X, way);
	} else if (strcmp(line, "click") == 0) {
		emit(mouse, EV_KEY, BTN_LEFT, 1);
		emit(mouse, EV_KEY, BTN_LEFT, 0);
	} else {
		type_chord(keyboard, line);
	}
	puts("done");
}

static int make_both(void) {
	struct device keyboard = make("Portal test keyboard", false);
	struct device mouse = make("Portal test mouse", true);
	printf("%s %s\n", keyboard.node, mouse.node);
	char line[128];
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		act(&keyboard, &mouse, line);
	}
	return 0;
}

static int hear(const char *node, int last) {
	int fd = open(node, O_RDONLY | O_CLOEXEC);
	struct input_event event;
	if (fd < 0) {
		err(1, "%s", node);
	}
	puts("ready");
	while (read(fd, &event, sizeof(event)) == sizeof(event)) {
		if (event.type == EV_REL && event.code == REL_X) {
			printf("move %d\n", event.value);
		} else if (event.type == EV_KEY && event.value == 1) {
			printf("key %u\n", event.code);
		}
		if (event.type == EV_KEY && event.code == last && event.value == 0) {
			return 0;
		}
	}
	err(1, "%s", node);
}

int main(int argc, char *argv[]) {
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && strcmp(argv[1], "make") == 0) {
		return make_both();
	}
	if (argc == 4 && strcmp(argv[1], "hear") == 0) {
		return hear(argv[2], atoi(argv[3]));
	}
	errx(2, "usage: keys make | keys hear NODE LAST");
}
