#ifndef TESTS_HOST_KERNEL_MODEL_STATE_H
#define TESTS_HOST_KERNEL_MODEL_STATE_H

#include <stdatomic.h>

#include "kernel_model.h"

/* The inside of a kernel_model: what its files share. */

enum {
	DEVICES_MAX = 64,
	PARTS_MAX = 8,
	PROCESSES_MAX = 32,
	TEXT = 64,
	FAULTS_MAX = 4,
	LOG_MAX = 65536,
};

struct model_device {
	char address[TEXT];
	char native[TEXT]; /* the driver that would bind it by its ids, or "" */
	char driver[TEXT];
	char override[TEXT];
	char methods[TEXT]; /* by which it can be reset */
	char reset[TEXT]; /* by which it is */
	int group;
	int bridge; /* the one that it is right behind; -1 */
	char control[TEXT]; /* of a port: "auto", may sleep, or "on"; else "" */
	bool removed;
	bool pulled; /* and nothing finds it again */
	bool fragile, dead; /* kernel_model_break() */
	char cure[TEXT];
	bool locked, held;
	bool trapped; /* kernel_model_trap() */
	enum step_kind trap;
	struct fault trap_fault;
	/* What completes when the lock is let go. */
	bool pending;
	enum step_kind pending_kind;
	char pending_driver[TEXT];
};

/* A platform device of the firmware. */
struct model_platform {
	char name[TEXT];
	char driver[TEXT];
};

struct model_framebuffer {
	char name[TEXT];
	int device, platform; /* whose it is; the other is -1 */
};

struct model_unit {
	char name[TEXT];
	bool active;
};

struct shared {
	struct model_device devices[DEVICES_MAX];
	size_t count;
	struct model_platform platforms[PARTS_MAX];
	size_t platforms_count;
	struct model_framebuffer framebuffers[PARTS_MAX];
	size_t framebuffers_count;
	struct model_unit units[PARTS_MAX];
	size_t units_count;
	char console[TEXT]; /* "vtcon1", the one of framebuffers; "" */
	bool console_bound;
	char autoprobe[TEXT];
	char mem_sleep[TEXT];
	char alarm[TEXT];
	int ended[PROCESSES_MAX];
	size_t ended_count;
	char inhibited[TEXT];
	/* Futexes: processes that wait, and are killed while they do. */
	_Atomic uint32_t news, releases, expiries;
	bool takes_time; /* kernel_model_take_time() */
	bool vfio_loaded;
	bool confined; /* kernel_model_confine() */
	unsigned operations;
	struct fault faults[FAULTS_MAX];
	bool spent[FAULTS_MAX];
	size_t faults_count;
	char log[LOG_MAX];
};

struct kernel_model {
	struct tree base;
	struct memory_tree *memory;
	struct shared *shared;
	void (*hangs)(const char *sentence);
	int deadline; /* of the worker that this is, or that comes next; -1 */
};

void model_set_text(char to[TEXT], const char *from);
struct model_device *model_find(struct kernel_model *model, const char *address, size_t length);
/* kernel_model_hang.c. Blocks in `what` until kernel_model_release(). */
void model_wait(struct kernel_model *model, const char *what);
/* The same, if somebody hangs with the device. */
void model_wait_for_lock(
	struct kernel_model *model, const struct model_device *device, const char *what);
/* Hangs in a step with the device's lock held; with `stuck` nothing ends the process before the
 * release. `device` may be NULL. */
void model_hang_locked(struct kernel_model *model, struct model_device *device,
	const struct step *step, bool stuck);
bool model_same_bus(const struct model_device *a, const struct model_device *b);
bool model_has_console(const struct shared *shared);

/* One operation with its fault: 0 or an errno. `device` may be NULL. */
int model_operate(struct kernel_model *model, struct model_device *device, const struct step *step);

/* The tree's readers, kernel_model_read.c. */
ssize_t model_read(struct tree *base, const char *path, void *data, size_t size);
ssize_t model_read_link(struct tree *base, const char *path, char *data, size_t size);
int model_list(struct tree *base, const char *path, struct strings *names);
/* The device that ".../ADDRESS/LEAF" is about, or NULL. */
struct model_device *model_device_of(
	struct kernel_model *model, const char *path, const char *leaf);
/* The port that ".../ADDRESS/power/control" is about, or NULL. */
struct model_device *model_port_of(struct kernel_model *model, const char *path);

/* The tree's writer, kernel_model_write.c; what is asked of the kernel beside its tree is in
 * kernel_model_calls.c. */
int model_write(struct tree *base, const char *path, const char *text);

/* What operations do, kernel_model_rules.c: 0 or the errno that the kernel would refuse with, and
 * the doing. `device` may be NULL. */
int model_judge(
	const struct shared *shared, const struct model_device *device, const struct step *step);
void model_apply(struct shared *shared, struct model_device *device, const struct step *step);

#endif
