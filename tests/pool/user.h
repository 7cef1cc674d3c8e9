/* SPDX-License-Identifier: MIT */
/*
 * The user of a pool, as its tests need it: it notes what the pool tells.
 *
 * Nothing here sleeps: a test runs the loop until something has happened, and
 * fails if that takes longer than USER_WAIT_MS.
 */
#ifndef TESTS_POOL_USER_H
#define TESTS_POOL_USER_H

#include <check.h>
#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/task.h"
#include "ipc/ipc.h"
#include "pool/executor_process.h"
#include "pool/pool.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"

#define USER_JOBS 64
/* What a test waits for comes within some ms, or, on a machine that is busy
 * with other things, within a second or two. */
#define USER_WAIT_MS 10000

/* A job, and what became of it. */
struct run {
	struct pool_job job;
	struct task task;
	char *args;
	bool started, done, returned;
	unsigned int ends; /* calls of on_exit */
	unsigned int
	    back_as; /* the first job that came back has 1, and so on */
	enum pool_fate fate;
	struct executor_exit how;
	struct ipc_done end;
	char text[256]; /* result or error, or why it crashed */
	unsigned int progresses, logs, prints, submits;
	int level;	 /* of the last log message */
	char said[4096]; /* the last of what it told, logged or printed */
	uint32_t request;
	pid_t asker;
};

struct user {
	struct event_base *base;
	struct pool *pool;
	struct run runs[USER_JOBS];
	unsigned int back;
	bool ready;
	unsigned int reloads, changes, silents;
	struct err reload_err;
};

/* A configuration for 2 threads, 2 asynchronous jobs and 1 cpu executor. */
extern const struct conf_executor user_conf;

/* Opens a pool on these executors and modules (NULL-ended); does not wait. */
struct user *user_open(const char *executor, const struct conf_executor *conf,
		       const char *const *modules);
/* The same with fake executors, which take `step` at their start (NULL: just
 * come up). user_fake_up() waits until the first is up. */
struct user *user_fake(const struct conf_executor *conf, const char *step);
struct user *user_fake_up(const struct conf_executor *conf, const char *step);
void user_close(struct user *u);

/* Runs one turn of the loop, 10 ms at most. */
void user_turn(struct event_base *base);
/* Turns the loop until no event is left that is due by now. */
void user_settle(struct event_base *base);

#define USER_UNTIL(base, condition)                                            \
	do {                                                                   \
		int64_t until_ = clock_mono_ms() + USER_WAIT_MS;               \
		while (!(condition)) {                                         \
			ck_assert_msg(clock_mono_ms() < until_, "%s",          \
				      "not within 10 s: " #condition);         \
			user_turn(base);                                       \
		}                                                              \
	} while (0)
#define WAIT(u, condition) USER_UNTIL((u)->base, condition)

/* Gives the pool its job number `i`, from 0; it must have room. */
struct run *user_run(struct user *u, unsigned int i, enum pool_kind kind,
		     const char *name, const char *args);
/* The same for a fake executor: what it does for the job, step by step. */
struct run *user_steps(struct user *u, unsigned int i, enum pool_kind kind,
		       const char *const *steps);
#define STEPS(u, i, kind, ...)                                                 \
	user_steps(u, i, kind, (const char *const[]){__VA_ARGS__, NULL})
/* Runs many short jobs, one by one, as number `i`, so that an executor gets more
 * jobs at a time than it can run. */
void user_short_jobs(struct user *u, unsigned int i, enum pool_kind kind);

/* Waits until the first jobs have been lost with their executors, each once, and
 * compares how: the fates are those of the jobs from number 0 on. */
void user_fates(struct user *u, const enum pool_fate *fates, size_t n);
#define FATES(u, ...)                                                          \
	user_fates(u, (const enum pool_fate[]){__VA_ARGS__},                   \
		   sizeof((const enum pool_fate[]){__VA_ARGS__}) /             \
		       sizeof(enum pool_fate))

/* The n-th executor of this kind, from 0; pid 0 if there is none. */
pid_t user_executor(const struct user *u, const char *kind, unsigned int n);
unsigned int user_executors(const struct user *u, const char *kind);
/* Starts one more executor for jobs of this kind, and waits until it is up. */
void user_add(struct user *u, enum pool_kind kind);
void user_add_cpu(struct user *u);
/* Whether the process behind a pidfd has ended. */
bool user_has_ended(int pidfd);

#endif
