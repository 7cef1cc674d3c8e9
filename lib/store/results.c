/* SPDX-License-Identifier: MIT */
/*
 * The backend contract (results.h): finds the store that a URL names, and
 * passes each call on to it. What is the same for every store is here: what a
 * store that has no replies does, and the shape of the event of a record.
 */
#include "store/results.h"

#include "codec/result_json.h"
#include "store/store.h"

struct results *
results_open(const struct results_options *options, struct err *err)
{
	/* The section is for the message: users know URLs by it. */
	const struct store *store = store_find(options->url, "backend", err);

	return store != NULL ? store->results->open(options, err) : NULL;
}

void
results_close(struct results *r)
{
	/* Those who open several things close them all on an error. */
	if (r != NULL)
		r->ops->close(r);
}

const char *
results_name(const struct results *r)
{
	return r->ops->name(r);
}

bool
results_is_up(const struct results *r)
{
	return r->ops->is_up(r);
}

void
results_put(struct results *r, struct results_put *put)
{
	r->ops->put(r, put);
}

size_t
results_unconfirmed(const struct results *r)
{
	return r->ops->unconfirmed(r);
}

void
results_hurry(struct results *r)
{
	if (r->ops->hurry != NULL)
		r->ops->hurry(r);
}

void
results_get(struct results *r, struct slice id, results_record_fn *on_record,
	    void *arg)
{
	r->ops->get(r, id, on_record, arg);
}

void
results_create(struct results *r, const struct slice *ids,
	       const struct slice *records, struct err *errs, size_t n,
	       results_created_fn *on_done, void *arg)
{
	r->ops->create(r, ids, records, errs, n, on_done, arg);
}

void
results_forget(struct results *r, const struct slice *ids, size_t n)
{
	r->ops->forget(r, ids, n);
}

struct results_watch *
results_watch(struct results *r, struct slice id, results_record_fn *on_record,
	      void *arg, struct err *err)
{
	return r->ops->watch(r, id, on_record, arg, err);
}

struct results_watch *
results_follow(struct results *r, struct slice id, results_record_fn *on_record,
	       void *arg, struct err *err)
{
	return r->ops->follow(r, id, on_record, arg, err);
}

void
results_unwatch(struct results_watch *w)
{
	/* A wait has no watch for a task when it could not begin one. */
	if (w != NULL)
		w->results->ops->unwatch(w);
}

/* Replies save Redis a subscription for each short task. A store without them
 * leaves both members out, and its tasks are watched. */
const char *
results_reply_to(struct results *r)
{
	return r->ops->reply_to != NULL ? r->ops->reply_to(r) : NULL;
}

struct results_watch *
results_await(struct results *r, struct slice id, results_record_fn *on_record,
	      void *arg, struct err *err)
{
	return (r->ops->await != NULL ? r->ops->await : r->ops->watch)(
	    r, id, on_record, arg, err);
}

void
results_event(struct results *r, enum results_detail detail, struct slice event)
{
	r->ops->event(r, detail, event);
}

/* The record may be another program's: one that cannot be read has no brief
 * event. */
static void
results_changed_brief(struct results *r, struct slice record)
{
	struct buf scratch = BUF_INIT, whole = BUF_INIT, event = BUF_INIT;
	struct result result;

	if (result_decode(record, &scratch, &result, NULL) == 0) {
		buf_adds(&event, RESULTS_UPDATE);
		result_encode_both(&result, &whole, &event);
		buf_addc(&event, '}');
		if (!whole.failed && !event.failed)
			results_event(r, RESULTS_BRIEF,
				      (struct slice){event.data, event.len});
	}
	buf_done(&scratch);
	buf_done(&whole);
	buf_done(&event);
}

void
results_changed(struct results *r, struct slice record)
{
	/* The record is JSON already, and goes in as it is. */
	struct buf event = BUF_INIT;

	buf_adds(&event, RESULTS_UPDATE);
	buf_add(&event, record.p, record.len);
	buf_addc(&event, '}');
	/* Without memory it is lost, as any event may be. */
	if (!event.failed)
		results_event(r, RESULTS_WHOLE,
			      (struct slice){event.data, event.len});
	buf_done(&event);
	results_changed_brief(r, record);
}

unsigned int
results_heard(const struct results *r)
{
	return r->ops->heard(r);
}

void
results_expect(struct results *r, enum results_detail detail)
{
	r->ops->expect(r, detail);
}

int
results_listen(struct results *r, const struct results_ear *ear,
	       struct err *err)
{
	return r->ops->listen(r, ear, err);
}

void
results_list(struct results *r, bool failed, struct slice cursor,
	     unsigned int n, results_page_fn *on_page, void *arg)
{
	r->ops->list(r, failed, cursor, n, on_page, arg);
}

void
results_counts(struct results *r, results_counts_fn *on_counts, void *arg)
{
	r->ops->counts(r, on_counts, arg);
}

void
results_reopen(struct results *r, struct slice id, struct slice record,
	       results_record_fn *on_done, void *arg)
{
	r->ops->reopen(r, id, record, on_done, arg);
}

void
results_examine(struct results *r, results_findings_fn *on_findings, void *arg)
{
	if (r->ops->examine != NULL)
		r->ops->examine(r, on_findings, arg);
	else
		on_findings(NULL, 0, NULL, arg);
}
