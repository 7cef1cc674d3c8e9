/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: which tasks workers have registered, and commands to them.
 *
 * Commands stand in a table that each worker reads when its wake socket is
 * written to; a worker that comes later must not find old ones, so they expire.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/broker.h"
#include "store/sqlite/deputy.h"

/* A worker reads commands within a moment. A minute is for one that was stopped
 * (SIGSTOP) or swapped out. */
#define ORDER_LIFE_MS (INT64_C(60) * 1000)

/* --- questions and orders ---------------------------------------------- */

struct slice
squestion_text(const struct squestion *q)
{
	return (struct slice){q->text, q->len};
}

/* A name that nobody has registered is not an error: `found` is false. */
static int
get_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct squestion *q = container_of(job, struct squestion, job);
	int more = tx_first(tx, err, SQL_REGISTRY_GET, squestion_text(q));
	struct slice value;

	buf_reset(&q->value);
	q->found = more == 1;
	if (!q->found)
		return more;
	value = tx_bytes(tx, SQL_REGISTRY_GET, 0);
	buf_add(&q->value, value.p, value.len);
	tx_end(tx, SQL_REGISTRY_GET);
	return q->value.failed ? err_nomem(err) : 0;
}

/* The command first, then the sockets: a worker that is woken finds it. */
static int
control_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct squestion *q = container_of(job, struct squestion, job);
	const int64_t now = tx_now(tx);

	if (tx_run(tx, err, SQL_ORDERS_EXPIRE, now - ORDER_LIFE_MS) < 0 ||
	    tx_run(tx, err, SQL_ORDER_ADD, squestion_text(q), now) < 0)
		return -1;
	return tx_wake_all(tx, err, SQL_WORKERS_SOCKETS,
			   tx_first(tx, err, SQL_WORKERS_SOCKETS));
}

static void
question_drop(struct database_job *job)
{
	struct squestion *q = container_of(job, struct squestion, job);

	buf_done(&q->value);
	free(q);
}

/* A value that is found but empty is not NULL: NULL says that there is none. */
static void
question_done(struct database_job *job, const struct err *err)
{
	struct squestion *q = container_of(job, struct squestion, job);
	struct slice value = {NULL, 0};

	if (err == NULL && q->found)
		value = (struct slice){q->value.data ? q->value.data : "",
				       q->value.len};
	q->on_value(value, err, q->arg);
	question_drop(job);
}

/* The text is copied behind the question: the I/O thread reads it when the
 * caller has long returned. NULL: the caller has been told that there is no
 * memory. */
static struct squestion *
question_new(struct sbroker *b, const struct database_job *job,
	     struct slice text, broker_value_fn *on_value, void *arg)
{
	struct squestion *q = calloc(1, sizeof(*q) + text.len);
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		on_value((struct slice){NULL, 0}, &err, arg);
		return NULL;
	}
	q->job = *job;
	q->job.done = question_done;
	q->job.drop = question_drop;
	q->broker = b;
	q->on_value = on_value;
	q->arg = arg;
	q->len = text.len;
	if (text.len > 0)
		memcpy(q->text, text.p, text.len);
	return q;
}

void
squestion_ask(struct broker *broker, const struct database_job *job,
	      struct slice text, broker_value_fn *on_value, void *arg)
{
	struct sbroker *b = (struct sbroker *)broker;
	struct squestion *q = question_new(b, job, text, on_value, arg);

	if (q != NULL)
		database_post(&b->user, &q->job);
}

static void
question_take(struct database_job *job, bool found, struct slice value)
{
	struct squestion *q = container_of(job, struct squestion, job);

	q->found = found;
	buf_add(&q->value, value.p, value.len);
}

void
squestion_depute(struct broker *broker, enum sdeputy_what what,
		 const struct database_job *job, struct slice text,
		 broker_value_fn *on_value, void *arg)
{
	struct sbroker *b = (struct sbroker *)broker;
	struct squestion *q = question_new(b, job, text, on_value, arg);

	if (q != NULL)
		sdeputy_ask(b,
			    &(struct sdeputy_ask){.what = what,
						  .job = &q->job,
						  .texts = {squestion_text(q)},
						  .take = question_take});
}

void
sbroker_registered(struct broker *b, struct slice name,
		   broker_value_fn *on_value, void *arg)
{
	static const struct database_job job = {.run = get_run, .reads = true};

	squestion_depute(b, SDEPUTY_REGISTERED, &job, name, on_value, arg);
}

void
sbroker_control(struct broker *b, struct slice message,
		broker_value_fn *on_sent, void *arg)
{
	static const struct database_job job = {
	    .run = control_run, .absent = DATABASE_FAIL, .frees = true};

	squestion_ask(b, &job, message, on_sent, arg);
}

