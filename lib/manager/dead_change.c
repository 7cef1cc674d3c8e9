/* SPDX-License-Identifier: MIT */
/*
 * The dead list: putting tasks back, and deleting them.
 *
 * A task that is put back gets its pending record first: as with submissions,
 * the record is there before anybody can claim the task. If it then does not
 * leave the dead list, the record that was there is stored again.
 */
#include <stdlib.h>
#include <string.h>

#include "client/load.h"
#include "codec/result_json.h"
#include "codec/task_json.h"
#include "core/result.h"
#include "core/task.h"
#include "manager/dead.h"
#include "manager/flows.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"

/* A page of the list is changed as one batch, whose limit is the broker's. */
#define BATCH BROKER_PAGE_MAX

/* One that is to be changed, with copies of what the page showed: the page is
 * gone when the batch is sent. Once `why` has a code it is left alone. */
struct dead_task {
	char *key;
	struct task *task; /* NULL: it cannot be read */
	struct buf retry_bytes, record;
	json_t *old_record;
	struct err why; /* it is not to be changed, or could not be */
	bool found;
};

/* The state of one call. The batch is in here, and here on the heap, for it is
 * larger than a thread's stack should hold. */
struct change {
	struct flowrra_client *client;
	const struct dead_change *what;
	const char *queue;
	struct dead_task batch[BATCH];
	size_t n;
	struct dead_filter filter; /* what is asked for, its ids sorted */
	const char **ids;
	bool *seen;   /* of the filter's ids */
	bool stopped; /* by on_progress */
	json_t *done, *refused;
	int64_t n_done, n_refused, n_gone;
	/* When the newest died that there was at the beginning: those that are
	 * put back and die once more are not put back again. */
	int64_t newest_ms;
};

/* Good for a new one, and for one that was never filled. */
static void
dead_task_done(struct dead_task *x)
{
	free(x->key);
	task_free(x->task);
	buf_done(&x->retry_bytes);
	buf_done(&x->record);
	json_decref(x->old_record);
	*x = (struct dead_task){.key = NULL};
}

/* --- reading ----------------------------------------------------------- */

/* For qsort() and bsearch() alike. */
static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Notes all that are equal to a name: an id may be given twice. */
static void
note_name(struct change *ch, const char *name)
{
	const char *const *ids = ch->filter.ids, *const * found;
	size_t i;

	found =
	    bsearch(&name, ids, ch->filter.n_ids, sizeof(*ids), compare_ids);
	if (found == NULL)
		return;
	for (i = (size_t)(found - ids); i > 0 && strcmp(ids[i - 1], name) == 0;)
		i--;
	for (; i < ch->filter.n_ids && strcmp(ids[i], name) == 0; i++)
		ch->seen[i] = true;
}

/* What remains unseen at the end is reported as missing. */
static void
note_seen(struct change *ch, const struct broker_item *item, const char *key)
{
	struct err why;
	struct task *task = ch->filter.n_ids > 0 ? load_task(item, &why) : NULL;

	if (ch->filter.n_ids > 0)
		note_name(ch, key);
	if (task != NULL)
		note_name(ch, task->id);
	task_free(task);
}

/* What it becomes, and its record. */
static void
prepare(struct change *ch, struct dead_task *x)
{
	/* Attempts, crashes and history start from zero: the operator says that
	 * the reason is gone. */
	static const struct task_counters none;
	struct result record;

	task_encode_again(x->task, &none, &x->retry_bytes);
	/* Back to the queue whose list it is on, even if it names another. */
	record = result_pending(x->task);
	record.queue = slice_of(ch->queue);
	record.times = ch->client->conf->worker.foreign_times;
	result_encode(&record, &x->record);
	if (x->retry_bytes.failed || x->record.failed)
		err_nomem(&x->why);
}

/* On the loop: copies what is to be changed. Other errors than of memory belong
 * to the item, and are its outcome. */
