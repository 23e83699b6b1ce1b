/* input-device NAME: a keyboard that hangs on nothing, as one of uinput does, so that udev knows no
 * path for it. Prints "ready", and takes it away when its standard input ends. */
#include <fcntl.h>
#include <linux/uinput.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char *argv[]) {
	struct uinput_setup setup = {.id = {BUS_VIRTUAL, 0x1234, 0x5678, 1}};
	int fd = open("/dev/uinput", O_WRONLY | O_CLOEXEC);
	if (argc != 2 || fd < 0) {
		perror("input-device");
		return 1;
	}
	strncpy(setup.name, argv[1], sizeof(setup.name) - 1);
	/* What udev takes for a keyboard has the whole first row and some more. */
	int failed = ioctl(fd, UI_SET_EVBIT, EV_KEY);
	for (int key = KEY_ESC; key <= KEY_F10; key++) {
		failed |= ioctl(fd, UI_SET_KEYBIT, key);
	}
	failed |= ioctl(fd, UI_DEV_SETUP, &setup);
	failed |= ioctl(fd, UI_DEV_CREATE);
	if (failed) {
		perror("input-device");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	char end;
	while (read(STDIN_FILENO, &end, 1) > 0) {
	}
	return 0;
}
