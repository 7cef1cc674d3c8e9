/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend, as its own files see it.
 *
 *	results.c	opening, closing, reading one record; whose a message is
 *	ask.c		requests, and their answers
 *	listener.c	the connection for subscriptions
 *	records.c	stores records of tasks that run or have run
 *	finals.c	final records that the server has to look for, together
 *	index.c		notes which tasks have ended
 *	examine.c	what its user may not do
 *	list.c		lists and counts those
 *	measure.c	counts of minutes, hours, and all there was
 *	pending.c	pending records
 *	watch.c		waits for records
 *	reply.c		final records that travel to their producer
 *	echo.c		says once more that a record is final
 *	events.c	task events, published and listened to
 *
 * Calls go down: results.c calls all of them, they call ask.c and listener.c.
 */
#ifndef STORE_REDIS_RESULTS_H
#define STORE_REDIS_RESULTS_H

#include "redis/outbox.h"
#include "redis/redis.h"
#include "redis/request.h"
#include "redis/url.h"
#include "store/redis/arg.h"
#include "store/results.h"
#include "store/watches.h"

struct rresults;
struct timer;
struct rtopic;

/* Tasks that have ended in this turn of the loop, in one way: noted together
 * when it ends (index.c). */
struct ended {
	struct buf ids; /* each with a NUL behind */
	unsigned int n;
};

/* A final record that waits for the end of the turn, and whom to tell of the
 * answer (finals.c). */
struct rfinal {
	const struct results_put *put;
	redis_reply_fn *on_reply;
	void *arg;
};
#define RFINALS_MAX 32 /* in one call: it takes the server some 100 us */

struct rresults {
	struct results pub;
	struct results_options opt;
	struct redis_url url;
	char *url_name;
	bool cluster;	      /* each key is on the node that has its slot */
	struct redis *redis;  /* commands */
	struct outbox outbox; /* records that must be kept */
	bool full;	      /* the server refused one as full */
	struct redis_script store;   /* how it goes to one that is not */
	struct redis_script measure; /* the same of counts */
	struct {
		struct rfinal due[RFINALS_MAX];
		unsigned int n;
		size_t bytes;
		size_t alone;		    /* sent in a call of their own */
		struct event *turn_is_over; /* they are sent */
	} finals;
	struct buf key; /* of the record that is being sent */
	struct redis_requests *requests;

	int64_t elsewhere_ms; /* when it was said (pending.c); monotonic */

	size_t missing; /* rights of the user, by the last answer (examine.c) */

	struct ended ended[2];	  /* succeeded, failed */
	struct event *note_timer; /* they are noted */
	bool hurry;		  /* at once */

	/* Channels on which it was said, in this period and in the one before
	 * (echo.c). */
	struct {
		struct ended said[2];
		unsigned int period;	   /* the index of this one */
		unsigned int periods_each; /* left with a question for each */
		struct event *timer;	   /* NULL: nothing was said yet */
	} echo;

	struct redis *listener; /* subscriptions; made by the first of them */
	/* What the listener hears; set when the backend is opened. */
	struct {
		void (*on_message)(struct rresults *r, struct slice channel,
				   struct slice payload);
		/* It hears nothing for now, or may not: each time it has
		 * tried. */
		void (*on_down)(struct rresults *r, const struct err *why);
		/* It will never be let in again. */
		void (*on_refused)(struct rresults *r, const struct err *why);
	} heard;
	struct watches watches; /* of struct rtopic */
	struct results_ear ear; /* on_event is NULL: it does not listen */
	bool listening;		/* the subscription to events has stood */
	bool told_deaf;		/* why it has not */

	char *reply_channel; /* made by the first who asks for the address */
	bool reply_ready;
	TAILQ_HEAD(, rtopic) awaited; /* the one that came first first */
	struct event *reply_timeout;  /* the first of them is watched instead */

	struct event
	    *subscriber_check; /* asks now and then who listens to events */
	unsigned int heard_of; /* kinds of events: bits */
	struct {
		size_t due; /* answers; each node knows its own listeners */
		unsigned int heard_of;
		bool failed;
	} check;
	int64_t expected_ms[RESULTS_DETAILS]; /* until when; monotonic */
	/* Brief events that wait for others. */
	struct {
		struct buf lines;
		struct timer *due;
		int64_t sent_ms; /* the last ones; monotonic */
	} brief;
};

/* --- ask.c ------------------------------------------------------------- */

/* A request for one task, or for none. */
struct rresults_request {
	struct redis_request request; /* that it begins with */
	struct rresults *results;
	union {
		results_record_fn *on_record;
		results_counts_fn *on_counts;
		results_findings_fn *on_findings;
	};
	void *arg;
	size_t index; /* of the record in its batch */
};

/* Makes one whose reply goes to `on_reply`, which frees it. NULL when memory
 * runs out. */
struct rresults_request *
rresults_request_new(struct rresults *r, redis_request_fn *on_reply, void *arg);
/* The same for one answer; NULL, and on_record has been told, if there is no
 * memory for it. */
struct rresults_request *rresults_request_record(struct results *results,
						 redis_request_fn *on_reply,
						 results_record_fn *on_record,
						 void *arg);
/* Send a command, or a script. With no server, the reply is NULL and comes from
 * the loop. */
void rresults_command(struct redis_request *request, struct redis_args argv);
void rresults_eval(struct redis_request *request,
		   const struct redis_script *script, struct redis_args keys,
		   struct redis_args args);

/* The record in the answer to a GET. */
struct slice rresults_record(const struct redis_reply *reply);

