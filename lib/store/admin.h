/* SPDX-License-Identifier: MIT */
/*
 * The broker, for those who run it: what is in the queues, who works, and the
 * few things to be done about it. Part of the contract of broker.h, whose rules
 * hold: all calls return at once, callbacks come from the loop.
 *
 * Nothing here costs more time at the server than a few milliseconds a call,
 * however much waits there: long work comes in pages, and the caller asks for
 * the next one.
 *
 * What users type may come here unchecked: a queue that cannot be one (see
 * TASK_QUEUE_MAX) and a cursor that was made up are answered with ERR_DATA.
 */
#ifndef STORE_ADMIN_H
#define STORE_ADMIN_H

#include "core/limit.h"
#include "core/task.h"
#include "store/broker.h"

/* --- queues and workers ------------------------------------------------ */

/* A queue; times are of the wall clock, in microseconds, and 0 if there is
 * none. */
struct queue_stats {
	char name[TASK_QUEUE_MAX + 1];
	int64_t waiting, delayed, in_flight, dead; /* tasks */
	/* The submission of the task that has waited longest in its level; 0
	 * also where that task does not say when it was submitted. */
	int64_t oldest_us;
	int64_t next_due_us; /* when the first delayed task is due */
	bool paused;
	int64_t set_aside; /* of those that wait: in lanes (broker.h) */
	int64_t held;	   /* of those that wait: a limit holds them */
	/* Names of tasks, each with a NUL behind it, that workers met within the
	 * last minutes, and that no living worker of the queue has registered.
	 */
	struct slice unknown;
};
/* `queues` is NULL if err says why there is no answer; good until the callback
 * returns. So are the other answers below. */
typedef void broker_queues_fn(const struct queue_stats *queues, size_t n,
			      const struct err *err, void *arg);
/*
 * The state of one queue (an unknown one is empty, and stays unknown), or, with
 * an empty name, of all that a producer or a worker has named to this broker,
 * in the order of their names.
 */
void broker_queues(struct broker *b, struct slice queue,
		   broker_queues_fn *on_queues, void *arg);

struct worker_info {
	char name[TASK_ID_MAX + 1];
	bool alive;
	/* It is not alive, since it says nothing, but its process is: as long as
	 * that is there, no other worker takes its tasks over. Only where the
	 * store can tell (all its workers are on one machine). */
	bool frozen;
	int64_t in_flight; /* tasks */
	/* The last one that it gave with broker_heartbeat(), valid JSON; empty
	 * if there is none, or it has expired. */
	struct slice description;
};
typedef void broker_workers_fn(const struct worker_info *workers, size_t n,
			       const struct err *err, void *arg);
/* The workers that are on record, in the order of their names: all but those
 * that have deregistered. */
void broker_workers(struct broker *b, broker_workers_fn *on_workers, void *arg);

/* --- tasks ------------------------------------------------------------- */

/* Where a task can be. */
enum broker_location {
	BROKER_WAITING,
	BROKER_DELAYED,
	BROKER_IN_FLIGHT, /* of any worker */
	BROKER_DEAD
};

/* A queue in which there may be tasks. */
struct queue_found {
	char name[TASK_QUEUE_MAX + 1];
	/* DELAYED and DEAD: no task there has a later time_ms; 0: that is not
	 * known. */
	int64_t newest_ms;
};
typedef void broker_found_fn(const struct queue_found *found, size_t n,
			     const struct err *err, void *arg);
/*
 * The queues that may have tasks at a place, in the order of their names: all
 * that have any, and perhaps others. Those that living workers say they serve
 * are among them, whether they were named or not. Much cheaper than
 * broker_queues(); for those who look into them next.
 */
void broker_find(struct broker *b, enum broker_location place,
		 broker_found_fn *on_found, void *arg);

#define BROKER_PAGE_MAX 500
/* The end of the year 9999. No time that a store tells is later, or before 1970,
 * whatever is stored: in microseconds they fit, and so do their differences. */
