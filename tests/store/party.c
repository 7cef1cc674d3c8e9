/* SPDX-License-Identifier: MIT */
/* Parties of a stage: brokers, what they are told, and what they do. */
#include <stdio.h>
#include <stdlib.h>

#include "store/stage.h"
#include "suite.h"

static void
on_claim(struct broker_claim *claim, void *arg)
{
	struct party *p = arg;

	ck_assert_uint_lt(p->n_claims, 4096);
	p->claims[p->n_claims++] = claim;
}

static void
on_control(struct slice message, void *arg)
{
	struct party *p = arg;

	p->orders++;
	snprintf(p->order, sizeof(p->order), "%.*s", (int)message.len,
		 message.p);
}

static void
on_idle(void *arg)
{
	((struct party *)arg)->quiets++;
}

static void
party_on_lost(struct broker_claim *claim, void *arg)
{
	struct party *p = arg;

	p->lost[p->n_lost++] = claim;
}

static void
party_on_kept(struct broker_claim *claim, void *arg)
{
	struct party *p = arg;

	p->n_kept += claim != NULL;
	p->trusts += claim == NULL;
}

static void
on_state(bool up, bool final, const struct err *why, void *arg)
{
	struct party *p = arg;

	p->refused = p->refused || final;
	if (up && why == NULL)
		p->ups++;
	if (why != NULL) {
		p->why = *why;
		p->troubles++;
	}
}

static void
party_on_trimmed(const struct broker_trimmed *trimmed, void *arg)
{
	struct party *p = arg;

	ck_assert(slice_eq(trimmed->queue, SLICE("io")));
	ck_assert_int_le(trimmed->beyond + trimmed->expired, BROKER_TIDY_STEP);
	p->beyond += trimmed->beyond;
	p->expired += trimmed->expired;
	p->gone += trimmed->lost;
	p->trims += trimmed->lost == 0;
}

struct party *
party_begin(struct stage *w, const struct party_options *o)
{
	struct party *p = calloc(1, sizeof(*p));
	struct broker_options options = w->options;
	struct err err;

	p->stage = w;
	options.worker = o->worker;
	options.token = o->token;
	options.predecessor = o->predecessor;
	options.on_lost = party_on_lost;
	options.on_kept = party_on_kept;
	options.on_claim = on_claim;
	options.on_control = on_control;
	options.on_idle = on_idle;
	options.on_state = on_state;
	options.on_trimmed = party_on_trimmed;
	options.arg = p;
	if (o->worker == NULL)
		options.n_queues = 0;
	p->broker = broker_open(&options, &err);
	ck_assert_msg(p->broker != NULL, "%s", err.msg);
	return p;
}

/* One that opens after another has closed is the same process. */
struct party *
party_open(struct stage *w, const char *worker)
{
	const struct party_options options = {
	    .worker = worker, .token = worker, .predecessor = ""};
	struct party *p = party_begin(w, &options);

	UNTIL(w, p->ups > 0 || p->refused);
	return p;
}

void
party_close(struct party *p)
{
	broker_close(p->broker);
	free(p);
}

static void
on_submitted(struct broker_submit *batch, size_t n, void *arg)
{
	((struct party *)arg)->answered = true;
}

/* Every other one goes without a turn of the loop, where the store can do that:
 * whatever is true of a submission must be true of both. */
enum err_code
party_submit_with(struct party *p, struct broker_submit *task)
{
	static unsigned int n;
	const bool direct = n++ % 2 == 0 && broker_look(p->broker);

	p->answered = false;
	broker_submit(p->broker, task, 1, on_submitted, p);
	if (direct)
		broker_push(p->broker);
	stage_called(p->stage);
	UNTIL(p->stage, p->answered);
	p->err = task->err;
	return task->err.code;
}

enum err_code
party_submit(struct party *p, const char *id, const char *bytes,
	     int32_t priority, int64_t delay_ms)
{
	struct broker_submit task = {.queue = "io",
				     .id = slice_of(id),
				     .bytes = slice_of(bytes),
				     .priority = priority,
				     .delay_ms = delay_ms};

	return party_submit_with(p, &task);
}

void
party_submit_batch(struct party *p, struct broker_submit *tasks, size_t n)
{
	size_t i;

	p->answered = false;
	broker_submit(p->broker, tasks, n, on_submitted, p);
	stage_called(p->stage);
	UNTIL(p->stage, p->answered);
	for (i = 0; i < n; i++)
		ck_assert_msg(tasks[i].err.code == ERR_NONE, "%s",
			      tasks[i].err.msg);
}

static void
on_settled(struct broker_settle *settle)
{
	((struct party *)settle->arg)->settled++;
}

void
party_settle_with(struct party *p, size_t i, struct broker_settle *s)
{
	const size_t before = p->settled;

	s->claim = p->claims[i];
	s->arg = p;
	s->on_done = on_settled;
	broker_settle(p->broker, s);
	stage_called(p->stage);
	UNTIL(p->stage, p->settled > before);
	p->claims[i] = NULL;
}

void
party_settle(struct party *p, size_t i, enum broker_disposition disposition)
{
	struct broker_settle s = {.disposition = disposition,
				  .id = SLICE("dead-id"),
				  .info = SLICE("{\"reason\":\"test\"}")};

	party_settle_with(p, i, &s);
}

void
party_retry(struct party *p, size_t i, const char *again, int64_t delay_ms)
{
	struct broker_settle s = {.disposition = BROKER_RETRY,
				  .retry_bytes = slice_of(again),
				  .delay_ms = delay_ms};

	party_settle_with(p, i, &s);
}

void
party_bury(struct party *p, size_t i, const char *id, const char *info)
{
	struct broker_settle s = {.disposition = BROKER_BURY,
				  .id = slice_of(id),
				  .info = slice_of(info)};

	party_settle_with(p, i, &s);
}

bool
party_has(const struct party *p, size_t i, const char *bytes)
{
	return i < p->n_claims && p->claims[i] != NULL &&
	       slice_eq(p->claims[i]->bytes, slice_of(bytes));
}
