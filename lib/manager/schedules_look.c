/* SPDX-License-Identifier: MIT */
/*
 * Looking at schedules: lists with a filter, and one of them.
 *
 * A list is asked of the database page by page, and texts are looked for here:
 * so a search means the same in all three databases, and can be ended after any
 * schedule. A cursor says behind which one to go on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cron/cron.h"
#include "manager/page.h"
#include "manager/schedule_json.h"
#include "manager/schedules.h"
#include "manager/schedules_private.h"
#include "schedules/history.h"
#include "util/err.h"
#include "util/sat.h"

#define LIMIT_USUAL 50
/* With a text, many are read for one that is found. */
#define SEARCH_PAGE 500
/* Fires of a small picture: as many bars as fit beside a name. */
#define SPARK_FIRES 20

/* Out of range is not an error here: routes and options check for
 * themselves. */
size_t
schedules_page_limit(size_t limit)
{
	return limit == 0		? LIMIT_USUAL
	       : limit > PAGE_LIMIT_MAX ? PAGE_LIMIT_MAX
					: limit;
}

/* --- where a list goes on ------------------------------------------------ */

/* The parts of a list: by id; or first what is due, then the rest. */
enum list_part { PART_ID = 'i', PART_DUE = 'd', PART_IDLE = 'n' };

struct list_place {
	enum list_part part;
	int64_t due_us;
	char id[SCHEDULE_ID_MAX + 1]; /* "": at its beginning */
};

/* One list on its way. */
struct listing {
	struct schedules *db;
	const struct schedule_query *query;
	struct page_step step;
	struct list_place place;
	bool full;  /* there is one more than fits */
	bool ended; /* all was looked at */
};

/* What makes a cursor one of this question. */
static uint64_t
question(const struct schedule_query *q)
{
	struct buf text = BUF_INIT;
	uint64_t seed;

	buf_addf(&text, "%d\n%d\n%s\n%s\n%s", q->enabled, q->by_next,
		 q->prefix != NULL ? q->prefix : "",
		 q->task != NULL ? q->task : "",
		 q->text != NULL ? q->text : "");
	seed = cron_seed((struct slice){text.data, text.len});
	buf_done(&text);
	return seed;
}

/* Of a cursor, what stands behind the hash of the question (page.c): the part,
 * when the last schedule was due, and its id, which is compared only: it may be
 * anything that fits. */
static int
read_place(struct listing *l, struct slice text, struct err *err)
{
	struct list_place *p = &l->place;
	char *end;

	*p =
	    (struct list_place){.part = l->query->by_next ? PART_DUE : PART_ID};
	if (l->query->prefix != NULL)
		snprintf(p->id, sizeof(p->id), "%s", l->query->prefix);
	if (text.len == 0)
		return 0;
	if (strchr("idn", text.p[0]) == NULL ||
	    (text.p[0] == PART_ID) == l->query->by_next || text.p[1] != '.')
		return page_bad(&l->step, err);
	p->part = (enum list_part)text.p[0];
	p->due_us = strtoll(text.p + 2, &end, 10);
	if (*end != '.' || strlen(end + 1) > SCHEDULE_ID_MAX)
		return page_bad(&l->step, err);
	memcpy(p->id, end + 1, strlen(end + 1) + 1);
	return 0;
}

/* --- what is looked for --------------------------------------------------- */

/* Letters of ASCII in any case; the rest by its bytes. */
static bool
has_text(const char *in, const char *text)
{
	const size_t len = strlen(text);

	for (; *in != '\0'; in++)
		if (strncasecmp(in, text, len) == 0)
			return true;
	return len == 0;
}

/* Words are made last, for they cost the most. */
static bool
schedule_has_text(const struct schedule *s, const char *text)
{
	struct buf words = BUF_INIT;
	bool has;

	if (text == NULL || has_text(s->id, text) || has_text(s->task, text) ||
	    has_text(s->rule, text) || has_text(s->description, text))
		return true;
	schedule_words(s, &words);
	has = words.data != NULL && has_text(words.data, text);
	buf_done(&words);
	return has;
}

/* The number of those that were missed or skipped. */
static int
add_missed(struct schedules *db, const char *id, json_t *item, struct err *err)
{
	int64_t skipped[SCHEDULE_N_REASONS], sum = 0;
	int i;

	if (schedules_skipped(db, id, skipped, err) != 0)
		return -1;
	for (i = 0; i < SCHEDULE_N_REASONS; i++)
		sum = sat_add(sum, skipped[i]);
	json_object_set_new(item, "missed", json_integer(sum));
	return 0;
}