#define BROKER_TIME_MAX_MS INT64_C(253402300799999)
/* The time at which a delayed task is due that waits for others. */
#define BROKER_HELD_MS BROKER_TIME_MAX_MS
struct broker_view {
	struct slice queue;
	enum broker_location place;
	struct slice cursor; /* empty: the first page; else `next` of the one
				before */
	unsigned int n;	     /* about how many; at most BROKER_PAGE_MAX */
	/* DELAYED and DEAD, where there is no cursor: only those with this
	 * time_ms or an earlier one, but for the first `skip` of them. 0: any. */
	int64_t until_ms;
	int64_t skip;
	/* DEAD: only the one with this key; empty: any. A key that none has is
	 * no error. */
	struct slice key;
};

struct broker_item {
	struct slice bytes; /* the task as it is there */
	int32_t priority;   /* WAITING */
	bool held;	    /* WAITING: a limit holds it … */
	struct slice limit; /* … of this scope (core/limit.h) */
	int64_t time_ms;    /* DELAYED: when it is due; DEAD: when it died; wall
			       clock */
	struct slice worker; /* IN_FLIGHT: who has it */
	struct slice key;    /* DEAD: its name in the dead list: its id, or one
				that was made up for it */
	struct slice info;   /* DEAD: why, the JSON object of BROKER_BURY */
};

/* All of it is good until the callback returns. */
struct broker_page {
	const struct broker_item *items;
	size_t n;
	struct slice next; /* empty: that was all */
};
/* `page` is NULL if err says why it cannot be told. */
typedef void broker_page_fn(const struct broker_page *page,
			    const struct err *err, void *arg);

/*
 * A page of tasks, the newest first (DELAYED: the last due first). Waiting ones
 * come level by level, the one that runs last first; those in flight worker by
 * worker. What moves while the pages are read may be missed, or come twice. A
 * page may be short, or empty, and yet have a next one. Nothing is changed.
 */
void broker_view(struct broker *b, const struct broker_view *view,
		 broker_page_fn *on_page, void *arg);

/* --- the server -------------------------------------------------------- */

/* A fault of the server, or of its settings. */
struct broker_finding {
	bool error;	    /* else a warning */
	const char *what;   /* in UTF-8, but for names of files */
	const char *remedy; /* what the operator can do */
};
struct broker_report {
	const char *server; /* "Redis 7.0.15" */
	int64_t clock_us;   /* its wall clock */
	/* Clients that wait for tasks the way workers of the Python package do. They
	 * ignore limits; the server does not say for which queue they wait. */
	int64_t foreign;
	const struct broker_finding *findings;
	size_t n;
};
typedef void broker_report_fn(const struct broker_report *report,
			      const struct err *err, void *arg);
/* Examines the server; nothing is changed. */
void broker_examine(struct broker *b, broker_report_fn *on_report, void *arg);

/* Whether a change would be accepted at this moment: an empty value, or why
 * not. Nothing is changed. */
void broker_try(struct broker *b, broker_value_fn *on_value, void *arg);

/* --- changes ----------------------------------------------------------- */

/*
 * Nothing more is claimed from a paused queue, by any worker, from the answer
 * on until it is resumed, however long that is. Submissions go on, delayed
 * tasks that become due wait with the others, and claims that were made before
 * (also those of a worker that died, or starts again) are settled as ever. The
 * value is empty.
 */
void broker_pause(struct broker *b, struct slice queue, bool paused,
		  broker_value_fn *on_value, void *arg);

/*
 * Takes up to `n` (at most BROKER_PAGE_MAX) waiting or delayed tasks out of a
 * queue, for good, and shows them; `next` is not empty if there may be more. A
 * key that makes a task unique outlives it, here and below.
 */
void broker_purge(struct broker *b, struct slice queue, unsigned int n,
		  broker_page_fn *on_page, void *arg);

/*
 * Takes one waiting or delayed task out of its queue, for good, and shows it. A
 * page without items: it is not there (any more). Where that cannot be found
 * out at once, `next` is the cursor to call again with.
 */
void broker_remove(struct broker *b, struct slice queue, struct slice id,
		   struct slice cursor, broker_page_fn *on_page, void *arg);

/*
 * Makes one delayed task due now, and shows it; its bytes and its priority stay.
 * Else as broker_remove(): a page without items and without `next` means that it
 * is not delayed (any more).
 */
void broker_hasten(struct broker *b, struct slice queue, struct slice id,
		   struct slice cursor, broker_page_fn *on_page, void *arg);

/*
 * Limits of a queue (core/limit.h): not more tasks of a scope are in flight at
 * once, whichever workers have them. A task that may not run yet is held, and not
 * in the way of those behind it; all that counts, shows and removes waiting tasks
 * sees it among those.
 *
 * A change counts from its answer on; what is in flight already goes on.
 */