/* --- names ------------------------------------------------------------- */

/* All names that workers have registered, living or not. */
struct names_query {
	struct database_job job;
	broker_names_fn *on_names;
	void *arg;
	/* The answer, each with a NUL behind it, which is in no name. */
	struct buf text;
	size_t n;
};

/* In the order of the names, which the index has. */
static int
names_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct names_query *q = container_of(job, struct names_query, job);
	int more = tx_first(tx, err, SQL_REGISTRY_NAMES);
	struct slice name;

	/* A job may run again from the start. */
	buf_reset(&q->text);
	q->n = 0;
	for (; more == 1; more = tx_next(tx, err, SQL_REGISTRY_NAMES)) {
		name = tx_bytes(tx, SQL_REGISTRY_NAMES, 0);
		buf_add(&q->text, name.p, name.len);
		buf_addc(&q->text, '\0');
		q->n++;
	}
	return more == 0 && q->text.failed ? err_nomem(err) : more;
}

static void
names_drop(struct database_job *job)
{
	struct names_query *q = container_of(job, struct names_query, job);

	buf_done(&q->text);
	free(q);
}

/* The slices are made here: in the I/O thread the text moves while it grows. */
static void
names_done(struct database_job *job, const struct err *err)
{
	struct names_query *q = container_of(job, struct names_query, job);
	struct slice *names = calloc(q->n + 1, sizeof(*names));
	const char *p = q->text.data;
	struct err nomem;
	size_t i;

	if (names == NULL && err == NULL) {
		err_nomem(&nomem);
		err = &nomem;
	}
	for (i = 0; err == NULL && i < q->n; i++) {
		names[i] = slice_of(p);
		p += names[i].len + 1;
	}
	if (err == NULL)
		q->on_names(names, q->n, NULL, q->arg);
	else
		q->on_names(NULL, 0, err, q->arg);
	free(names);
	names_drop(job);
}

void
sbroker_registered_names(struct broker *b, broker_names_fn *on_names, void *arg)
{
	struct names_query *q = calloc(1, sizeof(*q));
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		on_names(NULL, 0, &err, arg);
		return;
	}
	q->job = (struct database_job){.run = names_run,
				       .done = names_done,
				       .drop = names_drop,
				       .reads = true};
	q->on_names = on_names;
	q->arg = arg;
	database_post(&((struct sbroker *)b)->user, &q->job);
}

/* --- all entries --------------------------------------------------------- */

struct entries_query {
	struct database_job job;
	broker_entries_fn *on_entries;
	void *arg;
	/* Names and descriptions by turns, with their lengths before them: a
	 * description may be anything. */
	struct buf text;
	size_t n;
};

/* The length is copied as it is in memory: it is read in the same process. */
static void
keep_bytes(struct buf *text, struct slice bytes)
{
	buf_add(text, &bytes.len, sizeof(bytes.len));
	buf_add(text, bytes.p, bytes.len);
}

static int
entries_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct entries_query *q = container_of(job, struct entries_query, job);
	int more = tx_first(tx, err, SQL_REGISTRY_ALL);

	/* A job may run again from the start. */
	buf_reset(&q->text);
	q->n = 0;
	for (; more == 1; more = tx_next(tx, err, SQL_REGISTRY_ALL)) {
		keep_bytes(&q->text, tx_bytes(tx, SQL_REGISTRY_ALL, 0));
		keep_bytes(&q->text, tx_bytes(tx, SQL_REGISTRY_ALL, 1));
		q->n++;
	}
	return more == 0 && q->text.failed ? err_nomem(err) : more;
}

static void
entries_drop(struct database_job *job)
{
	struct entries_query *q = container_of(job, struct entries_query, job);

	buf_done(&q->text);
	free(q);
}

/* memcpy(), since the length may lie at any address. */
static struct slice
next_bytes(const char **p)
{
	struct slice bytes;

	memcpy(&bytes.len, *p, sizeof(bytes.len));
	bytes.p = *p + sizeof(bytes.len);
	*p = bytes.p + bytes.len;
	return bytes;
}

