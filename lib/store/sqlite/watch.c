/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: waiting for records.
 *
 * A topic is a task that somebody watches. A look reads the records of all
 * topics that want one, in one job; in the same transaction it writes this
 * process' port among the waiters of those that are not final yet, so that the
 * process that makes one final wakes us. Then all that are not final are looked
 * at again.
 *
 * A topic that is followed has a second row among the waiters, with a space
 * before the id, which no id has: it is woken by each record that is not final.
 * Those who wait for the end alone sleep through all of these.
 */
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "store/sqlite/record.h"
#include "store/sqlite/results.h"
#include "util/timer.h"

/* Between two looks for a file that somebody may make: a person does not notice
 * it, and a look that fails opens nothing. */
#define ABSENT_MS 250

/* A task that is watched. */
struct stopic {
	struct topic topic;
	struct sresults *results;
	struct seen *seen; /* its place in a look that is under way */
	bool waits;	   /* our wake socket may be among its waiters */
	char changes[];	   /* a space and the id */
};

/* What a look finds of one topic. */
struct seen {
	struct stopic *topic; /* NULL: nobody watches any more */
	struct slice id;      /* in the look's text */
	struct slice
	    changes; /* the same with the space; empty: nobody follows */
	struct buf record;
	bool found, final;
};

/* At most one is under way; another one that is asked for meanwhile follows. The
 * ids are copied, since topics may end before the I/O thread reads them. */
struct look {
	struct database_job job;
	struct sresults *results;
	char *text;
	size_t n;
	struct seen seen[];
};

/* --- in the I/O thread ------------------------------------------------- */

/* Reads one record; if it is not final, also one that is not there yet, we wait
 * for it. */
static int
look_see(struct tx *tx, struct seen *seen, struct slice sock, struct err *err)
{
	int found;

	buf_reset(&seen->record);
	seen->final = false;
	found =
	    srecord_read_run(tx, seen->id, &seen->record, &seen->final, err);
	if (found < 0)
		return -1;
	seen->found = found == 1;
	seen->final = seen->found && seen->final;
	/* An operator may have it run again: who follows waits on. */
	if (seen->changes.len > 0 &&
	    tx_run(tx, err, SQL_RECORD_WAITER_ADD, seen->changes, sock) < 0)
		return -1;
	if (seen->final && seen->changes.len == 0)
		return 0;
	return tx_run(tx, err, SQL_RECORD_WAITER_ADD, seen->id, sock) < 0 ? -1
									  : 0;
}

static int
look_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct look *look = container_of(job, struct look, job);
	const struct slice sock = tx_wake_socket(tx, err);
	size_t i;

	if (sock.p == NULL)
		return -1;
	for (i = 0; i < look->n; i++)
		if (look_see(tx, &look->seen[i], sock, err) != 0)
			return -1;
	return 0;
}

/* A waiter that does not wait any more. */
struct parting {
	struct database_job job;
	size_t len;	/* of what follows */
	char changes[]; /* a space and the id */
};

static int
topic_part_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct parting *p = container_of(job, struct parting, job);
	const struct slice sock = tx_wake_socket(tx, err);

	if (sock.p == NULL)
		return -1;
	return tx_run(tx, err, SQL_RECORD_WAITER_DROP,
		      (struct slice){p->changes + 1, p->len - 1}, sock) < 0 ||
		       tx_run(tx, err, SQL_RECORD_WAITER_DROP,
			      (struct slice){p->changes, p->len}, sock) < 0
		   ? -1
		   : 0;
}

/* What those who follow a task wait for. Of an ID that no task has, since it is
 * too long, the beginning will do. */
static struct slice
changes_of(struct slice id, char text[TASK_ID_MAX + 1])
{
	const size_t len = id.len < TASK_ID_MAX ? id.len : TASK_ID_MAX;

	text[0] = ' ';
	memcpy(text + 1, id.p, len);
	return (struct slice){text, len + 1};
}

int
swatch_changed_run(struct tx *tx, struct slice id, struct err *err)
{
	char changes[TASK_ID_MAX + 1];

	if (id.len > TASK_ID_MAX)
		return 0;
	return swake_record_run(tx, changes_of(id, changes), err);
}

int
swatch_follow_run(struct tx *tx, struct slice first, struct slice last,
		  struct err *err)
{
	char from[TASK_ID_MAX + 1], to[TASK_ID_MAX + 1];

	return tx_any(tx, err, SQL_RECORD_WAITERS_AMONG,
		      changes_of(first, from), changes_of(last, to));
}

/* --- topics ------------------------------------------------------------ */

static void
topic_part_drop(struct database_job *job)
{
	free(container_of(job, struct parting, job));
}

static void
topic_part_done(struct database_job *job, const struct err *err)
{
	topic_part_drop(job);
}

static void
topic_part(const struct stopic *t)
{
	const size_t len = t->topic.id.len + 1;
	struct parting *p = calloc(1, sizeof(*p) + len);

	if (p == NULL)
		return; /* it will be woken once in vain */
	p->job = (struct database_job){.run = topic_part_run,
				       .done = topic_part_done,
				       .drop = topic_part_drop,
				       .absent = DATABASE_FAIL};
	p->len = len;
	memcpy(p->changes, t->changes, len);
	database_post(&t->results->user, &p->job);
}

static void
stopic_leave(struct topic *topic)
{
	struct stopic *t = container_of(topic, struct stopic, topic);

	/* The look goes on for the others. */
	if (t->seen != NULL)
		t->seen->topic = NULL;
	if (t->waits)
		topic_part(t);
}

