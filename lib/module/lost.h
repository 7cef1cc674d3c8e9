/* SPDX-License-Identifier: MIT */
/*
 * What the shipped module exec needs of an executor beyond flowrra/module.h.
 *
 * Like the functions of that header it is the executor's own; modules of others
 * are not promised that it is there.
 */
#ifndef MODULE_LOST_H
#define MODULE_LOST_H

struct flowrra_task;

/*
 * Ends the task, or the attempt of a blocking handler, as flowrra_fail() does:
 * what ran it outside of the executor has died, it is not known by whose doing,
 * and the task runs no more for certain. It is tried again, alone and
 * uncounted; if that was alone already, it was the task's doing. Returns -1.
 */
int flowrra_task_lost(struct flowrra_task *task, const char *why);

#endif