/* Names in the first half of one array, descriptions in the second. */
static void
entries_done(struct database_job *job, const struct err *err)
{
	struct entries_query *q = container_of(job, struct entries_query, job);
	struct slice *slices = calloc(2 * q->n + 1, sizeof(*slices));
	const char *p = q->text.data;
	struct err nomem;
	size_t i;

	if (slices == NULL && err == NULL) {
		err_nomem(&nomem);
		err = &nomem;
	}
	for (i = 0; err == NULL && i < q->n; i++) {
		slices[i] = next_bytes(&p);
		slices[q->n + i] = next_bytes(&p);
	}
	if (err == NULL)
		q->on_entries(slices, slices + q->n, q->n, NULL, q->arg);
	else
		q->on_entries(NULL, NULL, 0, err, q->arg);
	free(slices);
	entries_drop(job);
}

void
sbroker_registry(struct broker *b, broker_entries_fn *on_entries, void *arg)
{
	struct entries_query *q = calloc(1, sizeof(*q));
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		on_entries(NULL, NULL, 0, &err, arg);
		return;
	}
	q->job = (struct database_job){.run = entries_run,
				       .done = entries_done,
				       .drop = entries_drop,
				       .reads = true};
	q->on_entries = on_entries;
	q->arg = arg;
	database_post(&((struct sbroker *)b)->user, &q->job);
}

/* --- registering ------------------------------------------------------- */

/* Names and descriptions follow one another in `text`. */
struct registration {
	struct database_job job;
	const struct sbroker *broker;
	int64_t worker_id; /* 0: not known yet */
	struct buf served; /* names, each with a NUL */
	bool only;
	struct buf text;
	size_t n;
	size_t lens[];
};

/* A description replaces that of any worker before: the last to start is the
 * newest. Without a number, what this worker serves is noted after it
 * entered. */
static int
register_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct registration *r = container_of(job, struct registration, job);
	struct slice name, description;
	const char *p = r->text.data;
	size_t i;

	for (i = 0; i < r->n; i++) {
		name = (struct slice){p, r->lens[2 * i]};
		p += name.len;
		description = (struct slice){p, r->lens[2 * i + 1]};
		p += description.len;
		if (tx_run(tx, err, SQL_REGISTRY_SET, name, description) < 0)
			return -1;
	}
	if (r->worker_id == 0)
		return 0;
	return slanes_serve_run(r->broker, tx, r->worker_id,
				(struct slice){r->served.data, r->served.len},
				r->only, err);
}

static void
register_drop(struct database_job *job)
{
	struct registration *r = container_of(job, struct registration, job);

	buf_done(&r->served);
	buf_done(&r->text);
	free(r);
}

/* Lanes may be this worker's own now. */
static void
register_done(struct database_job *job, const struct err *err)
{
	struct registration *r = container_of(job, struct registration, job);
	struct sbroker *b = (struct sbroker *)r->broker;

	/* It is registered again soon. */
	if (err != NULL)
		buf_reset(&b->served);
	else if (r->only)
		sclaim_wake(b);
	/* And what was put back for want of one that has its name. */
	if (err == NULL && r->only)
		srecall_begin(b);
	register_drop(job);
}

/* Notes what is to be served, and whether that is new. */
static void
register_names(struct registration *r, struct sbroker *b,
	       const struct slice *names, size_t n)
{
	size_t i;

	r->broker = b;
	r->worker_id = b->entered ? b->worker_id : 0;
	for (i = 0; i < n; i++) {
		buf_add(&r->served, names[i].p, names[i].len);
		buf_addc(&r->served, '\0');
	}
	/* The empty name says that there is a worker. */
	buf_addc(&r->served, '\0');
	r->only = b->served.len != r->served.len || r->served.failed ||
		  memcmp(b->served.data, r->served.data, r->served.len) != 0;
	if (r->worker_id == 0 || r->served.failed)
		return;
	buf_reset(&b->served);
	buf_add(&b->served, r->served.data, r->served.len);
}

/* Nobody is told of a failure: tasks are registered again soon. */
void
sbroker_register(struct broker *broker, const struct slice *names,
		 const struct slice *descriptions, size_t n)
{
	struct sbroker *b = (struct sbroker *)broker;
	struct registration *r =
	    calloc(1, sizeof(*r) + 2 * n * sizeof(r->lens[0]));
	size_t i;

	if (r == NULL)
		return;
	for (i = 0; i < n; i++) {
		r->lens[2 * i] = names[i].len;
		r->lens[2 * i + 1] = descriptions[i].len;
		buf_add(&r->text, names[i].p, names[i].len);
		buf_add(&r->text, descriptions[i].p, descriptions[i].len);
	}
	r->n = n;
	register_names(r, b, names, n);
	r->job = (struct database_job){.run = register_run,
				       .done = register_done,
				       .drop = register_drop,
				       .sync = DATABASE_SOON};
	if (r->text.failed || r->served.failed)
		register_drop(&r->job);
	else
		database_post(&b->user, &r->job);
}
