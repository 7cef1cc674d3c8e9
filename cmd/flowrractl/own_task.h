/* SPDX-License-Identifier: MIT */
/*
 * The task that runs this command: its worker submits tasks for it, waits for them,
 * and is told how far the task is, with no credential of ours, and whatever store it
 * has. lib/executor/task_request.h describes the protocol.
 *
 * The functions mirror those of the client library, and report the same errors.
 */
#ifndef FLOWRRACTL_OWN_TASK_H
#define FLOWRRACTL_OWN_TASK_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct ctl;
struct err;
struct flowrra_record;
struct flowrra_request;
struct own_task;

/* Whether this is within a command that a task runs, and nothing names a store. */
bool own_task_is_there(const struct ctl *ctl);

/* Connects. NULL with *err. */
struct own_task *own_task_open(struct err *err);
void own_task_close(struct own_task *t);

/* The ID is the caller's to free; NULL with *err. */
char *own_task_submit(struct own_task *t, const struct flowrra_request *request,
		      struct err *err);
/* A record as it is. 0, or -1 with *err. */
int own_task_record(struct own_task *t, const char *id,
		    struct flowrra_record **ret, struct err *err);
/* Waits for the first of n tasks that ends, `timeout_s` at most (below 0: without
 * end); ids[*ret_which] is that, or the one for which waiting failed. */
int own_task_wait(struct own_task *t, const char *const *ids, size_t n,
		  double timeout_s, size_t *ret_which,
		  struct flowrra_record **ret, struct err *err);
/*
 * For who waits for a task by another way, because a store was named: has the worker
 * wait, too, until the connection is closed. If the store is its own, others get the
 * slot of this command meanwhile, and one of them may be that task. NULL: this is no
 * command of a task, or there is no worker; that is no failure.
 */
struct own_task *own_task_wait_aside(const char *id);
/* Takes the request: {"workflow": "begin", "flow": ID, …}. The answer, a new object
 * with the "state", if there is one; NULL with *err. */
json_t *own_task_workflow(struct own_task *t, json_t *request, struct err *err);
/* Takes the value. */
int own_task_progress(struct own_task *t, json_t *value, struct err *err);

/* The worker is gone, or does not let us ask any more. */
bool own_task_is_lost(const struct own_task *t);

#endif
