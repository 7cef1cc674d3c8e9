/* SPDX-License-Identifier: MIT */
/*
 * Drives a real flowrra-executor over its socket, as flowrrad does. All waiting
 * has a deadline, after which the test fails.
 */
#ifndef TESTS_EXECUTOR_DRIVER_H
#define TESTS_EXECUTOR_DRIVER_H

#include <sys/types.h>

#include "ipc/ipc.h"

struct driver {
	struct ipc_channel channel;
	int crash_fd;
	pid_t pid;
	char *ready; /* READY's JSON */
};

/* Starts an executor with these modules: names, divided by spaces, of files
 * below tests/modules, or "demo". */
void driver_start(struct driver *d, unsigned int threads, const char *modules);
/* Only starts the process: no INIT, no READY. */
void driver_spawn(struct driver *d);
void driver_init(struct driver *d, unsigned int threads, const char *modules);
/* STOP; expects status 0. */
void driver_stop(struct driver *d);
/* Kills it, and waits. */
void driver_kill(struct driver *d);

/* Lets go of an executor that has ended by itself. */
void driver_done(struct driver *d);

/* Appends RUN; driver_flush() sends. */
struct driver_task {
	uint32_t number;
	const char *name;
	const char *args;   /* NULL: [] */
	const char *kwargs; /* NULL: {} */
	int64_t timeout_us;
	unsigned int attempt; /* 0: 1 */
};
void driver_put(struct driver *d, const struct driver_task *t);
void driver_flush(struct driver *d);
/* Both, for a task without much. */
void driver_run(struct driver *d, uint32_t number, const char *name,
		const char *args);
/* Sends a message that consists of its header only. */
void driver_send(struct driver *d, enum ipc_type type, uint32_t number);

/* The next message; the test fails if none comes. */
struct ipc_message driver_next(struct driver *d);
/* The next message that is not STARTED, which must be of this type. */
struct ipc_message driver_expect(struct driver *d, enum ipc_type type);

/* The end of a task, which must be the next but STARTED. */
struct driver_end {
	uint32_t number;
	struct ipc_done done;
	char text[4096];
};
struct driver_end driver_end(struct driver *d);

/* Waits for the process' end; its status as of waitpid(). */
int driver_wait(struct driver *d);
/* What it wrote before; -1 words if nothing. */
int driver_last_words(struct driver *d, struct ipc_last_words *ret);

/* "BUILD_DIR/…", good until the next call. */
const char *driver_path(const char *relative);

#endif
