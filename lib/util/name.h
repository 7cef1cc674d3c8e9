/* SPDX-License-Identifier: MIT */
/*
 * Names of tasks and queues: the one rule for them, and the one message.
 *
 * It lies in lib/util because the configuration, the modules and the executor,
 * which know nothing of lib/core, have to obey it too.
 */
#ifndef UTIL_NAME_H
#define UTIL_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"
#include "util/err.h"

/* In bytes. Longer ones fit nowhere: these bound the records, the columns of
 * the databases, and buffers on the stack. */
#define NAME_TASK_MAX 200
#define NAME_QUEUE_MAX 128

/* The task that runs a command which nobody has declared: of flowrractl run
 * alone. Whatever else puts tasks into a queue refuses it, since it may do so for
 * others than the store's owner. And the queue that it is for. */
#define NAME_ADHOC "exec.run"
#define NAME_ADHOC_QUEUE "run"

/* 0, or -1 with *err (ERR_REFUSED) if a task of this name is none to submit. */
int name_check_submitted(const char *name, struct err *err);

/* Whether text is 1 to `max` bytes of [A-Za-z0-9_.-], whatever the locale. */
bool name_valid(struct slice text, size_t max);

/*
 * Checks a name; -1 with *err, of the given code, which quotes the name (up to
 * 64 bytes) and says what is allowed.
 */
int name_check_task(struct slice name, enum err_code code, struct err *err);
int name_check_queue(struct slice name, enum err_code code, struct err *err);

#endif
