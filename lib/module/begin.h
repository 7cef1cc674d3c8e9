/* SPDX-License-Identifier: MIT */
/*
 * When the work of a task begins, for handlers that have to wait before it: for
 * modules of ours only. It is not in the module interface (flowrra/module.h),
 * where it would invite handlers to give back what they do not like, over and
 * over.
 */
#ifndef MODULE_BEGIN_H
#define MODULE_BEGIN_H

struct flowrra_task;

/*
 * The handler has not begun the task's work, since something was short: when
 * the task ends with flowrra_fail() it is given back and runs again, and the
 * attempt does not count. The caller must have waited for a while, or it is
 * called again at once. Any thread that may end the task may call it.
 */
void flowrra_task_unbegun(struct flowrra_task *task);

/*
 * The work begins only now: the task's time and timeout count from here. To be
 * called in the thread of its loop for an asynchronous task, and in the one that
 * runs it for any other.
 */
void flowrra_task_begins(struct flowrra_task *task);

#endif
