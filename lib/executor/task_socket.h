/* SPDX-License-Identifier: MIT */
/*
 * The socket by which the commands of tasks submit tasks.
 *
 * A command has no credential, and need not know the store: its flowrractl asks
 * the executor, as a handler in a module does, and flowrrad submits. The
 * address, which a command finds in its environment, names the executor's
 * socket and a token of the task: who shows it speaks for this task, until the
 * task ends.
 *
 * The protocol: the client sends the token and "\n", then requests, each a task
 * as one line of JSON with the members of task_options.def. Each is answered,
 * in order, with one line: {"id":ID}, or {"code":EXIT_STATUS,"error":TEXT}.
 *
 * Each connection has a thread, since to submit is to wait for flowrrad.
 */
#ifndef EXECUTOR_TASK_SOCKET_H
#define EXECUTOR_TASK_SOCKET_H

struct err;
struct flowrra_task;
struct submits;
struct task_sockets;

/* Opens nothing yet. NULL when memory runs out. */
struct task_sockets *task_sockets_new(struct submits *submits);
/* Ends all connections; submits_close() was called before. */
void task_sockets_free(struct task_sockets *s);

/* The task has ended: its token is of no use any more. Any thread. */
void task_sockets_drop(struct task_sockets *s, const struct flowrra_task *t);

#endif