static int
on_item(const struct broker_item *item, void *arg, struct err *err)
{
	struct change *ch = arg;
	struct dead_task *x = &ch->batch[ch->n];

	if (ch->newest_ms == 0)
		ch->newest_ms = item->time_ms;
	/* A page may be longer than was asked for: the rest is met in the next
	 * pass. */
	if (ch->n == BATCH || item->time_ms > ch->newest_ms)
		return 0;
	if (!dead_matches(item, &ch->filter))
		return 0;
	if ((x->key = strndup(item->key.p, item->key.len)) == NULL)
		return err_nomem(err);
	task_decode(item->bytes, &x->task, &x->why);
	note_seen(ch, item, x->key);
	/* To delete a task needs no understanding of it. */
	if (!ch->what->retry)
		x->why.code = ERR_NONE;
	else if (x->task != NULL)
		prepare(ch, x);
	ch->n++;
	return 0;
}

/* --- changing ---------------------------------------------------------- */

/* The lists are cut at DEAD_TASKS_MAX, so that an answer about millions fits
 * into memory; the counts are complete. */
static void
list_outcome(struct change *ch, const struct dead_task *x, const char *outcome)
{
	json_t *list = x->why.code != ERR_NONE ? ch->refused : ch->done;

	if (json_array_size(list) < DEAD_TASKS_MAX)
		json_array_append_new(
		    list, json_pack("{s:o,s:s?,s:s?,s:s,s:s,s:o?}", "key",
				    member_of_text(x->key), "task_id",
				    x->task ? x->task->id : NULL, "task_name",
				    x->task ? x->task->name : NULL, "queue",
				    ch->queue, "outcome", outcome, "message",
				    x->why.code != ERR_NONE
					? member_of_text(x->why.msg)
					: NULL));
}

/* The outcome of one, once the batch is done. Each is counted in one place
 * only. */
static void
report(struct change *ch, const struct dead_task *x)
{
	if (x->why.code != ERR_NONE) {
		ch->n_refused++;
		list_outcome(ch, x, "refused");
	} else if (ch->what->dry_run) {
		ch->n_done++;
		list_outcome(ch, x, "matched");
	} else if (!x->found) {
		ch->n_gone++;
		list_outcome(ch, x, "gone");
	} else {
		ch->n_done++;
		list_outcome(ch, x, ch->what->retry ? "retried" : "deleted");
	}
}

/* Those that are still to be changed, as puts or as members of a batch. */
static size_t
gather(struct change *ch, struct dead_task **ret)
{
	size_t i, n = 0;

	for (i = 0; i < ch->n; i++)
		if (ch->batch[i].why.code == ERR_NONE)
			ret[n++] = &ch->batch[i];
	return n;
}

/* For restore(): the pending record overwrites the final one. */
static int
keep_old_records(struct change *ch, struct dead_task **xs, size_t n,
		 struct err *err)
{
	const char *ids[BATCH];
	json_t *records[BATCH] = {NULL};
	int result;
	size_t i;

	for (i = 0; i < n; i++)
		ids[i] = xs[i]->task->id;
	result = query_records(ch->client, ids, n, records, err);
	for (i = 0; i < n; i++)
		xs[i]->old_record = records[i];
	return result;
}

/* A step of a workflow has not ended any more, before it can run again. */
static void
reopen_steps(struct change *ch, struct dead_task **xs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (xs[i]->task->flow.len > 0)
			flows_reopen_step(ch->client, xs[i]->task->flow,
					  xs[i]->task->id, &xs[i]->why);
}

/* Stores the pending records. One that could not be stored keeps its task on
 * the dead list: a task that runs must have a record that says so. */
static int
reopen(struct change *ch, struct dead_task **xs, size_t n, struct err *err)
{
	struct err *errs = calloc(n + 1, sizeof(*errs));
	struct query_put puts[BATCH];
	size_t i;

	if (errs == NULL)
		return err_nomem(err);
	for (i = 0; i < n; i++)
		puts[i] = (struct query_put){
		    .id = xs[i]->task->id,
		    .record = {xs[i]->record.data, xs[i]->record.len}};
	query_reopen(ch->client, puts, n, errs);
	for (i = 0; i < n; i++)
		xs[i]->why = errs[i];
	free(errs);
	return 0;
}

