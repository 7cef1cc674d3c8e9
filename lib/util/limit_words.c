/* SPDX-License-Identifier: MIT */
/* How people write limits: rates, and where the group of a task stands. */
#include "util/limit_words.h"

#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/utf8.h"

bool
limit_words_text(struct slice text)
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

bool
limit_words_rate(const char *text, int64_t *ret_n, int64_t *ret_period_ms)
{
	int64_t us;
	char *end;

	*ret_n = strtoll(text, &end, 10);
	if (end == text || *end != '/' ||
	    clock_parse_duration(end + 1, &us, NULL) != 0)
		return false;
	*ret_period_ms = us / 1000;
	return true;
}

/* Steps are names of members, or places in an array. */
bool
limit_words_path(struct slice path)
{
	static const char args[] = "args.", kwargs[] = "kwargs.";
	size_t i;
	bool ok = path.len <= LIMIT_PATH_MAX && limit_words_text(path);

	if (path.len > strlen(args) && memcmp(path.p, args, strlen(args)) == 0)
		;
	else if (path.len <= strlen(kwargs) ||
		 memcmp(path.p, kwargs, strlen(kwargs)) != 0)
		ok = false;
	for (i = 1; ok && i < path.len; i++)
		ok = path.p[i] != '.' || path.p[i - 1] != '.';
	return ok && path.p[path.len - 1] != '.';
}