struct broker_limit {
	struct limit_rule rule;
	int64_t running; /* tasks in flight; not known of LIMIT_EACH_GROUP: 0 */
	int64_t held;	 /* about how many it holds; of all its groups */
	/* Since when it holds one of these, about, by the wall clock; 0: none. */
	int64_t held_since_ms;
	/* The worker that declared the limit; empty: a command set it. And another
	 * worker that declared a different limit and has not declared this one since;
	 * empty: none. */
	struct slice declared_by, disputed_by;
};
/* `by`: where a task's group stands that has no field for it; empty: nowhere.
 * `limits` is NULL if err says why there is no answer. */
typedef void broker_limits_fn(const struct broker_limit *limits, size_t n,
			      struct slice by, const struct err *err,
			      void *arg);
/* In the order of their scopes. */
void broker_limits_get(struct broker *b, struct slice queue,
		       broker_limits_fn *on_limits, void *arg);

struct broker_limit_change {
	struct slice queue;
	struct limit_rule rule;
	bool unset; /* the rule of that scope goes */
	/* A path, or "-": it stands nowhere but in its field; empty: as it was. */
	struct slice by;
};
/* The value is empty if a rule that was to go was not there. ERR_FULL: the queue has
 * LIMIT_RULES_MAX. */
void broker_limits_change(struct broker *b,
			  const struct broker_limit_change *change,
			  broker_value_fn *on_value, void *arg);

/*
 * A default limit, from the configuration of a worker. It does not replace a limit
 * that a command has set, and does not restore one that a command has removed. A worker
 * that starts replaces the limit that any worker declared before.
 */
struct broker_declaration {
	struct slice queue;
	struct limit_rule rule;
	struct slice by;    /* a path; empty: none */
	const char *worker; /* whose it is */
	/* true: the worker starts, or has reloaded its configuration. false: it has
	 * reconnected to a store that may have lost the declaration. */
	bool anew;
	/* Puts into force what was declared for the scope last, and overrides
	 * commands. Of the rule, only the scope is read. */
	bool restores;
};
enum broker_declared_how {
	BROKER_DECLARED_SET,
	BROKER_DECLARED_SAME,	 /* as it was */
	BROKER_DECLARED_CHANGED, /* another one had been declared */
	BROKER_DECLARED_KEPT,	 /* a command has set another one */
	BROKER_DECLARED_GONE,	 /* a command has taken it away */
	BROKER_DECLARED_NONE	 /* restores: nothing was declared */
};
/* `worker` declared the limit before; empty: none did. ERR_FULL as for a change. */
typedef void broker_declared_fn(enum broker_declared_how how,
				struct slice worker, const struct err *err,
				void *arg);
void broker_limits_declare(struct broker *b,
			   const struct broker_declaration *declaration,
			   broker_declared_fn *on_declared, void *arg);

/*
 * Takes one waiting or delayed task out of its queue for another one, and shows it;
 * else as broker_remove(), and `next` of a page with the task is where one of its
 * queue that was submitted later, or is due earlier, may be found sooner. With this
 * answer the task is in the other queue, or on its way there: broker_deliver() brings
 * it in. There it waits behind those of its priority, or is delayed until the same
 * time. One that waits for others is refused (ERR_REFUSED).
 *
 * Whatever dies in between, the task is in one of the queues, or on its way, and never
 * in both. On its way nobody can claim it, but it counts as there (lost.h).
 */
struct broker_send_off {
	struct slice queue, id, to;
	struct slice cursor;
};
void broker_send_off(struct broker *b, const struct broker_send_off *s,
		     broker_page_fn *on_page, void *arg);
/*
 * Brings in tasks that are on their way from a queue, also those of a sender that is
 * gone; how many it were, at most BROKER_PAGE_MAX, is the value. "0": there were
 * none, and it may be empty then. Those that cannot be brought in stay where they are,
 * and are an error when there are no others. Several may call this at the same time,
 * and it may be called again after a lost answer. Housekeeping of workers does it, too.
 */
void broker_deliver(struct broker *b, struct slice queue,
		    broker_value_fn *on_value, void *arg);

