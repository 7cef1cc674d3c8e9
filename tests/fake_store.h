/* SPDX-License-Identifier: MIT */
/*
 * A broker and a backend in memory, for tests of what uses them: nothing is
 * claimed that the test does not put in, every fault comes on demand, and what
 * was asked of them stands in a journal.
 *
 * There is one at a time; its openers take the places of broker_open() and
 * results_open(). All callbacks come from the loop, as the contracts say.
 */
#ifndef TESTS_FAKE_STORE_H
#define TESTS_FAKE_STORE_H

#include "store/admin.h"
#include "store/broker.h"
#include "store/results.h"

#define FAKE_QUEUES 32

struct fake_store {
	struct event_base *base;
	/*
	 * What was asked, in its order, each with "; " behind it: "running",
	 * "retrying", "success", "failed" (records, as they are stored), "ack",
	 * "retry", "release", "dead", "set aside" (claims, as they are settled), "submit",
	 * "deregister".
	 */
	struct buf journal;
	struct buf last_record; /* the last record that was stored */
	struct buf last_info; /* of the last claim that went to the dead list */
	struct buf last_dead; /* its id, "" if it has none */
	struct buf heartbeat; /* the last one */
	unsigned int wanted[FAKE_QUEUES];
	bool empty[FAKE_QUEUES]; /* it is known to hold nothing */
	unsigned int registered; /* task types */
	/* "ID@QUEUE; " of each task that was submitted, queued or not. */
	struct buf submitted;
	unsigned int n_submitted;
	unsigned int heartbeats, registrations; /* how many */
	unsigned int tidied; /* how often, and the limits of the last time: */
	struct broker_limits limits;
	/* The last of each kind; what its slices point to may be gone, but for
	 * the bytes that are kept here. */
	struct results_put last_put;
	struct broker_settle last_settle;
	struct buf last_retry; /* its bytes for a retry, or when set aside */
	struct broker_submit last_submit;
	struct buf last_task;  /* its bytes */
	struct buf last_event; /* of those that results_event() published … */
	enum results_detail last_detail;
	unsigned int events; /* … and how many there were */
	/* "QUEUE/TASK WHAT+N; " of each that results_measure() was given, and
	 * how often it was called. */
	struct buf measured;
	unsigned int measurings;
	/* Faults. */
	bool hold_records; /* no record is confirmed, until it is false again */
	bool hold_lossy;   /* none that may be lost is … */
	bool hold_gets;	   /* no results_get() is answered … */
	bool claiming;	   /* claims are under way: the broker is not idle */
	unsigned int heard; /* kinds of events that somebody listens to */
	bool hold_claims;   /* no settlement is confirmed … */
	bool unsure;	    /* the claims may be another worker's */
	enum results_answer answer;   /* to each record */
	struct broker_claim *doubted; /* by broker_doubt(), last */
	struct err get_err;	/* results_get() fails, if it has a code */
	struct err submit_err;	/* submissions fail, if it has a code … */
	const char *full_queue; /* … to this queue; NULL: to all */
	struct err create_err;	/* no record can be made, if it has a code */
	struct err value_err; /* broker_registered() fails, if it has a code */
	bool hold_submits;    /* no submission is answered … */
	bool hold_values;     /* no broker_registered() is answered … */
	bool hold_measures;   /* no results_measure() is answered … */
	struct err measure_err;	  /* it fails, if it has a code */
	const char *served;	  /* what broker_served() finds; NULL: nobody */
	struct buf last_lane;	  /* of the last one that was set aside */
	const char *stored;	  /* what results_get() finds; NULL: nothing */
	const char *registration; /* what broker_registered() finds */
	/* What broker_view() finds at a place, one task; NULL: nothing, as after
	 * broker_remove() of it. How often it was asked. */
	const char *viewed;
	enum broker_location viewed_place;
	bool endless_view; /* there is always one more page */
	/* What was declared last, how often, and who waits for the answer. */
	struct broker_declaration declaration;
	unsigned int declarations;
	broker_declared_fn *on_declared;
	void *declared_arg;
	struct buf last_order; /* that was sent to the workers */
	unsigned int views;
	/* Called when a claim is about to be given to the worker. */
	void (*before_claim)(void);
	/* The fake's own. */
	struct broker_options broker;
	struct results_options results;
	struct pending_list puts, settles;
	struct fake_questions *questions; /* that are not answered */
	bool results_up;
};

void fake_store_init(struct fake_store *s, struct event_base *base);
void fake_store_done(struct fake_store *s);

struct broker *fake_broker_open(const struct broker_options *options,
				struct err *err);
struct results *fake_results_open(const struct results_options *options,
				  struct err *err);

/* Both come into reach, or go out of it. */
void fake_store_reach(struct fake_store *s, bool up);
/* The backend alone. */
void fake_results_reach(struct fake_store *s, bool up);
/* Either will never let us in again. */
void fake_broker_refuse(struct fake_store *s);
void fake_results_refuse(struct fake_store *s);
/* The worker is given a claim. */
void fake_store_claim(struct fake_store *s, unsigned int queue,
		      const char *task, bool recovered);
/* The worker is told that its claim number i, from 0, is another worker's. */
void fake_store_lose(struct fake_store *s, unsigned int i);
/* The same for a task of `whole` bytes, more than it takes. */
void fake_store_claim_sample(struct fake_store *s, const char *head,
			     const char *tail, size_t whole);
/* A message to workers. */
void fake_store_control(struct fake_store *s, const char *message);

/* Runs the loop until the condition is true; the test fails after 10 s. */
#define FAKE_WAIT(s, condition)                                                \
	do {                                                                   \
		int64_t until_ = clock_mono_ms() + 10000;                      \
		while (!(condition)) {                                         \
			ck_assert_msg(clock_mono_ms() < until_,                \
				      "not within 10 s: %s; journal: %s",      \
				      #condition, fake_store_journal(s));      \
			fake_store_turn(s);                                    \
		}                                                              \
	} while (0)
/* One turn of the loop, which waits for 10 ms at most. */
void fake_store_turn(struct fake_store *s);
const char *fake_store_journal(struct fake_store *s);
/* How many questions are not answered. */
unsigned int fake_store_unanswered(const struct fake_store *s);
bool fake_store_saw(struct fake_store *s, const char *entry);

#endif