static int
reopen_batch(struct change *ch, struct dead_task **xs, size_t n,
	     struct err *err)
{
	if (keep_old_records(ch, xs, n, err) != 0)
		return -1;
	reopen_steps(ch, xs, n);
	n = gather(ch, xs);
	return reopen(ch, xs, n, err);
}

/* It did not leave the dead list after all, so its record is the final one
 * again. Nothing is told if that fails: the record then says pending until the
 * next retry, and the outcome of this one is an error anyway. */
static void
restore(struct change *ch, const struct dead_task *x)
{
	const char *status = member_text(x->old_record, "status");
	struct query_put put;
	char *text;

	if (status == NULL || strcmp(status, "failed") != 0 ||
	    (text = json_dumps(x->old_record, JSON_COMPACT)) == NULL)
		return;
	put = (struct query_put){.id = x->task->id, .record = slice_of(text)};
	query_put_failed(ch->client, &put, 1, NULL);
	free(text);
}

/* The last step: from here on workers may claim what is retried. */
static int
requeue(struct change *ch, struct dead_task **xs, size_t n, struct err *err)
{
	struct broker_requeue *batch = calloc(n + 1, sizeof(*batch));
	size_t i;
	int result;

	if (batch == NULL)
		return err_nomem(err);
	for (i = 0; i < n; i++)
		batch[i] = (struct broker_requeue){
		    .key = slice_of(xs[i]->key),
		    .retry_bytes = {xs[i]->retry_bytes.data,
				    xs[i]->retry_bytes.len},
		    .priority = ch->what->retry ? xs[i]->task->priority : 0};
	result = query_requeue(ch->client, ch->queue, batch, n, err);
	for (i = 0; i < n && result == 0; i++) {
		xs[i]->found = batch[i].found;
		xs[i]->why = batch[i].err;
		if (ch->what->retry &&
		    (batch[i].err.code != ERR_NONE || !batch[i].found))
			restore(ch, xs[i]);
	}
	free(batch);
	return result;
}

/* Records first, then the queue: see the top of the file. Whom a step refuses
 * takes no part in the next one. */
static int
change_batch(struct change *ch, struct err *err)
{
	struct dead_task *xs[BATCH];
	size_t i, n = gather(ch, xs);
	int result = 0;

	if (!ch->what->dry_run && n > 0) {
		if (ch->what->retry && reopen_batch(ch, xs, n, err) != 0)
			return -1;
		n = gather(ch, xs);
		result = n > 0 ? requeue(ch, xs, n, err) : 0;
	}
	for (i = 0; i < ch->n && result == 0; i++)
		report(ch, &ch->batch[i]);
	return result;
}

/* --- all --------------------------------------------------------------- */

/* One pass through a queue's list, page by page. The progress is told with each
 * page, so that a terminal shows that something moves. */
static int
pass(struct change *ch, struct err *err)
{
	struct query_cursor at = {.queue = ch->queue, .place = BROKER_DEAD};
	int result;
	size_t i;

	do {
		ch->n = 0;
		result = query_next(ch->client, &at, on_item, ch, err);
		if (result == 0)
			result = change_batch(ch, err);
		for (i = 0; i < BATCH; i++)
			dead_task_done(&ch->batch[i]);
		if (ch->what->on_progress != NULL &&
		    ch->what->on_progress(ch->n_done, ch->what->arg) != 0)
			ch->stopped = true;
	} while (result == 0 && at.more && !ch->stopped);
	query_cursor_done(&at);
	return result;
}

/* A pass skips half of the list at most, so 30 would do for a thousand million. An
 * entry that stays, since the store is damaged, would be put back in each. */
#define PASSES_MAX 40

/* What leaves the list moves the others, and the cursor may then skip some: so
 * the list is read again until a pass changes nothing. What was refused before
 * is met again in each pass, hence its count and its list start over. */