/* One that is to leave the dead list. */
struct broker_requeue {
	struct slice key; /* as in struct broker_item */
	struct slice
	    retry_bytes;  /* the task that is put into the queue in its place,
			       in one step; empty: none, it is deleted */
	int32_t priority; /* of `retry_bytes` */
	bool found;	  /* the answer: it was there */
	struct err err;	  /* the answer; ERR_NONE: done, or not found */
};
typedef void broker_requeued_fn(struct broker_requeue *batch, size_t n,
				void *arg);
/* The batch (at most BROKER_PAGE_MAX) and what it points to stay until then. */
void broker_requeue(struct broker *b, struct slice queue,
		    struct broker_requeue *batch, size_t n,
		    broker_requeued_fn *on_done, void *arg);

/* One that comes from another dead list. */
struct broker_dead {
	struct slice key, bytes, info; /* as in struct broker_item */
	int64_t time_ms;
	bool added;	/* the answer: the list did not have that key */
	struct err err; /* the answer */
};
typedef void broker_dead_fn(struct broker_dead *batch, size_t n, void *arg);
/*
 * Puts tasks into the dead list of a queue, each in one step. What the list has with
 * that key already stays as it is; so the call may be repeated after a lost answer.
 * The batch (at most BROKER_PAGE_MAX) and what it points to stay until then.
 */
void broker_add_dead(struct broker *b, struct slice queue,
		     struct broker_dead *batch, size_t n,
		     broker_dead_fn *on_done, void *arg);

/* --- implementations --------------------------------------------------- */

/* A call from the loop; or, with `closed`, from broker_close(). */
typedef void broker_deferred_fn(void *arg, bool closed);

/*
 * What a store provides. It is given only what admin.c has checked: valid names
 * of queues and IDs of tasks, limits of 1 to BROKER_PAGE_MAX, and a batch whose
 * answers are cleared. Cursors are its own, and it checks them (cursor.h).
 */
struct broker_admin_ops {
	/* Has `fn` called once, soon. -1: no memory, it is not called. */
	int (*defer)(struct broker *, broker_deferred_fn *fn, void *arg);
	void (*queues)(struct broker *, struct slice queue,
		       broker_queues_fn *on_queues, void *arg);
	void (*workers)(struct broker *, broker_workers_fn *on_workers,
			void *arg);
	void (*find)(struct broker *, enum broker_location place,
		     broker_found_fn *on_found, void *arg);
	void (*view)(struct broker *, const struct broker_view *view,
		     broker_page_fn *on_page, void *arg);
	void (*examine)(struct broker *, broker_report_fn *on_report,
			void *arg);
	/* May be missing: what answers takes changes, too. */
	void (*try)(struct broker *, broker_value_fn *on_value, void *arg);
	void (*pause)(struct broker *, struct slice queue, bool paused,
		      broker_value_fn *on_value, void *arg);
	void (*limits_get)(struct broker *, struct slice queue,
			   broker_limits_fn *on_limits, void *arg);
	void (*limits_change)(struct broker *,
			      const struct broker_limit_change *change,
			      broker_value_fn *on_value, void *arg);
	void (*limits_declare)(struct broker *,
			       const struct broker_declaration *declaration,
			       broker_declared_fn *on_declared, void *arg);
	void (*purge)(struct broker *, struct slice queue, unsigned int n,
		      broker_page_fn *on_page, void *arg);
	void (*remove)(struct broker *, struct slice queue, struct slice id,
		       struct slice cursor, broker_page_fn *on_page, void *arg);
	void (*hasten)(struct broker *, struct slice queue, struct slice id,
		       struct slice cursor, broker_page_fn *on_page, void *arg);
	void (*send_off)(struct broker *, const struct broker_send_off *s,
			 broker_page_fn *on_page, void *arg);
	/* May be missing: nothing is ever on its way. */
	void (*deliver)(struct broker *, struct slice queue,
			broker_value_fn *on_value, void *arg);
	void (*requeue)(struct broker *, struct slice queue,
			struct broker_requeue *batch, size_t n,
			broker_requeued_fn *on_done, void *arg);
	void (*add_dead)(struct broker *, struct slice queue,
			 struct broker_dead *batch, size_t n,
			 broker_dead_fn *on_done, void *arg);
};

#define STORE(name) extern const struct broker_admin_ops broker_##name##_admin;
#include "store/stores.def"
#undef STORE

#endif
