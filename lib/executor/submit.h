/* SPDX-License-Identifier: MIT */
/* Tasks that handlers submit: requests to flowrrad and its answers. */
#ifndef EXECUTOR_SUBMIT_H
#define EXECUTOR_SUBMIT_H

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
/* Answers all that wait, and all that come: nobody reads any more. */
void submits_close(struct submits *s);

/* Takes a SUBMITTED message: wakes the handler that waits for it. */
void submits_answer(struct submits *s, const struct ipc_message *m);

#endif
