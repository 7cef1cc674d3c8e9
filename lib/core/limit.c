/* SPDX-License-Identifier: MIT */
/* Limits: their scopes and rules as texts. */
#include "core/limit.h"

#include <string.h>

int
limit_check_group(struct slice group, enum err_code code, struct err *err)
{
	if (group.len > 0 && group.len <= LIMIT_GROUP_MAX &&
	    limit_words_text(group))
		return 0;
	return err_set(err, code,
		       "the group \"%.*s\" is not valid: it must be 1 to %d "
		       "bytes of UTF-8 without control characters",
		       (int)(group.len < 40 ? group.len : 40), group.p,
		       LIMIT_GROUP_MAX);
}

int
limit_check_path(struct slice path, enum err_code code, struct err *err)
{
	if (limit_words_path(path))
		return 0;
	return err_set(err, code,
		       "the path \"%.*s\" is not valid: it must be kwargs.NAME "
		       "or args.NUMBER, and may go on with .NAME",
		       (int)(path.len < 40 ? path.len : 40), path.p);
}

void
limit_scope_write(const struct limit_rule *rule, struct buf *out)
{
	static const char *const prefixes[] = {[LIMIT_QUEUE] = "q",
					       [LIMIT_TASK] = "t:",
					       [LIMIT_GROUP] = "g:",
					       [LIMIT_EACH_GROUP] = "g"};

	buf_adds(out, prefixes[rule->kind]);
	buf_add(out, rule->key.p, rule->key.len);
}

bool
limit_scope_read(struct slice scope, struct limit_rule *ret)
{
	ret->key = (struct slice){NULL, 0};
	if (slice_eq(scope, SLICE("q"))) {
		ret->kind = LIMIT_QUEUE;
	} else if (slice_eq(scope, SLICE("g"))) {
		ret->kind = LIMIT_EACH_GROUP;
	} else if (scope.len > 2 && scope.p[1] == ':' &&
		   (scope.p[0] == 't' || scope.p[0] == 'g')) {
		ret->kind = scope.p[0] == 't' ? LIMIT_TASK : LIMIT_GROUP;
		ret->key = (struct slice){scope.p + 2, scope.len - 2};
	} else {
		return false;
	}
	return true;
}

/* --- rules ------------------------------------------------------------------- */

int64_t
limit_interval_us(const struct limit_rule *rule)
{
	/* Rounded up: not one too many. */
	return rule->rate > 0
		   ? (rule->period_ms * 1000 + rule->rate - 1) / rule->rate
		   : 0;
}

int64_t
limit_depth_us(const struct limit_rule *rule)
{
	return (rule->burst - 1) * limit_interval_us(rule);
}

static int
limit_check_number(const char *what, int64_t n, int64_t most, struct err *err)
{
	if (n >= 1 && n <= most)
		return 0;
	return err_set(err, ERR_DATA, "a %s must be from 1 to %lld", what,
		       (long long)most);
}

int
limit_check_rule(const struct limit_rule *rule, struct err *err)
{
	if (rule->concurrency == 0 && rule->rate == 0)
		return err_set(err, ERR_DATA,
			       "a limit needs a concurrency or a rate");
	if (rule->concurrency != 0 &&
	    limit_check_number("concurrency", rule->concurrency,
			       LIMIT_CONCURRENCY_MAX, err) != 0)
		return -1;
	if (rule->rate == 0)
		return 0;
	if (limit_check_number("rate", rule->rate, LIMIT_RATE_MAX, err) != 0 ||
	    limit_check_number("period in milliseconds", rule->period_ms,
			       LIMIT_PERIOD_MAX_MS, err) != 0)
		return -1;
	return limit_check_number("burst", rule->burst, rule->rate, err);
}

int
limit_rate_read(const char *text, struct limit_rule *ret, struct err *err)
{
	if (limit_words_rate(text, &ret->rate, &ret->period_ms))
		return 0;
	return err_set(err, ERR_DATA,
		       "the rate \"%.40s\" is not valid: it must be "
		       "N/DURATION, as 100/1m",
		       text);
}

void
limit_rule_write(const struct limit_rule *rule, struct buf *out)
{
	const char *sign = "{";

	if (rule->concurrency > 0) {
		buf_addf(out, "%s\"concurrency\":%lld", sign,
			 (long long)rule->concurrency);
		sign = ",";
	}
	if (rule->rate > 0)
		buf_addf(out, "%s\"rate\":%lld,\"period\":%lld,\"burst\":%lld",
			 sign, (long long)rule->rate,
			 (long long)rule->period_ms, (long long)rule->burst);
	buf_addc(out, '}');
}

/* A member of our own writing; 0: it is not there. */
static int64_t
limit_number(struct slice text, const char *name)
{
	const char *end = text.p + text.len, *p;
	int64_t n = 0;

	p = memmem(text.p, text.len, name, strlen(name));
	if (p == NULL)
		return 0;
	for (p += strlen(name); p < end && *p >= '0' && *p <= '9'; p++)
		if (n < LIMIT_PERIOD_MAX_MS)
			n = 10 * n + (*p - '0');
	return n;
}

void
limit_rule_sign(struct buf *rule, const char *worker)
{
	if (rule->len > 0)
		rule->len--;
	buf_addf(rule, ",\"worker\":\"%s\"}", worker);
}

/* Of our own writing, too: it ends with the worker. */
struct slice
limit_rule_worker(struct slice text)
{
	static const char name[] = ",\"worker\":\"";
	const char *at = NULL, *end;

	if (text.len > 0)
		at = memmem(text.p, text.len, name, strlen(name));
	if (at == NULL)
		return (struct slice){NULL, 0};
	at += strlen(name);
	end = memchr(at, '"', (size_t)(text.p + text.len - at));
	return (struct slice){at, end != NULL ? (size_t)(end - at) : 0};
}

struct slice
limit_rule_unsigned(struct slice text)
{
	const struct slice worker = limit_rule_worker(text);

	if (worker.p != NULL)
		text.len =
		    (size_t)(worker.p - strlen(",\"worker\":\"") - text.p);
	else if (text.len > 0)
		text.len--;
	return text;
}

bool
limit_rule_read(struct slice text, struct limit_rule *ret)
{
	ret->concurrency = limit_number(text, "\"concurrency\":");
	ret->rate = limit_number(text, "\"rate\":");
	ret->period_ms = limit_number(text, "\"period\":");
	ret->burst = limit_number(text, "\"burst\":");
	return limit_check_rule(ret, NULL) == 0;
}