/* --- records.c --------------------------------------------------------- */

void rresults_put(struct results *results, struct results_put *put);
size_t rresults_unconfirmed(const struct results *results);
extern const struct outbox_ops rresults_records;

/* --- finals.c ---------------------------------------------------------- */

int rfinals_open(struct rresults *r, struct err *err);
void rfinals_close(struct rresults *r);
/* Sends one when the turn is over; the answer is 1, 0 or -1 (store.lua). -1:
 * there is no memory for now. */
int rfinals_add(struct rresults *r, struct rfinal final);
/* Sends at once what waits for that: before a question that may be about it. */
int rfinals_flush(struct rresults *r);

/* --- records.c --------------------------------------------------------- */

/* Whether the server can look for the mark of the claim that it follows from. */
static inline bool
rresults_is_fenced(const struct rresults *r, const struct results_put *put)
{
	return put->claim != NULL && !r->cluster;
}

/* --- index.c ----------------------------------------------------------- */

int rresults_index_open(struct rresults *r, struct err *err);
void rresults_index_close(struct rresults *r);
/* A final record is stored: the note of it leaves when the turn ends. */
void rresults_index(struct rresults *r, const struct results_put *put);
/* Sends what is noted with what is sent in this turn. */
void rresults_index_flush(struct rresults *r);
void rresults_index_hurry(struct results *results);

/* --- list.c ------------------------------------------------------------ */

void rresults_list(struct results *results, bool failed, struct slice cursor,
		   unsigned int n, results_page_fn *on_page, void *arg);
void rresults_counts(struct results *results, results_counts_fn *on_counts,
		     void *arg);

/* --- measure.c ---------------------------------------------------------- */

void rresults_measure(struct results *results, int64_t at_s,
		      const struct measure *measures, size_t n,
		      results_measured_fn *on_done, void *arg);
void rresults_measures(struct results *results, enum measure_step step,
		       int64_t at_s, results_measures_fn *on_measures,
		       void *arg);

/* --- examine.c --------------------------------------------------------- */

/* The connection is up: a worker hears what its user may not do. */
void rexamine_up(struct rresults *r);
void rresults_examine(struct results *results, results_findings_fn *on_findings,
		      void *arg);

/* --- pending.c ---------------------------------------------------------- */

void rresults_create(struct results *results, const struct slice *ids,
		     const struct slice *records, struct err *errs, size_t n,
		     results_created_fn *on_done, void *arg);
void rresults_forget(struct results *results, const struct slice *ids,
		     size_t n);
void rresults_reopen(struct results *results, struct slice id,
		     struct slice record, results_record_fn *on_done,
		     void *arg);

/* --- watch.c ----------------------------------------------------------- */

void rresults_watches_init(struct rresults *r);
struct results_watch *rresults_watch(struct results *results, struct slice id,
				     results_record_fn *on_record, void *arg,
				     struct err *err);
struct results_watch *rresults_follow(struct results *results, struct slice id,
				      results_record_fn *on_record, void *arg,
				      struct err *err);
struct results_watch *rresults_await(struct results *results, struct slice id,
				     results_record_fn *on_record, void *arg,
				     struct err *err);
/* A task's final record came as a reply. */
void rresults_watches_reply(struct rresults *r, struct slice id,
			    struct slice record);
/* The connection for commands is up: asks again for what is watched. */
void rresults_watches_up(struct rresults *r);
/* The connection that listens hears nothing: asks for what is watched. */
void rresults_watches_down(struct rresults *r);
/* The connection that listens will never be let in again: all are told. */
void rresults_watches_refused(struct rresults *r, const struct err *why);
/* A message on a channel that may be that of a task. */
void rresults_watches_message(struct rresults *r, struct slice channel);
/* Frees what is left of them; the connections are closed already. */
void rresults_watches_free(struct rresults *r);

/* --- reply.c ----------------------------------------------------------- */

const char *rresults_reply_to(struct results *results);
/* Appends the channel of the one who awaits the final record, if there is one:
 * the script that stores it sends it there. */
void rresults_reply_channel(struct buf *out, const struct results_put *put);
/* A message on a channel: whether it was a reply, which was taken. */
bool rresults_reply_message(struct rresults *r, struct slice channel,
			    struct slice payload);
void rresults_reply_close(struct rresults *r);

/* --- echo.c ------------------------------------------------------------ */

/* A final record is stored: its channel hears of it again, a moment later, if
 * its task has no reply_to. */
void rresults_echo(struct rresults *r, const struct results_put *put);
void rresults_echo_close(struct rresults *r);

/* --- listener.c -------------------------------------------------------- */

/* Opens the connection for subscriptions, unless it is there. */
int rresults_open_listener(struct rresults *r, struct err *err);

/* --- events.c ---------------------------------------------------------- */

void rresults_event(struct results *results, enum results_detail detail,
		    struct slice event);
unsigned int rresults_heard(const struct results *results);
void rresults_expect(struct results *results, enum results_detail detail);
/* This process is about to end: brief events wait no longer. */
void rresults_events_hurry(struct rresults *r);
void rresults_events_close(struct rresults *r);
/* The connection that listens hears nothing: says so, once. */
void rresults_events_down(struct rresults *r, const struct err *why);
/* A message on a channel: whether it was an event, which was handed on. */
bool rresults_event_message(struct rresults *r, struct slice channel,
			    struct slice payload);
int rresults_listen(struct results *results, const struct results_ear *ear,
		    struct err *err);

#endif
