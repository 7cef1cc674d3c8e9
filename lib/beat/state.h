/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the scheduler share: the state, and what the other files do
 * with it. Calls go down only, from beat.c to turn.c, work.c, decide.c and
 * renew.c; the outbox and the lookup know nothing of it and call back. For
 * lib/beat only.
 */
#ifndef BEAT_STATE_H
#define BEAT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "beat/beat.h"
#include "beat/flow_form.h"
#include "beat/plan.h"
#include "beat/task.h"
#include "cron/tz.h"
#include "schedules/schedules.h"
#include "util/buf.h"

struct broker;
struct event;
struct lookup;
struct outage;
struct outbox;
struct replace;
struct results;
struct rule;
struct schedule_verdict;
struct schedules_fires;

/* Schedules that are claimed at a time. A trade: more of them share the cost of
 * a commit, and other schedulers wait for the rows until then. */
#define CLAIM_MAX 1000

#define NEVER INT64_MAX

/* When a server that has to be asked is out of reach, the schedule is due again
 * after this time: otherwise it would be claimed in a circle. Within the 5 s
 * that a fire may be late and is not missed (PLAN_ON_TIME_US), so that the fire
 * is tried twice before its misfire policy applies. */
#define DECIDE_POSTPONE_US INT64_C(2000000)

/* The life of a scheduler; it only goes on. X(NAME, name) */
#define BEAT_PHASES(X)                                                         \
	X(STARTING, starting) /* broker or database were never reached */      \
	X(RUNNING, running)                                                    \
	X(STOPPING, stopping) /* what is being sent is waited for */           \
	X(STOPPED, stopped)   /* the owner knows; no turn begins any more */

enum beat_phase {
#define X(NAME, name) BEAT_##NAME,
	BEAT_PHASES(X)
#undef X
};

/*
 * A store or the database, as it was when it was last tried. UNREACHED and LOST
 * have had their warning: the next failure is not logged. They differ for the
 * database, whose errors are final as long as it was never reached: they are
 * mistakes of the configuration, mostly. X(NAME, name)
 */
#define BEAT_REACHES(X)                                                        \
	X(UNTRIED, untried)                                                    \
	X(UNREACHED, unreached)                                                \
	X(UP, reachable)                                                       \
	X(LOST, lost)

enum beat_reach {
#define X(NAME, name) REACH_##NAME,
	BEAT_REACHES(X)
#undef X
};

/* What is known of what is due. */
enum beat_due {
	DUE_UNKNOWN, /* ask the database before sleeping */
	DUE_KNOWN,   /* next_due_us is the first */
	DUE_MORE     /* probably something, at once: claim without asking */
};

struct beat {
	struct beat_options opt;
	struct schedules *db;
	struct broker *broker;
	struct results *results;
	struct lookup *lookup;
	struct outage *outage;
	struct outbox *outbox;
	struct replace *replace;
	bool one_store; /* queues and results live in the same one */
	int64_t started_us;

	/* The loop: `turn` does what there is to do, and then arms the others.
	 */
	struct event *turn, *tick, *due, *change;
	int due_fd;

	enum beat_phase phase;
	enum beat_reach broker_reach, results_reach, db_reach;

	/* Of the monotonic clock; NEVER: not at all. */
	struct {
		int64_t retry; /* nothing is done before */
		int64_t pause; /* nothing is claimed before */
		int64_t look;  /* for fires that are not sent */
		int64_t beat, prune, poll, check, zones;
		int64_t lacks; /* for zones that this machine lacked */
	} at;
	int64_t backoff_us, pause_us;

	/* The last schedule whose old fires were thinned out. */
	char thinned[SCHEDULE_ID_MAX + 1];

	enum beat_due due_state;
	int64_t next_due_us; /* of the wall clock */
	bool look_all;	     /* at.look: for the young ones, too */

	struct tz_set *zones;
	char tz_data[TZ_VERSION_SIZE];
	bool rezone;	  /* next runs of other data are to be computed again */
	struct buf lacks; /* zones without data, see struct schedules_claim */

