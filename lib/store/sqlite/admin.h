/* SPDX-License-Identifier: MIT */
/*
 * The operators' part of the SQLite broker, as its own files see it.
 *
 *	admin.c		the state of queues and workers
 *	admin_find.c	which queues have tasks at a place
 *	admin_view.c	pages of tasks
 *	admin_change.c	pause, purge, remove
 *	admin_dead.c	the dead list: requeue, add_dead
 *	admin_examine.c	what may be wrong with the file
 *
 * Functions named *_run, and what they call, run in the I/O thread (broker.h).
 */
#ifndef STORE_SQLITE_ADMIN_H
#define STORE_SQLITE_ADMIN_H

#include "core/task.h"
#include "store/admin.h"
#include "store/cursor.h"
#include "store/sqlite/broker.h"

/* Its id: 1, 0 if there is none of that name, or -1 with *err. */
int sadmin_queue_run(struct tx *tx, struct slice name, int64_t *ret_id,
		     struct err *err);
/* When a task was submitted, by its own words; 0: it does not say. */
int64_t sadmin_submitted_us(struct slice bytes);
bool sadmin_has_id(struct slice bytes, struct slice id);

/* --- admin_view.c ----------------------------------------------- */

/* One task of a page: what it shows lies in the page's text, one piece after
 * the other. */
enum { SPAGE_BYTES, SPAGE_WORKER, SPAGE_KEY, SPAGE_INFO, SPAGE_PIECES };
struct spage_row {
	int64_t at[2]; /* as in a cursor */
	int64_t number, priority, time_ms;
	size_t lens[SPAGE_PIECES];
};

/* A job whose answer is a page. */
struct spage {
	struct database_job job;
	broker_page_fn *on_page;
	void *arg;
	struct err wrong; /* with what was asked */
	char queue[TASK_QUEUE_MAX + 1];
	size_t limit;
	enum broker_location place; /* view */
	int64_t after[2];	    /* view: the cursor; remove: the first */
	int64_t skip;		    /* view: rows to leave out first */
	char id[TASK_ID_MAX + 1];
	bool hastens; /* remove: it becomes due, if it is delayed, and stays */
	char to[TASK_QUEUE_MAX +
		1]; /* remove: it goes to this queue; "": none */

	/* The answer. */
	struct spage_row rows[BROKER_PAGE_MAX];
	size_t n;
	struct buf text;
	bool more;
	int64_t next[2];
	size_t n_next; /* numbers in its cursor */
};

/* A page of that queue for a job that does `run`; or NULL, and the caller was
 * answered. */
struct spage *spage_new(int (*run)(struct database_job *, struct tx *,
				   struct err *),
			struct slice queue, unsigned int limit,
			broker_page_fn *on_page, void *arg);
/* Reads the cursor, if there is one, into `after`. */
void spage_set_cursor(struct spage *page, struct slice cursor, size_t numbers);
void spage_post(struct broker *broker, struct spage *page);
/* Adds rows of a place, from `after` on, until the page is full. `more` and
 * `next` tell whether that was all. Returns how many were added, or -1. */
int spage_read_run(struct spage *page, struct tx *tx, int64_t queue,
		   enum broker_location place, struct err *err);
/* Adds one row, whose bytes it copies. */
int spage_add(struct spage *page, const struct spage_row *row,
	      const struct slice pieces[SPAGE_PIECES], struct err *err);
void spage_reset(struct spage *page);
void sadmin_find(struct broker *b, enum broker_location place,
		 broker_found_fn *on_found, void *arg);
void sadmin_view(struct broker *b, const struct broker_view *view,
		 broker_page_fn *on_page, void *arg);

/* --- admin_examine.c ----------------------------------------------------- */

void sadmin_examine(struct broker *b, broker_report_fn *on_report, void *arg);
void sadmin_try(struct broker *b, broker_value_fn *on_value, void *arg);

/* --- admin_change.c --------------------------------------------- */

void sadmin_limits_get(struct broker *b, struct slice queue,
		       broker_limits_fn *on_limits, void *arg);
/* Whether there are as many rules as there may be, and this is another one. */
int slimits_check_full(struct tx *tx, int64_t queue, struct slice scope,
		       bool *ret_full, struct err *err);
/* Where a task's group stands; nothing: only in its field. */
int slimits_read_by(struct tx *tx, int64_t queue, struct buf *by,
		    struct err *err);
/* A rule has changed: what is in flight gets its scopes again, and what is held its
 * turn. */
int slimits_changed_run(struct tx *tx, int64_t queue, struct slice scope,
			struct err *err);
void sadmin_limits_declare(struct broker *b,
			   const struct broker_declaration *declaration,
			   broker_declared_fn *on_declared, void *arg);
void sadmin_limits_change(struct broker *b,
			  const struct broker_limit_change *change,
			  broker_value_fn *on_value, void *arg);
void sadmin_pause(struct broker *b, struct slice queue, bool paused,
		  broker_value_fn *on_value, void *arg);
void sadmin_purge(struct broker *b, struct slice queue, unsigned int n,
		  broker_page_fn *on_page, void *arg);
void sadmin_remove(struct broker *b, struct slice queue, struct slice id,
		   struct slice cursor, broker_page_fn *on_page, void *arg);
void sadmin_hasten(struct broker *b, struct slice queue, struct slice id,
		   struct slice cursor, broker_page_fn *on_page, void *arg);
void sadmin_send_off(struct broker *b, const struct broker_send_off *s,
		     broker_page_fn *on_page, void *arg);
void sadmin_requeue(struct broker *b, struct slice queue,
		    struct broker_requeue *batch, size_t n,
		    broker_requeued_fn *on_done, void *arg);
void sadmin_add_dead(struct broker *b, struct slice queue,
		     struct broker_dead *batch, size_t n,
		     broker_dead_fn *on_done, void *arg);

#endif
