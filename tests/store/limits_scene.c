/* SPDX-License-Identifier: MIT */
/* What the contract tests of limits share. */
#include "store/limits_scene.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "store/redis/broker.h"
#include "util/clock.h"

void
lim_open(int kind)
{
	op_open(kind);
	if (kind == KIND_REDIS && op.stage.cluster == NULL)
		event_del(((struct rbroker *)op.worker->broker)->liveness);
}

struct party *
lim_worker(void)
{
	return op.worker;
}

/* --- limits ---------------------------------------------------------------- */

/* When the first limit was set; 0: none was. Each test has its own process. */
static int64_t changed_us;

void
lim_in_time(void)
{
	if (changed_us != 0)
		ck_assert_int_lt(clock_mono_us() - changed_us, 8000000);
}

void
lim_change(struct broker_limit_change *change)
{
	if (changed_us == 0)
		changed_us = clock_mono_us();
	change->queue = SLICE("io");
	op_forget();
	op.producer->answered = false;
	broker_limits_change(op.producer->broker, change, party_on_value,
			     op.producer);
	UNTIL(&op.stage, op.producer->answered);
	ck_assert_msg(op.producer->err.code == ERR_NONE, "%s",
		      op.producer->err.msg);
}

void
lim_set_by(enum limit_kind kind, const char *key, int64_t n, const char *by)
{
	struct broker_limit_change c = {
	    .rule = {.kind = kind, .key = slice_of(key), .concurrency = n},
	    .by = slice_of(by)};

	lim_change(&c);
}

void
lim_set(enum limit_kind kind, const char *key, int64_t n)
{
	lim_set_by(kind, key, n, "");
}

bool
lim_unset(enum limit_kind kind, const char *key)
{
	struct broker_limit_change c = {
	    .rule = {.kind = kind, .key = slice_of(key)}, .unset = true};

	lim_change(&c);
	return op.producer->value[0] != '\0';
}

static char shown[1024];
static char owners[256];
static int64_t since_ms[4];

int64_t
lim_since(size_t i)
{
	return since_ms[i];
}

static void
on_limits(const struct broker_limit *limits, size_t n, struct slice by,
	  const struct err *err, void *arg)
{
	struct party *p = arg;
	struct buf text = BUF_INIT, whose = BUF_INIT;
	size_t i;

	ck_assert_msg(err == NULL, "%s", err != NULL ? err->msg : "");
	for (i = 0; i < n; i++) {
		if (i < sizeof(since_ms) / sizeof(since_ms[0]))
			since_ms[i] = limits[i].held_since_ms;
		limit_scope_write(&limits[i].rule, &text);
		buf_addf(&text, " %lld %lld %lld; ",
			 (long long)limits[i].rule.concurrency,
			 (long long)limits[i].running,
			 (long long)limits[i].held);
		buf_addf(&whose, "%.*s/%.*s; ", (int)limits[i].declared_by.len,
			 limits[i].declared_by.p,
			 (int)limits[i].disputed_by.len,
			 limits[i].disputed_by.p);
	}
	if (by.len > 0)
		buf_addf(&text, "by %.*s", (int)by.len, by.p);
	snprintf(shown, sizeof(shown), "%s", text.len > 0 ? text.data : "");
	snprintf(owners, sizeof(owners), "%s", whose.len > 0 ? whose.data : "");
	buf_done(&text);
	buf_done(&whose);
	p->answered = true;
}

const char *
lim_shown(void)
{
	op.producer->answered = false;
	broker_limits_get(op.producer->broker, SLICE("io"), on_limits,
			  op.producer);
	UNTIL(&op.stage, op.producer->answered);
	return shown;
}

const char *
lim_owners(void)
{
	lim_shown();
	return owners;
}

/* --- tasks ----------------------------------------------------------------- */

void
lim_put(const char *id, const char *group, int32_t priority)
{
	char bytes[256];

	if (group != NULL)
		snprintf(bytes, sizeof(bytes),
			 "{\"id\":\"%s\",\"name\":\"n\",\"group\":\"%s\","
			 "\"args\":[],\"kwargs\":{}}",
			 id, group);
	else
		snprintf(bytes, sizeof(bytes),
			 "{\"id\":\"%s\",\"name\":\"n\",\"args\":[],"
			 "\"kwargs\":{}}",
			 id);
	ck_assert_int_eq(party_submit(op.producer, id, bytes, priority, 0),
			 ERR_NONE);
}

bool
lim_is_claim(const struct party *p, size_t i, const char *id)
{
	char text[64];
	const struct broker_claim *c = p->claims[i];

	snprintf(text, sizeof(text), "\"id\":\"%s\"", id);
	return memmem(c->bytes.p, c->bytes.len, text, strlen(text)) != NULL;
}

bool
lim_has_claim(const struct party *p, size_t from, const char *id)
{
	size_t i;

	for (i = from; i < p->n_claims; i++)
		if (lim_is_claim(p, i, id))
			return true;
	return false;
}

void
lim_take(struct party *p, size_t n)
{
	broker_want(p->broker, 0, 100);
	UNTIL(p->stage, p->n_claims >= n);
	stage_linger(p->stage, 30);
	ck_assert_uint_eq(p->n_claims, n);
	lim_in_time();
}