	struct {
		/* Of the wall clock, ahead of the boot's; and when that was last
		 * otherwise, by the boot's. */
		int64_t ahead_us, set_us;
		int64_t off_us; /* ahead of the database's; 0: they agree */
		bool compared;	/* since it was set, and over … */
		unsigned int connection;
	} clock;
	/* The pass over all schedules for next runs that are too far away. */
	struct {
		bool active;
		char after[SCHEDULE_ID_MAX + 1];
		int64_t pruned_us; /* schedules_pruned() */
		size_t pulled;
	} renew;

	/* Of the schedule in hand; and later, if it waits. */
	struct plan plan, later;
	struct flow_form flow; /* if it begins workflows */
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
/* The next phase, which the log shows. */
void beat_enter(struct beat *b, enum beat_phase phase);
/* It is over: tells the owner. */
void beat_end(struct beat *b, const struct err *why);
/* A store, or the database, was tried; true: the log has not heard of it. */
bool beat_reached(enum beat_reach *reach, bool up);
/* Something has changed: when the next one is due is asked again. */
void beat_forget_due(struct beat *b);
/* Fires that were not sent are looked for `in_us` from now. */
void beat_look_in(struct beat *b, int64_t in_us);

/* --- work.c ------------------------------------------------------------ */

/* Does what there is to do at `mono`. Fails when the database does; what was
 * not done is done in the next turn. */
int work_turn(struct beat *b, int64_t mono, struct err *err);
/* Whether fires of the outbox may be sent. While a store is away another
 * scheduler may reach it. */
bool work_may_send(const struct beat *b);
/* Whether fires may be claimed: only if they can be sent at once, it seems. */
bool work_may_claim(const struct beat *b);
/* Whether answers will begin the next turn. */
bool work_under_way(const struct beat *b);

/* --- decide.c ---------------------------------------------------------- */

/* Claims what is due; the caller knows that the database is reachable. */
struct decided {
	size_t n;		       /* schedules */
	struct schedules_fires *fires; /* to be sent */
};
int decide_due(struct beat *b, struct decided *ret, struct err *err);
/* The rule of a schedule in hand; or a verdict without it. */
enum decide_rule {
	DECIDE_RULE_READ,
	DECIDE_RULE_WRONG, /* verdict: set aside, until somebody edits it */
	DECIDE_RULE_UNREADABLE, /* verdict: tried again soon */
	DECIDE_RULE_LACKING	/* no verdict: others may have its zone */
};
enum decide_rule decide_rule(struct beat *b, const struct schedule *s,
			     struct rule *ret, struct schedule_verdict *v);

/* --- renew.c ----------------------------------------------------------- */

/* All schedules are to be looked at, for next runs that are further away than
 * their rules allow; from the first on. */
void renew_begin(struct beat *b);
/* A piece of that. */
int renew_turn(struct beat *b, struct err *err);
/* Reads the time zones again. */
int renew_zones(struct beat *b, struct err *err);
/* Computes the next runs again that were computed with other data. */
int renew_zoned(struct beat *b, struct err *err);

/* --- lacks.c ----------------------------------------------------------- */

/* The zones whose schedules are left out of claims. */
const char *lacks_text(const struct beat *b);
/* This machine has no data of a zone. False: there are too many such. */
bool lacks_add(struct beat *b, struct slice zone, const struct err *why);
/* Looks for the data again, now and then. */
void lacks_look(struct beat *b, int64_t mono);

/* --- watch.c ----------------------------------------------------------- */

void watch_init(struct beat *b);
/* The wall clock, as it was when it was last looked at; whatever somebody sets
 * it to meanwhile. */
int64_t watch_now_us(const struct beat *b);
/* The same by the database's clock, as far as it is known. */
int64_t watch_true_us(const struct beat *b);
/* Whether the clock was set. */
void watch_look(struct beat *b);
/* Compares it with the database's, if that was not done since it was set and
 * over this connection, which is made if there is none; else it costs nothing. */
int watch_compare(struct beat *b, struct err *err);
/* Whether it is right, and has been for so long that it is believed for good. */
bool watch_is_steady(const struct beat *b);

#endif
