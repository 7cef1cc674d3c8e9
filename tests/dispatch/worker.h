/* SPDX-License-Identifier: MIT */
/*
 * A worker, as the tests of the dispatcher need it: its stores are the fake
 * ones (fake_store.h), its executors do what the test says
 * (pool/fake_executor.h), or are real ones.
 *
 * Nothing here sleeps: a test runs the loop until something has happened, with
 * FAKE_WAIT() or one of the waits below.
 */
#ifndef TESTS_DISPATCH_WORKER_H
#define TESTS_DISPATCH_WORKER_H

#include <check.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/dispatch.h"
#include "dispatch/state.h"
#include "fake_store.h"
#include "util/clock.h"
#include "util/conf.h"

struct worker {
	struct event_base *base;
	struct fake_store store;
	struct conf *conf, *next_conf; /* next_conf: for a reload */
	struct dispatch *dispatch;
	char spool[64];
	unsigned int tasks; /* that the test has put in */
	bool ready, stopped;
	unsigned int reloads, stop_commands, reload_commands;
	struct err failure, reload_err;
};

/*
 * Opens the worker "test:main" of the queues io and cpu, with 2 threads and 1
 * cpu executor; waits for nothing. `settings` and `modules` are NULL-ended, and
 * NULL when there are none; with `real`, modules are paths, else steps of the
 * fake executor.
 */
struct worker_setup {
	const char *file;	     /* the configuration; NULL: none */
	const char *const *settings; /* "executor.cpu_workers=2" */
	const char *const *modules;
	const char *const *queues; /* NULL: "io" and "cpu" */
	bool real;
};
struct worker *worker_open(const struct worker_setup *setup);
/* Opens it, and waits until others can see it. */
struct worker *worker_begin(void);
struct worker *worker_begin_with(const char *setting);
/* The same with real executors, and the modules demo and hostile. */
struct worker *worker_begin_real(void);
void worker_up(struct worker *w);
void worker_end(struct worker *w);

/*
 * Puts a task in; its id is "t1", then "t2" and so on. `args` is a JSON array.
 * `more` are further members, each with a comma before it.
 */
void worker_claim(struct worker *w, const char *name, const char *args,
		  const char *more);
/* The same for one that does not say when it was submitted. */
void worker_claim_foreign(struct worker *w, const char *name, const char *args);
/* The same for one that was claimed before. */
void worker_recover(struct worker *w, const char *name, const char *args,
		    const char *more);
/* As worker_claim(), for a fake executor: the steps that it takes. */
void worker_steps(struct worker *w, const char *name, const char *more,
		  const char *const *steps);
#define STEPS(w, name, more, ...)                                              \
	worker_steps(w, name, more, (const char *const[]){__VA_ARGS__, NULL})
/* A task that runs until it is told to end. */
#define ENDLESS(w) STEPS(w, "job", "", "started")

void worker_cancel(struct worker *w, const char *id);
/* An order to this worker. */
void worker_command(struct worker *w, const char *order);
/* A timer of the dispatcher is due now, whatever it was set to. */
void worker_due(struct worker *w, struct event *timer);
/* Runs what is due by now, and waits for nothing. */
void worker_settle(struct worker *w);
/* The worker's only job, which must be there. */
struct job *worker_job(const struct worker *w);
/* How often the entry stands in the journal. */
unsigned int worker_count(struct worker *w, const char *entry);

/* What was logged since worker_log_begin(): standard error goes into a file. */
void worker_log_begin(void);
const char *worker_log(void);

#define WAIT_FOR(w, entry)                                                     \
	FAKE_WAIT(&(w)->store, fake_store_saw(&(w)->store, entry))

#define ck_in(buf, text)                                                       \
	ck_assert_msg((buf).data != NULL && strstr((buf).data, text) != NULL,  \
		      "%s", (buf).data)
#define ck_not_in(buf, text)                                                   \
	ck_assert_msg(strstr((buf).data, text) == NULL, "%s", (buf).data)
#define ck_record(w, text) ck_in((w)->store.last_record, text)
#define ck_journal(w, text)                                                    \
	ck_assert_str_eq(fake_store_journal(&(w)->store), text)

#endif