static void
stopic_free(struct topic *topic)
{
	free(container_of(topic, struct stopic, topic));
}

static const struct watches_ops stopic_ops = {.leave = stopic_leave,
					      .free = stopic_free};

static void
look_at_due(void *r)
{
	sresults_look(r);
}

int
sresults_watches_init(struct sresults *r)
{
	watches_init(&r->watches, &stopic_ops);
	r->absent = timer_new(r->opt.base, look_at_due, r);
	return r->absent != NULL ? 0 : -1;
}

void
sresults_watches_done(struct sresults *r)
{
	watches_done(&r->watches);
	timer_free(r->absent);
}

/* --- looks ------------------------------------------------------------- */

static void
look_drop(struct database_job *job)
{
	struct look *look = container_of(job, struct look, job);
	size_t i;

	for (i = 0; i < look->n; i++) {
		if (look->seen[i].topic != NULL)
			look->seen[i].topic->seen = NULL;
		buf_done(&look->seen[i].record);
	}
	look->results->looking = NULL;
	free(look->text);
	free(look);
}

static void
look_done(struct database_job *job, const struct err *err)
{
	struct look *look = container_of(job, struct look, job);
	struct sresults *r = look->results;
	struct slice record;
	struct stopic *t;
	struct seen *seen;
	size_t i;

	/* It is tried until it succeeds; but without a file there is no record,
	 * which is an answer. Nobody has noted then that we wait. */
	if (err != NULL)
		timer_set_ms(r->absent, ABSENT_MS);
	for (i = 0; i < look->n; i++) {
		seen = &look->seen[i];
		if ((t = seen->topic) == NULL)
			continue;
		t->seen = NULL;
		seen->topic = NULL;
		record = (struct slice){NULL, 0};
		if (seen->found)
			record =
			    (struct slice){seen->record.data, seen->record.len};
		t->waits =
		    err == NULL && (!seen->final || seen->changes.len > 0);
		watches_notify(&t->topic, record, seen->final, NULL);
	}
	look_drop(job);
	if (r->look_again)
		sresults_look(r);
}

/* Counts what is to be looked at, and the bytes of the ids. */
static size_t
look_count(struct sresults *r, size_t *ret_bytes)
{
	struct topic *t = NULL;
	size_t n = 0;

	*ret_bytes = 0;
	while ((t = watches_next(&r->watches, t)) != NULL)
		if (!watches_are_over(t)) {
			*ret_bytes += t->id.len + 1;
			n++;
		}
	return n;
}

static void
look_fill(struct sresults *r, struct look *look)
{
	struct topic *topic = NULL;
	struct stopic *t;
	char *p = look->text;

	while ((topic = watches_next(&r->watches, topic)) != NULL) {
		if (watches_are_over(topic))
			continue;
		t = container_of(topic, struct stopic, topic);
		memcpy(p, t->changes, topic->id.len + 1);
		t->seen = &look->seen[look->n++];
		*t->seen = (struct seen){
		    .topic = t,
		    .id = {p + 1, topic->id.len},
		    .changes = {p, topic->followed ? topic->id.len + 1 : 0}};
		p += topic->id.len + 1;
	}
}

void
sresults_look(struct sresults *r)
{
	struct look *look;
	size_t bytes, n;

	r->look_again = r->looking != NULL;
	if (r->looking != NULL || (n = look_count(r, &bytes)) == 0)
		return;
	look = calloc(1, sizeof(*look) + n * sizeof(look->seen[0]));
	if (look != NULL && (look->text = malloc(bytes + 1)) == NULL) {
		free(look);
		look = NULL;
	}
	if (look == NULL)
		return;
	look->results = r;
	look_fill(r, look);
	look->job = (struct database_job){.run = look_run,
					  .done = look_done,
					  .drop = look_drop,
					  .absent = DATABASE_FAIL,
					  .must = true,
					  .rows = (unsigned int)n};
	r->looking = look;
	database_post(&r->user, &look->job);
}

/* --- watches ----------------------------------------------------------- */

static struct topic *
stopic_new(struct sresults *r, struct slice id)
{
	struct stopic *t = calloc(1, sizeof(*t) + 1 + id.len);

	if (t == NULL)
		return NULL;
	t->results = r;
	t->changes[0] = ' ';
	memcpy(t->changes + 1, id.p, id.len);
	watches_add(&r->watches, &t->topic,
		    (struct slice){t->changes + 1, id.len});
	return &t->topic;
}

/* Watches of one task share a topic, and with it one row among its waiters. */
static struct results_watch *
stopic_watch(struct results *results, struct slice id, bool follows,
	     results_record_fn *on_record, void *arg, struct err *err)
{
	struct sresults *r = (struct sresults *)results;
	struct topic *t = watches_find(&r->watches, id);
	struct results_watch *w = NULL;

	if (t != NULL || (t = stopic_new(r, id)) != NULL)
		w = watches_watch(t, results, follows, on_record, arg);
	if (w == NULL)
		err_nomem(err);
	else
		sresults_look(r);
	return w;
}

struct results_watch *
sresults_watch(struct results *results, struct slice id,
	       results_record_fn *on_record, void *arg, struct err *err)
{
	return stopic_watch(results, id, false, on_record, arg, err);
}

struct results_watch *
sresults_follow(struct results *results, struct slice id,
		results_record_fn *on_record, void *arg, struct err *err)
{
	return stopic_watch(results, id, true, on_record, arg, err);
}
