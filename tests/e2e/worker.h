/* SPDX-License-Identifier: MIT */
/* Workers of a world: flowrrad processes, what they say, their executors. */
#ifndef TESTS_E2E_WORKER_H
#define TESTS_E2E_WORKER_H

#include "e2e/world.h"

struct worker;

/*
 * Starts a worker with a shell command (NULL: WORLD_COMMAND), which should
 * exec, and waits until it says READY=1. The first of a world that runs is its
 * worker_of().
 */
struct worker *worker_start(struct world *w, const char *command);
/* Does not wait. */
struct worker *worker_spawn(struct world *w, const char *command);
struct worker *worker_of(const struct world *w);
pid_t worker_pid(const struct worker *k);

void worker_signal(struct worker *k, int sig);
/* Waits for its end; the exit status, or 128 + the signal. */
int worker_end(struct worker *k);
/* SIGTERM, and it must end with 0. */
void worker_stop(struct worker *k);
/* SIGKILL, and waits. */
void worker_kill(struct worker *k);
/* A worker that has ended is started again, with the same command. */
void worker_restart(struct worker *k);

/*
 * Waits for a message to the service manager in which `text` is, and which was
 * not looked at before; returns it.
 */
const char *worker_notified(struct worker *k, const char *text);
/* Drops the messages that were not looked at, of which there may be ten: what
 * a worker wants to say beyond them is lost, or said later. */
void worker_forget_notified(struct worker *k);
/* Whether there is no room for one more message. */
bool worker_notified_in_vain(struct worker *k);

/* Whether it has logged this. */
bool worker_logged(struct worker *k, const char *text);
const char *worker_log(struct worker *k);

/* Its children; cpu executors are those that were started after the first. */
#define CHILDREN_MAX 64
size_t children_of(pid_t pid, pid_t children[CHILDREN_MAX]);
/* The only child: the io executor. */
pid_t worker_executor(struct worker *k);
/* The process is gone, or a zombie. */
bool is_gone(pid_t pid);
size_t count_descriptors(pid_t pid);
/* Private memory in KiB. */
long private_kib(pid_t pid);

#endif
