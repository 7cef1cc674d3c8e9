/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: waiting for records.
 *
 * A topic is a task that somebody watches. A look reads the records of all
 * topics that want one, in one job; in the same transaction it writes this
 * process's wake socket among the waiters of those that are not final yet, so
 * the process that makes one final wakes us. Then all that are not final are
 * looked at again.
 *
 * A look and its topics point at each other, since either may end first: a
 * topic that ends takes itself out of the look, which then skips its answer.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/results.h"

/* One caller's watch. It is told once what is there at first, be it nothing, and
 * of the final record. */
struct swatch {
	struct results_watch pub;
	TAILQ_ENTRY(swatch) link;
	struct stopic *topic;
	results_record_fn *on_record;
	void *arg;
	bool shown; /* its record, as it was */
	bool told;  /* in this round */
	bool over;  /* the final one */
};

/* A task that is watched, in its bucket while it has watches or tells them. */
struct stopic {
	TAILQ_ENTRY(stopic) link;
	struct sresults *results;
	TAILQ_HEAD(, swatch) watches;
	struct seen *seen; /* its place in a look that is under way */
	bool telling;
	bool waits; /* we may be among its waiters */
	struct slice id;
	char text[];
};

/* What a look finds of one topic. */
struct seen {
	struct stopic *topic; /* NULL: nobody watches any more */
	struct slice id;      /* in the look's text */
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
	struct slice record;
	int more = tx_first(tx, err, SQL_RECORD_GET, seen->id, tx_now(tx));

	if (more < 0)
		return -1;
	buf_reset(&seen->record);
	seen->found = more == 1;
	seen->final = false;
	if (seen->found) {
		record = tx_bytes(tx, SQL_RECORD_GET, 0);
		buf_add(&seen->record, record.p, record.len);
		seen->final = tx_int(tx, SQL_RECORD_GET, 1) != 0;
		tx_end(tx, SQL_RECORD_GET);
	}
	if (seen->record.failed)
		return err_nomem(err);
	if (seen->final)
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
	size_t len;
	char id[];
};

static int
topic_part_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct parting *p = container_of(job, struct parting, job);
	const struct slice sock = tx_wake_socket(tx, err);

	if (sock.p == NULL)
		return -1;
	return tx_run(tx, err, SQL_RECORD_WAITER_DROP,
		      (struct slice){p->id, p->len}, sock) < 0
		   ? -1
		   : 0;
}

/* --- topics ------------------------------------------------------------ */

static struct stopics *
watch_bucket(struct sresults *r, struct slice id)
{
	uint32_t hash = 2166136261u; /* FNV-1a, 32 bits */
	size_t i;

	for (i = 0; i < id.len; i++)
		hash = (hash ^ (unsigned char)id.p[i]) * 16777619u;
	return &r->topics[hash % STOPIC_BUCKETS];
}

static struct stopic *
watch_find_topic(struct sresults *r, struct slice id)
{
	struct stopic *t;

	TAILQ_FOREACH (t, watch_bucket(r, id), link)
		if (slice_eq(t->id, id))
			return t;
	return NULL;
}

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

/* Not waiting for the answer: should it fail, we are woken once in vain. */
static void
topic_part(struct stopic *t)
{
	struct parting *p = calloc(1, sizeof(*p) + t->id.len);

	if (p == NULL)
		return;
	p->job = (struct database_job){.run = topic_part_run,
				       .done = topic_part_done,
				       .drop = topic_part_drop};
	p->len = t->id.len;
	memcpy(p->id, t->id.p, t->id.len);
	database_post(&t->results->user, &p->job);
}

/* Ends a topic that nobody watches any more. */
static void
topic_release(struct stopic *t)
{
	if (t->telling || !TAILQ_EMPTY(&t->watches))
		return;
	TAILQ_REMOVE(watch_bucket(t->results, t->id), t, link);
	if (t->seen != NULL)
		t->seen->topic = NULL;
	if (t->waits)
		topic_part(t);
	free(t);
}

/* Tells the watches; any of them may end, itself or another, meanwhile. So the
 * list is searched from its start each time, and `told` marks who had it. */
static void
topic_tell(struct stopic *t, struct slice record, bool final)
{
	struct swatch *w;

	t->telling = true;
	TAILQ_FOREACH (w, &t->watches, link)
		w->told = w->over || (w->shown && !final);
	for (;;) {
		TAILQ_FOREACH (w, &t->watches, link)
			if (!w->told)
				break;
		if (w == NULL)
			break;
		w->told = true;
		w->shown = true;
		w->over = final;
		w->on_record(record, NULL, w->arg);
	}
	t->telling = false;
	topic_release(t);
}

