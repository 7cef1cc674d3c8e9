/* SPDX-License-Identifier: MIT */
/* Limits: their scopes and rules as texts. */
#include "core/limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/name.h"
#include "util/utf8.h"

#define CONCURRENCY "{\"concurrency\":"

/* UTF-8 without control characters. */
static bool
limit_is_text(struct slice text)
{
	size_t at = 0, len;

	while (at < text.len) {
		if ((unsigned char)text.p[at] < ' ' || text.p[at] == 0x7f ||
		    (len = utf8_length(text.p + at, text.len - at)) == 0)
			return false;
		at += len;
	}
	return true;
}

int
limit_check_group(struct slice group, enum err_code code, struct err *err)
{
	if (group.len > 0 && group.len <= LIMIT_GROUP_MAX &&
	    limit_is_text(group))
		return 0;
	return err_set(err, code,
		       "the group \"%.*s\" is not valid: it must be 1 to %d "
		       "bytes of UTF-8 without control characters",
		       (int)(group.len < 40 ? group.len : 40), group.p,
		       LIMIT_GROUP_MAX);
}

/* Steps are names of members, or places in an array. */
int
limit_check_path(struct slice path, enum err_code code, struct err *err)
{
	static const char args[] = "args.", kwargs[] = "kwargs.";
	size_t i;
	bool ok = path.len <= LIMIT_PATH_MAX && limit_is_text(path);

	if (path.len > strlen(args) && memcmp(path.p, args, strlen(args)) == 0)
		;
	else if (path.len <= strlen(kwargs) ||
		 memcmp(path.p, kwargs, strlen(kwargs)) != 0)
		ok = false;
	for (i = 1; ok && i < path.len; i++)
		ok = path.p[i] != '.' || path.p[i - 1] != '.';
	if (ok && path.p[path.len - 1] != '.')
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

void
limit_rule_write(const struct limit_rule *rule, struct buf *out)
{
	buf_addf(out, CONCURRENCY "%lld}", (long long)rule->concurrency);
}

bool
limit_rule_read(struct slice text, struct limit_rule *ret)
{
	char digits[8];
	size_t n = 0, at = strlen(CONCURRENCY);

	if (text.len <= at || memcmp(text.p, CONCURRENCY, at) != 0)
		return false;
	while (at + n < text.len && n + 1 < sizeof(digits) &&
	       text.p[at + n] >= '0' && text.p[at + n] <= '9') {
		digits[n] = text.p[at + n];
		n++;
	}
	digits[n] = '\0';
	ret->concurrency = atol(digits);
	return ret->concurrency > 0;
}
