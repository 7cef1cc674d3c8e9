/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: due schedules become tasks in their queues.
 *
 * Any number of schedulers work on one database (schedules/schedules.h says
 * how a fire is enqueued exactly once). Each sleeps until the next fire is due,
 * is woken by changes, and looks for fires that another one has claimed and not
 * sent. While the broker is out of reach nothing is claimed: another scheduler
 * may reach it, and if none does, each schedule's misfire policy says what
 * becomes of the fires.
 *
 * Not thread-safe: the loop's thread owns it. Calls of the database block the
 * loop for as long as they take, at most some seconds.
 */
#ifndef BEAT_BEAT_H
#define BEAT_BEAT_H

#include <stddef.h>

struct beat;
struct broker;
struct broker_options;
struct conf;
struct err;
struct event_base;
struct metrics_text;
struct results;
struct results_options;

struct beat_options {
	struct event_base *base;
	const struct conf *conf; /* borrowed, until beat_reload() */
	const char *id;		 /* no other running scheduler has it */
	/* Broker and database have been reached; called once. */
	void (*on_ready)(void *arg);
	/* It has ended: as it was told to (NULL), or since it cannot go on. */
	void (*on_stopped)(const struct err *why, void *arg);
	void *arg;
	/* What opens the stores; NULL: broker_open() and results_open(). Tests
	 * hand in stores of their own. */
	struct broker *(*open_broker)(const struct broker_options *options,
				      struct err *err);
	struct results *(*open_results)(const struct results_options *options,
					struct err *err);
};

/* Nothing need be in reach yet. NULL with *err if the configuration is wrong.
 */
struct beat *beat_new(const struct beat_options *options, struct err *err);
void beat_free(struct beat *b);

/* Ends when what is under way has been sent and marked. */
void beat_stop(struct beat *b);

/* Goes on with another configuration, which is borrowed as the first one was.
 * Reads the time zones again, and computes again what depends on them. */
void beat_reload(struct beat *b, const struct conf *conf);

/* Names of all stores that it uses, to compare and for people; as stores_names(),
 * and [CONF_STORE_SCHEDULES]. */
int beat_store_names(const struct conf *conf, char *names[], struct err *err);

/* Writes the families of metrics that a scheduler has; does not end the text. */
void beat_write_metrics(const struct beat *b, struct metrics_text *m);

/* One line for people. */
void beat_status(const struct beat *b, char *text, size_t size);

#endif