/* --- looks ------------------------------------------------------------- */

/* Frees the look, and lets go of the topics that it still points at. */
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

/* A callback may unwatch any watch, so a topic is let go of before it tells. */
static void
look_done(struct database_job *job, const struct err *err)
{
	struct look *look = container_of(job, struct look, job);
	struct sresults *r = look->results;
	struct slice record;
	struct stopic *t;
	struct seen *seen;
	size_t i;

	(void)err; /* it is tried until it succeeds */
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
		t->waits = !seen->final;
		topic_tell(t, record, seen->final);
	}
	/* Something may have changed after it was read. */
	look_drop(job);
	if (r->look_again)
		sresults_look(r);
}

/* One whose watches were all told the final record does not change any more. */
static bool
topic_wants_look(const struct stopic *t)
{
	const struct swatch *w;

	TAILQ_FOREACH (w, &t->watches, link)
		if (!w->over)
			return true;
	return false;
}

/* Counts what is to be looked at, and the bytes of the ids. */
static size_t
look_count(const struct sresults *r, size_t *ret_bytes)
{
	const struct stopic *t;
	size_t i, n = 0;

	*ret_bytes = 0;
	for (i = 0; i < STOPIC_BUCKETS; i++)
		TAILQ_FOREACH (t, &r->topics[i], link)
			if (topic_wants_look(t)) {
				*ret_bytes += t->id.len;
				n++;
			}
	return n;
}

/* In the same order, and by the same rule, as look_count(). */
static void
look_fill(struct sresults *r, struct look *look)
{
	struct stopic *t;
	char *p = look->text;
	size_t i;

	for (i = 0; i < STOPIC_BUCKETS; i++) {
		TAILQ_FOREACH (t, &r->topics[i], link) {
			if (!topic_wants_look(t))
				continue;
			memcpy(p, t->id.p, t->id.len);
			t->seen = &look->seen[look->n++];
			*t->seen =
			    (struct seen){.topic = t, .id = {p, t->id.len}};
			p += t->id.len;
		}
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
	/* No memory: the next watch or wake-up looks for all. */
	if (look == NULL)
		return;
	look->results = r;
	look_fill(r, look);
	look->job = (struct database_job){.run = look_run,
					  .done = look_done,
					  .drop = look_drop,
					  .must = true,
					  .rows = (unsigned int)n};
	r->looking = look;
	database_post(&r->user, &look->job);
}

/* --- watches ----------------------------------------------------------- */

struct results_watch *
sresults_watch(struct results *results, struct slice id,
	       results_record_fn *on_record, void *arg, struct err *err)
{
	struct sresults *r = (struct sresults *)results;
	struct swatch *w = calloc(1, sizeof(*w));
	struct stopic *t = watch_find_topic(r, id);

	if (t == NULL && w != NULL &&
	    (t = calloc(1, sizeof(*t) + id.len)) != NULL) {
		t->results = r;
		TAILQ_INIT(&t->watches);
		memcpy(t->text, id.p, id.len);
		t->id = (struct slice){t->text, id.len};
		TAILQ_INSERT_TAIL(watch_bucket(r, id), t, link);
	}
	if (t == NULL || w == NULL) {
		free(w);
		err_nomem(err);
		return NULL;
	}
	w->pub.results = results;
	w->topic = t;
	w->on_record = on_record;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&t->watches, w, link);
	sresults_look(r);
	return &w->pub;
}

void
sresults_unwatch(struct results_watch *watch)
{
	struct swatch *w = container_of(watch, struct swatch, pub);

	TAILQ_REMOVE(&w->topic->watches, w, link);
	topic_release(w->topic);
	free(w);
}

/* The looks are gone with the database's jobs. */
void
sresults_watches_free(struct sresults *r)
{
	struct stopic *t;
	struct swatch *w;
	size_t i;

	for (i = 0; i < STOPIC_BUCKETS; i++) {
		while ((t = TAILQ_FIRST(&r->topics[i])) != NULL) {
			while ((w = TAILQ_FIRST(&t->watches)) != NULL) {
				TAILQ_REMOVE(&t->watches, w, link);
				free(w);
			}
			TAILQ_REMOVE(&r->topics[i], t, link);
			free(t);
		}
	}
}
