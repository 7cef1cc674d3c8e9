/* SPDX-License-Identifier: MIT */
/*
 * The socket by which the commands of tasks submit tasks, wait for them, and tell
 * how far they are.
 *
 * A command has no credential, and need not know the store: its flowrractl asks
 * the executor, as a handler in a module does, and flowrrad has the store. The
 * address, which a command finds in its environment, names the executor's
 * socket and a token of the task: who shows it speaks for this task, until the
 * task ends.
 *
 * The protocol: the client sends the token and "\n", then requests, each a line,
 * and each is answered, in order, with a line (task_request.h).
 *
 * Each connection has a thread, since to ask is to wait for flowrrad.
 */
#ifndef EXECUTOR_TASK_SOCKET_H
#define EXECUTOR_TASK_SOCKET_H

struct err;
struct flowrra_task;
struct task_env;
struct task_sockets;

/* Opens nothing yet; `env` is borrowed, and complete once a task runs. NULL when
 * memory runs out. */
struct task_sockets *task_sockets_new(const struct task_env *env);
/* Ends all connections; submits_close() was called before. */
void task_sockets_free(struct task_sockets *s);

/* The task has ended: its token is of no use any more. Any thread. */
void task_sockets_drop(struct task_sockets *s, const struct flowrra_task *t);

#endif