/* The latest come first from the database, and a picture has them last. */
static int
add_spark(struct schedules *db, const char *id, json_t *item, struct err *err)
{
	struct schedules_history *h;
	json_t *spark = json_array();
	size_t i;

	if (schedules_history(db, id, INT64_MAX, SPARK_FIRES, &h, err) != 0) {
		json_decref(spark);
		return -1;
	}
	for (i = h->n; i > 0; i--)
		json_array_append_new(
		    spark,
		    json_integer(h->items[i - 1].outcome == SCHEDULE_SENT));
	schedules_history_free(h);
	json_object_set_new(item, "spark", spark);
	return 0;
}

/* --- lists ---------------------------------------------------------------- */

/* A page of the database. */
static int
read_page(const struct listing *l, size_t n, struct schedules_list **ret,
	  struct err *err)
{
	const struct schedule_query *q = l->query;
	const struct schedules_filter filter = {
	    .only_enabled = q->enabled == 1,
	    .only_disabled = q->enabled == 0,
	    .task = q->task,
	    .after = l->place.id,
	    .limit = n,
	    .by_due = q->by_next,
	    .after_due_us =
		l->place.part == PART_IDLE ? SCHEDULES_IDLE : l->place.due_us,
	};

	return schedules_list(l->db, &filter, ret, err);
}

/* Takes a schedule, if it is looked for; the place is behind it then. By ID, those
 * with a prefix stand together. */
static int
take_schedule(struct listing *l, const struct schedule *s, struct err *err)
{
	const char *prefix = l->query->prefix;
	json_t *item;

	if (prefix != NULL && strncmp(s->id, prefix, strlen(prefix)) != 0) {
		l->ended = true;
		return 0;
	}
	if (schedule_has_text(s, l->query->text)) {
		if (page_wanted(&l->step) == 0) {
			l->full = true;
			return 0;
		}
		item = schedule_json(s);
		if (l->query->figures &&
		    (add_missed(l->db, s->id, item, err) != 0 ||
		     add_spark(l->db, s->id, item, err) != 0)) {
			json_decref(item);
			return -1;
		}
		if (json_array_append_new(l->step.items, item) != 0)
			return err_nomem(err);
	}
	l->step.looked_at++;
	l->place.due_us = s->due_us;
	snprintf(l->place.id, sizeof(l->place.id), "%s", s->id);
	return 0;
}

/* Whether the answer is complete, full, or has taken long enough. Asked between
 * pages: one page is read within milliseconds. */
static bool
is_over(const struct listing *l)
{
	return l->full || l->ended || page_is_over(&l->step);
}

/* The next part, or the end. */
static void
next_part(struct listing *l)
{
	if (l->place.part == PART_DUE)
		l->place = (struct list_place){.part = PART_IDLE};
	else
		l->ended = true;
}

/* With a text many are read for one that is shown: hence larger pages. */
static int
fill_list(struct listing *l, struct err *err)
{
	struct schedules_list *page;
	size_t i, n;
	int result = 0;

	/* What is disabled is never due. */
	if (l->place.part == PART_DUE && l->query->enabled == 0)
		next_part(l);
	while (!is_over(l) && result == 0) {
		/* One more tells whether there is more. */
		n = l->query->text != NULL ? SEARCH_PAGE
					   : page_wanted(&l->step) + 1;
		if (read_page(l, n, &page, err) != 0)
			return -1;
		for (i = 0; i < page->n && result == 0 && !l->full && !l->ended;
		     i++)
			result = take_schedule(l, &page->items[i], err);
		if (result == 0 && !l->full && page->n < n)
			next_part(l);
		schedules_list_free(page);
	}
	return result;
}

/* What is found within the bounds is an answer; "complete" and "next" say what
 * it lacks. */
json_t *
schedule_list(struct schedules *db, const struct schedule_query *query,
	      struct err *err)
{
	struct page_query page = {.cursor = query->cursor,
				  .limit = schedules_page_limit(query->limit)};
	struct listing l = {.db = db, .query = query};
	json_t *answer = NULL;
	struct slice place;

	if (page_step_begin(&l.step, &page, question(query), &place, err) ==
		0 &&
	    read_place(&l, place, err) == 0 && fill_list(&l, err) == 0) {
		if (!l.ended)
			page_next(&l.step, "%c.%" PRId64 ".%s",
				  (char)l.place.part, l.place.due_us,
				  l.place.id);
		answer = page_answer(&l.step, err);
	}
	page_step_done(&l.step);
	return answer;
}

json_t *
schedule_stored(struct schedules *db, const char *id, struct err *err)
{
	struct schedules_list *found;
	json_t *json;

	if (schedules_get(db, id, &found, err) != 0)
		return NULL;
	json = schedule_json(&found->items[0]);
	schedules_list_free(found);
	if (json == NULL)
		err_nomem(err);
	return json;
}

/* With the number of fires that were missed, but without a picture. */
json_t *
schedule_show(struct schedules *db, const char *id, struct err *err)
{
	json_t *json = schedule_stored(db, id, err);

	if (json != NULL && add_missed(db, id, json, err) == 0)
		return json;
	json_decref(json);
	return NULL;
}
