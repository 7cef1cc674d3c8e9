/* SPDX-License-Identifier: MIT */
/*
 * Importing tasks and records: storing them.
 *
 * The bytes of a task are put into the queue as they are. Its record is stored
 * before it, and is what tells a second import that the task is there. An import
 * that was killed between the two is mended by the next: the record has a mark,
 * which no other has, and a key that is the task's own keeps it from being queued
 * twice. A record without the mark is that of a task which is there, or was.
 */
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "core/task.h"
#include "manager/carry_private.h"
#include "manager/member.h"
#include "manager/query.h"
#include "store/results.h"

/* How long the keys last: a week. */
#define KEY_S 604800

/* The records that are there. A database that is not there has none, and is made
 * by the first submission. */
static int
import_look(struct carry_import *im, const char *const *ids, size_t n,
	    json_t **records, struct err *err)
{
	if (query_records(im->client, ids, n, records, err) == 0 ||
	    err->code == ERR_NOT_FOUND)
		return 0;
	return -1;
}

/* The tasks of a batch, on the loop. */
struct storing {
	struct query q;
	struct carry_import *im;
	struct carried *xs[CARRY_BATCH]; /* those that go on */
	size_t n;
	/* Where records live apart, those to be made. */
	struct carried *made[CARRY_BATCH];
	size_t n_made;
	struct slice ids[CARRY_BATCH], records[CARRY_BATCH];
	struct err errs[CARRY_BATCH];
	struct broker_submit submits[CARRY_BATCH];
};

static void
on_stored(struct broker_submit *batch, size_t n, void *arg)
{
	struct storing *s = arg;
	const struct err *away = NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		s->xs[i]->err = batch[i].err;
		s->xs[i]->present = batch[i].duplicate;
		if (batch[i].err.code == ERR_UNAVAILABLE)
			away = &batch[i].err;
	}
	query_end(&s->q, away);
}

static void
send_tasks(struct query *q)
{
	struct storing *s = container_of(q, struct storing, q);
	struct carried *x;
	size_t i;

	for (i = 0; i < s->n; i++) {
		x = s->xs[i];
		s->submits[i] = (struct broker_submit){
		    .queue = x->queue,
		    .id = slice_of(x->id),
		    .bytes = {x->bytes.data, x->bytes.len},
		    .priority = x->task->priority,
		    .at_ms = x->at_ms,
		    .after = x->after.list,
		    .n_after = x->after.n,
		    .record = {x->record.data, x->record.len},
		    .unique = slice_of(x->key),
		    .unique_s = KEY_S};
	}
	broker_submit(q->client->broker, s->submits, s->n, on_stored, s);
}

static void
on_created(struct err *errs, size_t n, void *arg)
{
	struct storing *s = arg;
	const struct err *away = NULL;
	size_t i;

	for (i = 0; i < n; i++)
		if (errs[i].code == ERR_UNAVAILABLE)
			away = &errs[i];
	query_end(&s->q, away);
}

static void
send_records(struct query *q)
{
	struct storing *s = container_of(q, struct storing, q);
	size_t i;

	for (i = 0; i < s->n_made; i++) {
		s->ids[i] = slice_of(s->made[i]->id);
		s->records[i] = (struct slice){s->made[i]->record.data,
					       s->made[i]->record.len};
		s->errs[i] = (struct err)ERR_INIT;
	}
	results_create(q->client->results, s->ids, s->records, s->errs,
		       s->n_made, on_created, s);
}

/* Which of them have a record, and whether it is an import's that was not
 * finished. */
static int
storing_look(struct storing *s, struct err *err)
{
	const char *ids[CARRY_BATCH], *status;
	json_t *records[CARRY_BATCH] = {NULL};
	struct carried *x;
	size_t i, n = 0;
	int r;

	for (i = 0; i < s->n; i++)
		ids[i] = s->xs[i]->id;
	r = import_look(s->im, ids, s->n, records, err);
	for (i = 0; i < s->n; i++) {
		x = s->xs[i];
		status = member_text(records[i], "status");
		x->recorded = status != NULL &&
			      strcmp(status, "pending") == 0 &&
			      json_object_get(records[i], CARRY_MARK) != NULL;
		x->present = records[i] != NULL && !x->recorded;
		if (!x->present)
			s->xs[n++] = x;
		json_decref(records[i]);
	}
	s->n = n;
	return r;
}

/* Where they live apart: before their tasks. What could not be made is left
 * out. */
static int
storing_create(struct storing *s, struct err *err)
{
	size_t i, n = 0;

	for (i = 0; i < s->n; i++)
		if (!s->xs[i]->recorded)
			s->made[s->n_made++] = s->xs[i];
	if (s->n_made == 0)
		return 0;
	s->q = (struct query){
	    .client = s->im->client, .of_results = true, .send = send_records};
	if (query_run(&s->q, err) != 0)
		return -1;
	/* Asked a second time after a lost answer, it finds those of the first:
	 * the key decides. */
	for (i = 0; i < s->n_made; i++)
		if (s->errs[i].code != ERR_REFUSED)
			s->made[i]->err = s->errs[i];
	for (i = 0; i < s->n; i++)
		if (s->xs[i]->err.code == ERR_NONE)
			s->xs[n++] = s->xs[i];
	s->n = n;
	return 0;
}

static int
storing_run(struct storing *s, struct err *err)
{
	if (s->n == 0)
		return 0;
	if (storing_look(s, err) != 0 ||
	    (!s->im->client->one_store && storing_create(s, err) != 0))
		return -1;
	if (s->n == 0)
		return 0;
	s->q = (struct query){.client = s->im->client, .send = send_tasks};
	return query_run(&s->q, err);
}

static int
store_tasks(struct carry_import *im, struct err *err)
{
	struct storing *s = calloc(1, sizeof(*s));
	size_t i;
	int r;

	if (s == NULL)
		return err_nomem(err);
	s->im = im;
	for (i = 0; i < im->n; i++)
		if (im->batch[i].task != NULL)
			s->xs[s->n++] = &im->batch[i];
	r = storing_run(s, err);
	free(s);
	return r;
}

/* Those of which the store has none. */
static int
store_records(struct carry_import *im, bool failed, struct err *err)
{
	const char *ids[CARRY_BATCH];
	json_t *there[CARRY_BATCH] = {NULL};
	struct query_put puts[CARRY_BATCH];
	struct carried *xs[CARRY_BATCH];
	size_t i, n = 0, left = 0;
	int r;

	for (i = 0; i < im->n; i++)
		if (im->batch[i].task == NULL &&
		    im->batch[i].failed == failed) {
			xs[n] = &im->batch[i];
			ids[n++] = im->batch[i].id;
		}
	if (n == 0)
		return 0;
	r = import_look(im, ids, n, there, err);
	for (i = 0; i < n; i++) {
		xs[i]->present = there[i] != NULL;
		json_decref(there[i]);
		if (!xs[i]->present)
			puts[left++] = (struct query_put){
			    ids[i], {xs[i]->bytes.data, xs[i]->bytes.len}};
	}
	if (r != 0 || left == 0)
		return r;
	return failed ? query_put_failed(im->client, puts, left, err)
		      : query_put_succeeded(im->client, puts, left, err);
}

int
carry_store(struct carry_import *im, struct err *err)
{
	return store_tasks(im, err) != 0 ||
		       store_records(im, false, err) != 0 ||
		       store_records(im, true, err) != 0
		   ? -1
		   : 0;
}