static int
change_queue(struct change *ch, struct err *err)
{
	const int64_t refused = ch->n_refused;
	const size_t listed = json_array_size(ch->refused);
	unsigned int passes = 0;
	int64_t done;
	int result;

	ch->newest_ms = 0;
	do {
		if (passes++ == PASSES_MAX)
			return err_set(err, ERR_DATA,
				       "the dead list of queue %s does not get "
				       "shorter; its store may be damaged",
				       ch->queue);
		done = ch->n_done;
		ch->n_refused = refused;
		while (json_array_size(ch->refused) > listed)
			json_array_remove(ch->refused, listed);
		result = pass(ch, err);
	} while (result == 0 && !ch->what->dry_run && !ch->stopped &&
		 ch->n_done > done);
	return result;
}

/* An error ends all: the rest would most likely fail in the same way. It says
 * how far it came, since that much is done for good. */
static int
change_queues(struct change *ch, struct err *err)
{
	const char *only = ch->what->filter.tasks.queue;
	json_t *queues = queues_list(ch->client, only, err), *queue;
	int result = queues != NULL ? 0 : -1;
	size_t i;

	json_array_foreach (queues, i, queue) {
		ch->queue = member_text(queue, "queue");
		if (result == 0 && !ch->stopped &&
		    json_integer_value(json_object_get(queue, "dead")) > 0)
			result = change_queue(ch, err);
	}
	json_decref(queues);
	if (result != 0 && ch->n_done > 0)
		err_prefix(err, "after %lld tasks", (long long)ch->n_done);
	return result;
}

/* NULL without memory. */
static json_t *
answer(const struct change *ch)
{
	const struct dead_filter *f = &ch->filter;
	const json_int_t matched = (json_int_t)ch->n_done +
				   (json_int_t)ch->n_refused +
				   (json_int_t)ch->n_gone;
	json_t *missing = json_array();
	size_t i;

	for (i = 0; i < f->n_ids; i++)
		if (!ch->seen[i])
			json_array_append_new(missing,
					      member_of_text(f->ids[i]));
	json_array_extend(ch->done, ch->refused);
	return json_pack("{s:b,s:I,s:I,s:I,s:o,s:O}", "dry_run",
			 ch->what->dry_run, "matched", matched, "done",
			 (json_int_t)(ch->what->dry_run ? 0 : ch->n_done),
			 "refused", (json_int_t)ch->n_refused, "missing",
			 missing, "tasks", ch->done);
}

/* A program may name thousands; each item of the list is looked up among
 * them. */
static int
change_sort_ids(struct change *ch, struct err *err)
{
	const size_t n = ch->what->filter.n_ids;

	ch->filter = ch->what->filter;
	ch->seen = calloc(n + 1, sizeof(*ch->seen));
	ch->ids = calloc(n + 1, sizeof(*ch->ids));
	if (ch->seen == NULL || ch->ids == NULL)
		return err_nomem(err);
	if (n == 0)
		return 0;
	memcpy(ch->ids, ch->filter.ids, n * sizeof(*ch->ids));
	qsort(ch->ids, n, sizeof(*ch->ids), compare_ids);
	ch->filter.ids = ch->ids;
	ch->filter.sorted = true;
	return 0;
}

/* Queue by queue, in the order of their names. */
json_t *
dead_change(struct flowrra_client *c, const struct dead_change *what,
	    struct err *err)
{
	struct change *ch = calloc(1, sizeof(*ch));
	json_t *json = NULL;

	if (ch == NULL) {
		err_nomem(err);
		return NULL;
	}
	ch->client = c;
	ch->what = what;
	ch->done = json_array();
	ch->refused = json_array();
	if (task_filter_check(&what->filter.tasks, err) == 0 &&
	    change_sort_ids(ch, err) == 0 && change_queues(ch, err) == 0 &&
	    (json = answer(ch)) == NULL)
		err_nomem(err);
	if (json != NULL && ch->stopped)
		json_object_set_new(json, "stopped", json_true());
	json_decref(ch->done);
	json_decref(ch->refused);
	free(ch->seen);
	free(ch->ids);
	free(ch);
	return json;
}
