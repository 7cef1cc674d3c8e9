/* SPDX-License-Identifier: MIT */
/*
 * What the shipped module exec needs of an executor beyond flowrra/module.h: signals
 * that a person sends to the command of a task.
 *
 * Like the functions of that header these are the executor's own; modules of others
 * are not promised that they are there.
 */
#ifndef MODULE_SIGNALLED_H
#define MODULE_SIGNALLED_H

struct flowrra_task;

/* Of an asynchronous task, in its start function: called on the loop for each, until
 * the task ends. */
void flowrra_task_on_signal(struct flowrra_task *task,
			    void (*fn)(struct flowrra_task *task, int sig));
/* Of a blocking one: the last signal that has come since the last call; 0: none. */
int flowrra_task_take_signal(struct flowrra_task *task);

#endif
