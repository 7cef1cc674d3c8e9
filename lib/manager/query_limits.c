/* SPDX-License-Identifier: MIT */
/* Queries about the limits of a queue. */
#include <stdlib.h>

#include "manager/member.h"
#include "manager/query.h"
#include "util/err.h"

struct limits_query {
	struct query q;
	json_t *limits;
	const struct broker_limit_change *change;
	bool found;
};

static const char *const scope_words[] = {[LIMIT_QUEUE] = "queue",
					  [LIMIT_TASK] = "task",
					  [LIMIT_GROUP] = "group",
					  [LIMIT_EACH_GROUP] = "each_group"};

static json_t *
text_or_null(struct slice text)
{
	return text.len > 0 ? json_stringn(text.p, text.len) : json_null();
}

/* 0 is none. */
static json_t *
number_or_null(int64_t n, int divisor)
{
	if (n == 0)
		return json_null();
	return divisor == 1 ? json_integer(n) : json_real((double)n / divisor);
}

static json_t *
json_of_limit(struct slice queue, const struct broker_limit *limit,
	      struct slice by)
{
	const struct limit_rule *rule = &limit->rule;

	return json_pack(
	    "{s:s%,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:I,s:o,s:o,s:o}", "queue",
	    queue.p, queue.len, "scope", scope_words[limit->rule.kind], "key",
	    text_or_null(limit->rule.key), "by", text_or_null(by),
	    "concurrency", number_or_null(rule->concurrency, 1), "rate",
	    number_or_null(rule->rate, 1), "period",
	    number_or_null(rule->period_ms, 1000), "burst",
	    number_or_null(rule->burst, 1), "running",
	    (json_int_t)limit->running, "held", (json_int_t)limit->held,
	    "held_since",
	    limit->held_since_ms > 0
		? member_of_time(limit->held_since_ms * 1000)
		: json_null(),
	    "declared_by", text_or_null(limit->declared_by), "disputed_by",
	    text_or_null(limit->disputed_by));
}

static void
on_limits(const struct broker_limit *limits, size_t n, struct slice by,
	  const struct err *err, void *arg)
{
	struct limits_query *l = arg;
	struct err why;
	size_t i;

	if (err != NULL) {
		query_end(&l->q, err);
		return;
	}
	l->limits = json_array();
	for (i = 0; i < n; i++)
		if (json_array_append_new(
			l->limits, json_of_limit(l->q.key, &limits[i], by)) !=
		    0)
			break;
	if (l->limits == NULL || i < n) {
		json_decref(l->limits);
		l->limits = NULL;
		err_nomem(&why);
		query_end(&l->q, &why);
		return;
	}
	query_end(&l->q, NULL);
}

static void
send_limits(struct query *q)
{
	broker_limits_get(q->client->broker, q->key, on_limits,
			  container_of(q, struct limits_query, q));
}

json_t *
query_limits(struct flowrra_client *c, const char *queue, struct err *err)
{
	struct limits_query l = {
	    .q = {.client = c, .send = send_limits, .key = slice_of(queue)}};

	if (client_check(c, err) != 0 || query_run(&l.q, err) != 0)
		return NULL;
	return l.limits;
}

static void
send_change(struct query *q)
{
	const struct limits_query *l = container_of(q, struct limits_query, q);

	broker_limits_change(q->client->broker, l->change, query_answer, q);
}

int
query_limit_change(struct flowrra_client *c,
		   const struct broker_limit_change *change, bool *ret_found,
		   struct err *err)
{
	struct limits_query l = {.q = {.client = c, .send = send_change},
				 .change = change};
	int result = client_check(c, err);

	if (result == 0)
		result = query_run(&l.q, err);
	*ret_found = l.q.present;
	buf_done(&l.q.value);
	return result;
}

static void
on_restored(enum broker_declared_how how, struct slice worker,
	    const struct err *err, void *arg)
{
	struct limits_query *l = arg;

	l->found = how == BROKER_DECLARED_SET;
	query_end(&l->q, err);
}

static void
send_restore(struct query *q)
{
	struct limits_query *l = container_of(q, struct limits_query, q);
	const struct broker_declaration declaration = {.queue =
							   l->change->queue,
						       .rule = l->change->rule,
						       .restores = true};

	broker_limits_declare(q->client->broker, &declaration, on_restored, l);
}

int
query_limit_restore(struct flowrra_client *c,
		    const struct broker_limit_change *change, bool *ret_found,
		    struct err *err)
{
	struct limits_query l = {.q = {.client = c, .send = send_restore},
				 .change = change};
	int result = client_check(c, err);

	if (result == 0)
		result = query_run(&l.q, err);
	*ret_found = l.found;
	return result;
}
