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

/* Takes a SUBMITTED message: wakes the handler that waits for it. */
void submits_answer(struct submits *s, const struct ipc_message *m);

#endif
