/* SPDX-License-Identifier: MIT */
/* Unique tasks: what a producer says of the key, and what it means. */
#include "core/unique.h"

#include <string.h>

#include "core/task.h"
#include "util/err.h"
#include "util/utf8.h"

/* An hour outlives most retries of a producer, and forgets a key that nobody will
 * use again. One that the task frees lasts longer than any task should. */
#define TIME_TTL_S 3600
#define TASK_TTL_S (30 * 24 * 3600)

const char *const unique_until_words[UNIQUE_END + 1] = {
    [UNIQUE_TIME] = "", [UNIQUE_START] = "start", [UNIQUE_END] = "end"};

/* The task has such a key in its JSON. */
static bool
unique_is_utf8(const char *text)
{
	const size_t len = text != NULL ? strlen(text) : 0;
	size_t at = 0, n;

	for (; at < len; at += n)
		if ((n = utf8_length(text + at, len - at)) == 0)
			return false;
	return true;
}

static int
unique_read_until(const char *word, enum unique_until *ret, struct err *err)
{
	enum unique_until until;

	for (until = UNIQUE_START; until <= UNIQUE_END; until++)
		if (strcmp(word, unique_until_words[until]) == 0) {
			*ret = until;
			return 0;
		}
	return err_set(err, ERR_DATA,
		       "unique_until \"%.32s\" is not valid: it must be start "
		       "or end",
		       word);
}

/* What needs a key, or what another one says otherwise. */
static int
unique_check(const struct unique_wish *w, const struct unique *u,
	     struct err *err)
{
	const size_t len = w->key != NULL ? strlen(w->key) : 0;

	if (w->key != NULL && (len == 0 || len > UNIQUE_KEY_MAX))
		return err_set(err, ERR_DATA,
			       "a unique key has 1 to %d bytes, not %zu",
			       UNIQUE_KEY_MAX, len);
	if (w->key == NULL &&
	    (w->until != NULL || w->ttl_s > 0 || w->debounce_s > 0))
		return err_set(err, ERR_DATA, "%s needs a key (unique)",
			       w->until != NULL ? "unique_until"
			       : w->ttl_s > 0	? "unique_ttl"
						: "debounce");
	if (w->debounce_s > 0 && (w->delayed || u->until == UNIQUE_END))
		return err_set(err, ERR_DATA, "cannot use debounce with %s",
			       w->delayed ? "delay or at"
					  : "unique_until \"end\"");
	if ((w->until != NULL || w->debounce_s > 0) && !unique_is_utf8(w->key))
		return err_set(err, ERR_DATA,
			       "with unique_until or debounce, the unique key "
			       "must be UTF-8");
	return 0;
}

/* Written so that NaN fails. */
static int
unique_check_seconds(const char *what, double value, double low,
		     struct err *err)
{
	if (value <= 0 || (value >= low && value <= TASK_DURATION_MAX_S))
		return 0;
	return err_set(err, ERR_DATA, "%s %.10g is out of range (%g to %d)",
		       what, value, low, TASK_DURATION_MAX_S);
}

int
unique_read(const struct unique_wish *wish, struct unique *ret, struct err *err)
{
	struct unique u = {.until = UNIQUE_TIME};

	if (wish->until != NULL &&
	    unique_read_until(wish->until, &u.until, err) != 0)
		return -1;
	if (unique_check(wish, &u, err) != 0 ||
	    unique_check_seconds("unique_ttl", wish->ttl_s, 1, err) != 0 ||
	    unique_check_seconds("debounce", wish->debounce_s, 0, err) != 0)
		return -1;
	if (wish->debounce_s > 0) {
		u.until = UNIQUE_START;
		u.debounce_ms = (int64_t)(wish->debounce_s * 1000 + 0.999);
	}
	u.ttl_s = wish->ttl_s > 0	   ? (int64_t)(wish->ttl_s + 0.5)
		  : u.until != UNIQUE_TIME ? TASK_TTL_S
					   : TIME_TTL_S;
	*ret = u;
	return 0;
}
