/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: the room that a scope of a limit has: of those that may run at
 * once, and by its rate.
 */
#include "store/sqlite/limit_room.h"

#include "core/limit.h"
#include "store/sqlite/results.h"

/* 1 with *ret, 0: there is none; or -1. */
static int
sroom_rule(const struct sroom *s, struct slice scope, struct limit_rule *ret)
{
	const int more =
	    tx_first(s->tx, s->err, SQL_LIMIT_GET, s->queue, scope);
	bool known;

	if (more <= 0)
		return more;
	known = limit_rule_read(tx_bytes(s->tx, SQL_LIMIT_GET, 0), ret);
	tx_end(s->tx, SQL_LIMIT_GET);
	return known;
}

/* Of a group without a rule of its own, that of each. */
static int
sroom_rule_of(const struct sroom *s, struct slice scope, struct limit_rule *ret)
{
	const int found = sroom_rule(s, scope, ret);

	if (found != 0 || scope.p[0] != 'g')
		return found;
	return sroom_rule(s, SLICE("g"), ret);
}

static int64_t
sroom_count(const struct sroom *s, struct slice scope)
{
	const enum statement_index sql = scope.p[0] == 'q' ? SQL_RUNNING_ALL
					 : scope.p[0] == 't'
					     ? SQL_RUNNING_TASK
					     : SQL_RUNNING_GROUP;
	const int more = sql == SQL_RUNNING_ALL
			     ? tx_first(s->tx, s->err, sql, s->queue)
			     : tx_first(s->tx, s->err, sql, s->queue, scope);
	int64_t n;

	if (more != 1)
		return -1;
	n = tx_int(s->tx, sql, 0);
	tx_end(s->tx, sql);
	return n;
}

/*
 * When the next one of a scope would be due if they came evenly. It may be ahead of
 * the clock by as much as a burst has; what is more comes of a clock that was set
 * back. -1: an error.
 */
static int64_t
sroom_tat(const struct sroom *s, struct slice scope,
	  const struct limit_rule *rule)
{
	const int64_t now = tx_now(s->tx) * 1000;
	const int64_t most =
	    now + limit_depth_us(rule) + limit_interval_us(rule);
	const int more = tx_first(s->tx, s->err, SQL_TAT_GET, s->queue, scope);
	int64_t tat = now;

	if (more < 0)
		return -1;
	if (more == 1) {
		tat = tx_int(s->tx, SQL_TAT_GET, 0);
		tx_end(s->tx, SQL_TAT_GET);
	}
	if (tat > most) {
		tat = most;
		if (tx_run(s->tx, s->err, SQL_TAT_SET, s->queue, scope, tat) <
		    0)
			return -1;
	}
	return tat < now ? now : tat;
}

int64_t
sroom_of(const struct sroom *s, struct slice scope, int64_t *ret_until)
{
	struct limit_rule rule;
	const int found = sroom_rule_of(s, scope, &rule);
	int64_t room = INT64_MAX, n, tat, ahead;

	*ret_until = 0;
	if (found <= 0)
		return found < 0 ? -1 : INT64_MAX;
	if (rule.concurrency > 0) {
		if ((n = sroom_count(s, scope)) < 0)
			return -1;
		room = n < rule.concurrency ? rule.concurrency - n : 0;
	}
	if (rule.rate == 0 || room == 0)
		return room;
	if ((tat = sroom_tat(s, scope, &rule)) < 0)
		return -1;
	ahead = tat - tx_now(s->tx) * 1000;
	n = ahead > limit_depth_us(&rule)
		? 0
		: (limit_depth_us(&rule) - ahead) / limit_interval_us(&rule) +
		      1;
	if (n == 0)
		*ret_until = tat - limit_depth_us(&rule);
	return n < room ? n : room;
}

int
sroom_spend(const struct sroom *s, struct slice scope, int64_t n)
{
	struct limit_rule rule;
	const int found =
	    scope.len > 0 && n > 0 ? sroom_rule_of(s, scope, &rule) : 0;
	int64_t tat;

	if (found <= 0 || rule.rate == 0)
		return found < 0 ? -1 : 0;
	if ((tat = sroom_tat(s, scope, &rule)) < 0)
		return -1;
	return tx_run(s->tx, s->err, SQL_TAT_SET, s->queue, scope,
		      tat + n * limit_interval_us(&rule)) < 0
		   ? -1
		   : 0;
}

int
sroom_rest(const struct sroom *s, struct slice scope, int64_t until)
{
	return until > 0 && tx_run(s->tx, s->err, SQL_RESTING_SET, s->queue,
				   scope, until) < 0
		   ? -1
		   : 0;
}
