/* SPDX-License-Identifier: MIT */
/*
 * The watch: whether executors, and their event loops, still answer.
 *
 * Those that have jobs are asked once a turn (WATCH_MS). One that does not
 * answer gets no more jobs and is named after a few turns, and killed after
 * [executor] stuck_grace. Turns are counted and not time, so that a worker, or a
 * machine, that was frozen itself holds that against no executor.
 */
#ifndef POOL_WATCH_H
#define POOL_WATCH_H

struct err;
struct executor;
struct ipc_message;
struct pool;
struct pool_job;

/* A second: the unit of stuck_grace, and rare enough to cost nothing. */
#define WATCH_MS 1000

int watch_open(struct pool *p, struct err *err);
void watch_close(struct pool *p);
/* An executor was given a job: it turns until none has any. */
void watch_start(struct pool *p);
/* PONG. */
void watch_heard(struct pool *p, struct executor *e,
		 const struct ipc_message *m);
/* The job whose handler keeps the loop of `e` from turning; NULL: not known. */
struct pool_job *watch_blocker(const struct pool *p, const struct executor *e);
/* For how many seconds it, or its loop, has not answered. */
unsigned int watch_silent_s(const struct executor *e);

#endif
