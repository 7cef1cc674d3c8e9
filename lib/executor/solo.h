/* SPDX-License-Identifier: MIT */
/*
 * An executor in a thread of this process, with flowrrad's side of the channel
 * in the caller's hands: a handler runs as on a worker, but with no worker, no
 * store and no other process.
 *
 * One at a time in a process. The caller's thread does all that is below.
 */
#ifndef EXECUTOR_SOLO_H
#define EXECUTOR_SOLO_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc/ipc.h"

struct err;
struct flowrra_module;
struct solo;

struct solo_options {
	const char *path;		  /* the module's file … */
	const struct flowrra_module *own; /* … or one of this program */
	const json_t *config; /* for it: objects by module; borrowed, or NULL */
	uint32_t max_result;
};

/* Loads the module. NULL with *err: ERR_CONFIG if it is refused. */
struct solo *solo_open(const struct solo_options *o, struct err *err);
/* Calls the module's fini. If a handler has not ended it leaves all as it is,
 * since that handler still uses it. */
void solo_close(struct solo *s);

/* What the module's tasks are: READY's list (ipc.h), borrowed. */
const json_t *solo_tasks(const struct solo *s);

/* What the handler tells meanwhile; each may be NULL. */
struct solo_hooks {
	void (*on_log)(uint32_t level, struct slice text, void *arg);
	void (*on_progress)(struct slice json, void *arg);
	/* A task that it submits. 0, or an enum err_code with the message for
	 * the handler in `answer`. NULL: all are accepted. */
	int32_t (*on_submit)(struct slice json, struct buf *answer, void *arg);
	/* A task that it waits for: 0 with the record in `answer`, or an enum
	 * err_code with why there is none. NULL: there are none. */
	int32_t (*on_await)(struct slice id, struct buf *answer, void *arg);
	void *arg;
};

struct solo_task {
	const char *id; /* NULL: a new one */
	const char *name;
	const char *args;   /* JSON; NULL: [] */
	const char *kwargs; /* JSON; NULL: {} */
	uint32_t attempt;   /* 1 for the first */
	int64_t timeout_us; /* < 0: the task's own; 0: none */
	/* When it is told to end; < 0: never. Not before it has run for
	 * IPC_STARTED_AFTER_MS: what has not begun cannot be told. */
	int64_t cancel_after_us;
	int64_t give_up_us; /* ERR_TIMEOUT after it; 0: never */
	struct solo_hooks hooks;
};

/* Whether args and kwargs are what they have to be; ERR_DATA if not. */
int solo_check_task(const struct solo_task *t, struct err *err);

struct solo_end {
	struct ipc_done done;
	char *text; /* the result's JSON, or the error; free() it */
	/* What a worker would do next, with no configuration. */
	uint32_t max_attempts; /* in all; 0: without limit */
	int64_t retry_us; /* the delay before the next; -1: there is none */
};

/*
 * Runs one task to its end. -1 with *err: ERR_NOT_FOUND if the module does not
 * have it, ERR_TIMEOUT if the handler has not ended, and then nothing but
 * solo_close() is left to do.
 */
int solo_run(struct solo *s, const struct solo_task *t, struct solo_end *ret,
	     struct err *err);

#endif
