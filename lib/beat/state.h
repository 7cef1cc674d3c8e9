/* SPDX-License-Identifier: MIT */
/* What the parts of the scheduler share. For lib/beat only. */
#ifndef BEAT_STATE_H
#define BEAT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "beat/beat.h"
#include "beat/plan.h"
#include "beat/task.h"
#include "cron/tz.h"
#include "schedules/schedules.h"
#include "util/buf.h"

struct batch;
struct broker;
struct event;
struct lookup;
struct results;

/* Fires that somebody has claimed and not marked for so long are sent by
 * whoever sees them. */
#define OLD_US INT64_C(2000000)
/* How long the broker remembers that it has a fire's task: longer than fires
 * are left unmarked by a machine that is switched off over a weekend. */
#define UNIQUE_S (3 * 86400)
/* Schedules that are claimed at a time, and fires looked for; and batches that
 * are sent before any is marked, which can wait while there is more to send. */
#define CLAIM_MAX 1000
#define UNSENT_MAX 10000
#define SENT_MAX 16

#define NEVER INT64_MAX

struct beat {
	struct beat_options opt;
	struct schedules *db;
	struct broker *broker;
	struct results *results;
	struct lookup *lookup;
	bool one_store; /* queues and results live in the same one */
	int64_t started_us;

	/* The loop: `turn` does what there is to do, and then arms the others.
	 */
	struct event *turn, *tick, *due, *change;
	int due_fd;

	bool broker_up, broker_missed, results_missed;
	bool reached, missed; /* the database */
	bool announced, stopping, stopped;
	bool sending, asking; /* under way: no turn begins before its end */

	/* Of the monotonic clock; NEVER: not at all. */
	struct {
		int64_t retry; /* nothing is done before */
		int64_t pause; /* nothing is claimed before */
		int64_t look;  /* for fires that are not sent */
		int64_t beat, prune, poll, check, zones;
	} at;
	int64_t backoff_us, pause_us;

	int64_t next_due_us; /* of the wall clock */
	bool next_known;
	bool claim_more; /* there may be more that is due */
	bool claimed;	 /* the last claim found something */
	bool look_all;	 /* the young ones, too */

	struct tz_set *zones;
	char tz_data[TZ_VERSION_SIZE];
	bool rezone; /* next runs of other data are to be computed anew */

	struct batch *batch; /* being sent */
	struct batch *sent;  /* to be marked, the latest first */
	unsigned int n_sent;

	struct plan plan; /* of the schedule in hand */
	struct buf text;
	int64_t now_us;	      /* of the claim under way */
	int64_t first_due_us; /* of what was claimed on time; NEVER */

	/* Figures. */
	int64_t fires, lag_us, max_lag_us, max_before_us, max_since_us;
};

/* --- turn.c ------------------------------------------------------------ */

/* Makes the events of the loop, and frees them. */
int turn_init(struct beat *b, struct err *err);
void turn_done(struct beat *b);
/* Wakes the loop. */
void beat_turn(struct beat *b);
/* It is over: tells the owner. */
void beat_end(struct beat *b, const struct err *why);

/* --- decide.c ---------------------------------------------------------- */

/* Claims what is due. *ret_fires: what is to be sent, or NULL. */
int decide_due(struct beat *b, struct schedules_fires **ret_fires,
	       struct err *err);
/* Reads the time zones anew. */
int decide_zones(struct beat *b, struct err *err);
/* Computes the next runs anew that were computed with other data. */
int decide_rezone(struct beat *b, struct err *err);

/* --- send.c ------------------------------------------------------------ */

/* Puts fires into their queues; owns them from now on. With `young` those that
 * were claimed a moment ago, too. False: none of them is to be sent. */
bool send_fires(struct beat *b, struct schedules_fires *fires, bool young,
		int64_t first_due_us);
/* Marks all that was sent. */
int send_mark(struct beat *b, struct err *err);
void send_drop(struct beat *b);

#endif
