/* SPDX-License-Identifier: MIT */
/* The backend of the fake store. */
#include <inttypes.h>
#include <stdlib.h>

#include "codec/result_json.h"
#include "fake_store_private.h"
#include "suite.h"

static void
fake_results_close(struct results *r)
{
	fake_drop_questions(r);
	free(r);
}

static const char *
fake_results_name(const struct results *r)
{
	return "fake";
}

static void
fake_results_put(struct results *r, struct results_put *put)
{
	static const char *const names[] = {[RESULT_PENDING] = "pending",
					    [RESULT_RUNNING] = "running",
					    [RESULT_RETRYING] = "retrying",
					    [RESULT_SUCCESS] = "success",
					    [RESULT_FAILED] = "failed"};
	struct buf scratch = BUF_INIT;
	struct result record;

	ck_assert_int_eq(result_decode(put->record, &scratch, &record, NULL),
			 0);
	fake_journal(names[record.status]);
	buf_done(&scratch);
	fake_keep_text(&fake_store_now->last_record, put->record);
	fake_store_now->last_put = *put;
	TAILQ_INSERT_TAIL(&fake_store_now->puts, &put->pending, link);
}

static size_t
fake_results_unconfirmed(const struct results *r)
{
	return !TAILQ_EMPTY(&fake_store_now->puts);
}

static void
fake_results_get(struct results *r, struct slice id,
		 results_record_fn *on_record, void *arg)
{
	fake_ask((struct fake_question){
	    .of = r, .on_record = on_record, .arg = arg});
}

static void
fake_results_create(struct results *r, const struct slice *ids,
		    const struct slice *records, struct err *errs, size_t n,
		    results_created_fn *on_done, void *arg)
{
	fake_ask((struct fake_question){
	    .of = r, .on_created = on_done, .errs = errs, .n = n, .arg = arg});
}

static void
fake_results_forget(struct results *r, const struct slice *ids, size_t n)
{
	fake_journal("forget");
}

static unsigned int
fake_results_heard(const struct results *r)
{
	return fake_store_now->heard;
}

static void
fake_results_event(struct results *r, enum results_detail detail,
		   struct slice event)
{
	fake_store_now->last_detail = detail;
	fake_keep_text(&fake_store_now->last_event, event);
	fake_store_now->events++;
}

static void
fake_results_expect(struct results *r, enum results_detail detail)
{
	fake_store_now->heard |= 1u << detail;
}

static bool
fake_results_is_up(const struct results *r)
{
	return fake_store_now->results_up;
}

/* The first of the answers: they come from the loop. */
static void
fake_results_measure(struct results *r, int64_t at_s,
		     const struct measure *measures, size_t n,
		     results_measured_fn *on_done, void *arg)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf_addf(&fake_store_now->measured,
			 "%.*s/%.*s %u+%" PRId64 "; ",
			 (int)measures[i].queue.len, measures[i].queue.p,
			 (int)measures[i].task.len, measures[i].task.p,
			 measures[i].what, measures[i].n);
	fake_store_now->measurings++;
	fake_ask((struct fake_question){
	    .of = r, .on_measured = on_done, .arg = arg});
}

static const struct results_ops fake_results_ops = {
    .close = fake_results_close,
    .name = fake_results_name,
    .put = fake_results_put,
    .unconfirmed = fake_results_unconfirmed,
    .get = fake_results_get,
    .create = fake_results_create,
    .forget = fake_results_forget,
    .event = fake_results_event,
    .heard = fake_results_heard,
    .expect = fake_results_expect,
    .is_up = fake_results_is_up,
    .measure = fake_results_measure};

struct results *
fake_results_open(const struct results_options *options, struct err *err)
{
	struct results *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	fake_store_now->results = *options;
	r->ops = &fake_results_ops;
	return r;
}
