/* SPDX-License-Identifier: MIT */
/*
 * The dispatcher: the whole of a worker, between broker, executors and backend.
 *
 * It claims tasks from the broker, assigns them to executors that have room,
 * stores what came of them in the backend, and only then settles the claims.
 * It starts its executors, replaces those that die, and notices tasks that run
 * past their time. It runs on one libevent loop and never blocks.
 */
#ifndef DISPATCH_DISPATCH_H
#define DISPATCH_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "pool/pool.h"

struct broker;
struct broker_options;
struct conf;
struct dispatch;
struct err;
struct event_base;
struct metrics_text;
struct results;
struct results_options;

struct dispatch_options {
	struct event_base *base;
	const struct conf *conf; /* borrowed until a reload replaced it */
	const char *worker;	 /* the worker's stable id */
	const char *token;	 /* of this process; both as in broker.h */
	const char *predecessor;
	const char *executor; /* path of flowrra-executor */
	const char *spool;    /* a file for results that cannot be stored */
	const char *const *queues; /* NULL-ended */
	struct pool_modules modules;
	/* Executors are up and the broker was reached for the first time. */
	void (*on_ready)(void *arg);
	/* A reload is over; `why` is NULL or says why all stays as it was. */
	void (*on_reloaded)(const struct err *why, void *arg);
	/* A command from outside wants what the signals do: dispatch_stop(),
	 * and dispatch_reload(). */
	void (*on_stop_command)(void *arg);
	void (*on_reload_command)(void *arg);
	/* There was nothing to do for [worker] idle_exit: others are to be told
	 * that this worker leaves, before it looks for the last time. If it is
	 * over, on_stop_command follows; else it stays. NULL: it never leaves. */
	void (*on_leaving)(bool leaving, void *arg);
	/* Nothing runs any more; free the dispatcher now. `why` is NULL after
	 * dispatch_stop(), else it says why the worker cannot go on. */
	void (*on_stopped)(const struct err *why, void *arg);
	void *arg;
	/* As in struct stores_options: NULL, but in tests. */
	struct broker *(*open_broker)(const struct broker_options *options,
				      struct err *err);
	struct results *(*open_results)(const struct results_options *options,
					struct err *err);
};

struct dispatch *dispatch_new(const struct dispatch_options *options,
			      struct err *err);
/* Kills what still runs. Claims that are not settled stay on record. */
void dispatch_free(struct dispatch *d);

/*
 * Loads other modules in new executors; the old ones finish what they run.
 * `conf` takes the old one's place if it succeeds (then the caller may free the
 * old one in on_reloaded). Returns -1 if a reload is under way already or the
 * dispatcher stops.
 */
int dispatch_reload(struct dispatch *d, const struct conf *conf,
		    const struct pool_modules *modules, struct err *err);

/* A reload has ended, here or before it came here; its description says so. */
void dispatch_note_reload(struct dispatch *d, const struct err *why);

/*
 * Stops: claims nothing more, puts back what has not started, lets running
 * tasks finish within [worker] stop_timeout, then kills and puts back the rest.
 * The second call does not wait for them.
 */
void dispatch_stop(struct dispatch *d);

/* Writes the families of metrics that a worker has; does not end the text. */
void dispatch_write_metrics(const struct dispatch *d, struct metrics_text *m);

/* A line for people: what is running and waiting to be stored. */
void dispatch_status(const struct dispatch *d, char *text, size_t size);

#endif
