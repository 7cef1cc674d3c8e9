/* SPDX-License-Identifier: MIT */
/* Backends of a stage: records that are put, and read again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/stage.h"
#include "suite.h"

static void
on_results_state(bool up, bool final, const struct err *why, void *arg)
{
	struct backend *r = arg;

	(void) final;
	r->ups += up && why == NULL;
	r->troubles += why != NULL;
}

struct backend *
backend_open(struct stage *w)
{
	struct backend *r = calloc(1, sizeof(*r));
	const struct results_options options = {.base = w->base,
						.url = w->url,
						.timeout_ms = 2000,
						.max_connections = 10,
						.has_queues =
						    w->options.has_records,
						.on_state = on_results_state,
						.arg = r};
	struct err err;

	r->results = results_open(&options, &err);
	ck_assert_msg(r->results != NULL, "%s", err.msg);
	UNTIL(w, r->ups > 0);
	return r;
}

void
backend_close(struct backend *r)
{
	results_close(r->results);
	free(r);
}

static void
on_stored(struct results_put *put)
{
	struct backend *r = put->arg;

	r->answer = put->answer;
	r->stored++;
}

static void
backend_store(struct stage *w, struct backend *r, struct results_put *put)
{
	const size_t before = r->stored;

	put->failed = put->record.p != NULL &&
		      strstr(put->record.p, "\"failed\"") != NULL;
	put->on_done = on_stored;
	put->arg = r;
	results_put(r->results, put);
	stage_called(w);
	UNTIL(w, r->stored > before);
}

void
backend_put(struct stage *w, struct backend *r, const char *id,
	    const char *record, bool final, int64_t ttl_s)
{
	struct results_put put = {.id = slice_of(id),
				  .record = slice_of(record),
				  .final = final,
				  .ttl_s = ttl_s};

	backend_store(w, r, &put);
}

void
backend_put_of(struct stage *w, struct backend *r, const char *id,
	       const char *record, bool final, const struct broker_claim *claim)
{
	struct results_put put = {.id = slice_of(id),
				  .record = slice_of(record),
				  .final = final,
				  .lossy = !final,
				  .ttl_s = 60,
				  .claim = claim};

	backend_store(w, r, &put);
}

struct backend *
backend_begin(struct stage *w)
{
	struct backend *r = backend_open(w);

	backend_put(w, r, "before",
		    "{\"task_id\":\"before\",\"status\":\"running\"}", false,
		    0);
	return r;
}

void
backend_on_record(struct slice record, const struct err *err, void *arg)
{
	struct backend *r = arg;

	r->answered = true;
	r->err.code = ERR_NONE;
	if (err != NULL)
		r->err = *err;
	r->found = record.len > 0;
	r->none = record.p == NULL;
	snprintf(r->record, sizeof(r->record), "%.*s", (int)record.len,
		 record.p != NULL ? record.p : "");
}

const char *
backend_get(struct stage *w, struct backend *r, const char *id)
{
	r->answered = false;
	results_get(r->results, slice_of(id), backend_on_record, r);
	UNTIL(w, r->answered);
	ck_assert_msg(r->err.code == ERR_NONE, "%s", r->err.msg);
	return r->found ? r->record : NULL;
}

void
backend_reopen(struct stage *w, struct backend *r, const char *id,
	       const char *record)
{
	r->answered = false;
	results_reopen(r->results, slice_of(id), slice_of(record),
		       backend_on_record, r);
	UNTIL(w, r->answered);
	ck_assert_msg(r->err.code == ERR_NONE, "%s", r->err.msg);
	ck_assert(!r->found);
}
