/* SPDX-License-Identifier: MIT */
/* Tasks that handlers submit: requests to flowrrad and its answers. */
#ifndef EXECUTOR_SUBMIT_H
#define EXECUTOR_SUBMIT_H

#include <stdbool.h>

#include "ipc/ipc.h"

struct outbox;
struct submits;

/*
 * on_wait(arg) is called by a handler's thread before it waits for an answer:
 * from then on somebody else has to read. NULL when memory runs out.
 */
struct submits *submits_new(struct outbox *o, void (*on_wait)(void *arg),
			    void *arg);
void submits_free(struct submits *s);

/*
 * Submits a task (JSON with its id) for the task with the number `task`, and
 * waits for the answer, in a thread that is not the reader's. Returns its code
 * (enum err_code). `text`, empty before, is the caller's to free: the error's
 * message or, of a task that was queued, nothing, or the id of the task that
 * has its unique key.
 */
int32_t submits_ask(struct submits *s, uint32_t task, struct slice json,
		    struct buf *text);
/*
 * What a process outside of this one waits for: the end of one of several tasks,
 * or, with `now`, the record of the task as it is.
 */
struct submits_wait {
	uint32_t task; /* for which it asks */
	const char *const *ids;
	size_t n;
	int64_t timeout_us; /* less than 0: none */
	bool now;
	int fd; /* a socket: who asks is at its other end */
};
/* The first answer: that to ids[which]. The text, the caller's to free, is the record,
 * or, with a code other than ERR_NONE, why there is none. */
struct submits_answer {
	size_t which;
	int32_t code; /* enum err_code */
	struct buf text;
};
/* Waits, in a thread that is not the reader's. Returns -1 when the asker is gone. */
int submits_wait(struct submits *s, const struct submits_wait *wait,
		 struct submits_answer *ret);
/* Answers all that wait, and all that come: nobody reads any more. */
void submits_close(struct submits *s);

/* Takes a SUBMITTED message: wakes the handler that waits for it. */
void submits_answer(struct submits *s, const struct ipc_message *m);

#endif
