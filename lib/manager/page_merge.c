/* SPDX-License-Identifier: MIT */
/*
 * A list over queues, merged by time.
 *
 * From each queue a page is read, then the next one of the queue that has come
 * least far back, until enough is known: what is later than all that was not
 * looked at yet is in its final order, and can be told. The rest of the pages
 * is read again by the next step.
 *
 * A place is "TIME:SKIP:QUEUE": everything before that time is still to come,
 * and of what has that very time, the queues from QUEUE on, in it but for the
 * first SKIP. So it is short, however many queues there are, and what comes in
 * at the front moves nothing.
 */
#include "manager/page_merge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "store/cursor.h"
#include "util/err.h"
#include "util/name.h"

#define US_PER_MS 1000
/* Of a queue, in the first page: fewer are not worth a question. */
#define PAGE_LEAST 8

/* A queue, as far as it was read. */
struct source {
	unsigned int most; /* entries of a page */
	struct query_cursor cursor;
	bool more;
	int64_t low_ms; /* the time of the last that was read */
};

/* One that was read; those that are not meant count, too. */
struct entry {
	int64_t time_ms;
	size_t source, number; /* in the order in which they came */
	json_t *info;	       /* NULL: it is not meant */
	size_t bytes;
};

struct merging {
	const struct page_merge *what;
	struct page_step step;
	struct source *sources;
	size_t n_sources;
	struct entry *entries;
	size_t n, size;
	/* Where it began; 0: at the latest. */
	int64_t from_ms, from_skip;
	char from_queue[TASK_QUEUE_MAX + 1];
	size_t at; /* the source that is being read */
};

/* --- reading ----------------------------------------------------------- */

static struct entry *
merge_add(struct merging *m, struct err *err)
{
	const size_t size = m->size > 0 ? 2 * m->size : 1024;
	struct entry *grown;

	if (m->n < m->size)
		return &m->entries[m->n];
	if ((grown = realloc(m->entries, size * sizeof(*grown))) == NULL) {
		err_nomem(err);
		return NULL;
	}
	m->entries = grown;
	m->size = size;
	return &m->entries[m->n];
}

/* Whether all that follows is too old. */
static bool
merge_is_past(const struct merging *m, const struct source *s)
{
	return m->what->after_us > 0 &&
	       s->low_ms <= m->what->after_us / US_PER_MS;
}

/* A score that is not a time counts as the one before it, so that the order of
 * the store is kept. */
static int
merge_on_item(const struct broker_item *item, void *arg, struct err *err)
{
	struct merging *m = arg;
	struct source *s = &m->sources[m->at];
	struct entry *e = merge_add(m, err);
	struct err why = ERR_INIT;

	if (e == NULL)
		return -1;
	page_count(&m->step, item->bytes.len);
	if (item->time_ms > 0 && item->time_ms < s->low_ms)
		s->low_ms = item->time_ms;
	*e = (struct entry){.time_ms = s->low_ms,
			    .source = m->at,
			    .number = m->n,
			    .bytes = item->bytes.len};
	if (merge_is_past(m, s))
		return 1; /* and so are all behind it */
	e->info = m->what->on_item(item, s->cursor.queue, m->what->arg, &why);
	if (why.code != ERR_NONE) {
		*err = why;
		return -1;
	}
	m->n++;
	return 0;
}

static int
merge_read(struct merging *m, size_t at, struct err *err)
{
	struct source *s = &m->sources[at];
	const size_t before = m->n;

	m->at = at;
	s->cursor.n = (unsigned int)page_fitting(&m->step, s->most);
	if (s->cursor.n < PAGE_LEAST)
		s->cursor.n = PAGE_LEAST;
	if (query_next(m->what->client, &s->cursor, merge_on_item, m, err) != 0)
		return -1;
	s->more = s->cursor.more;
	if (merge_is_past(m, s))
		s->more = false;
	m->step.looked_at += m->n - before;
	return 0;
}

/* --- the order --------------------------------------------------------- */

static int
merge_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms > y->time_ms ? -1 : 1;
	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

/* Of the queues but `but`, the one that the others have to wait for; SIZE_MAX: all
 * were read to their end. */
static size_t
merge_behind(const struct merging *m, size_t but)
{
	size_t i, at = SIZE_MAX;

	for (i = 0; i < m->n_sources; i++)
		if (i != but && m->sources[i].more &&
		    (at == SIZE_MAX ||
		     m->sources[i].low_ms > m->sources[at].low_ms))
			at = i;
	return at;
}

/* Whether nothing of the source at `behind` that was not read can come before
 * it. */
static bool
merge_is_before(const struct merging *m, const struct entry *e, size_t behind)
{
	const int64_t low_ms =
	    behind != SIZE_MAX ? m->sources[behind].low_ms : INT64_MIN;

	return e->time_ms > low_ms ||
	       (e->time_ms == low_ms && e->source < behind);
}

/* How many entries, or items, from the first on, are in their final order:
 * those of the queue that is behind compete with the others only. */
static size_t
merge_count_final(const struct merging *m, size_t *ret_items)
{
	const size_t first = merge_behind(m, SIZE_MAX);
	const size_t second = merge_behind(m, first);
	const struct entry *e;
	size_t i, n = 0;

	*ret_items = 0;
	for (i = 0; i < m->n; i++) {
		e = &m->entries[i];
		if (!merge_is_before(m, e, e->source == first ? second : first))
			continue;
		n++;
		*ret_items += e->info != NULL;
	}
	return n;
}

/* A queue is read when it is the one that is behind, at first by the time of
 * its newest: most have nothing that is as late as what is wanted. A step ends
 * with something whose order is final, so the list moves on, whatever the
 * bounds. */
static int
merge_fill(struct merging *m, struct err *err)
{
	size_t at, items;

	while ((at = merge_behind(m, SIZE_MAX)) != SIZE_MAX) {
		if (merge_count_final(m, &items) > 0 &&
		    (items >= m->step.query->limit || page_is_over(&m->step)))
			break;
		if (merge_read(m, at, err) != 0)
			return -1;
	}
	return 0;
}

/* --- telling ----------------------------------------------------------- */

/* The place behind the first `n` entries. */
static void
merge_set_next(struct merging *m, size_t n)
{
	const struct entry *last = n > 0 ? &m->entries[n - 1] : NULL;
	const char *queue;
	int64_t skip = 0;
	size_t i;

	/* Pages that were empty, though there is more: once more from there. */
	if (last == NULL) {
		page_next(&m->step, "%" PRId64 ":%" PRId64 ":%s",
			  m->from_ms != 0 ? m->from_ms : INT64_MAX,
			  m->from_skip,
			  m->from_ms != 0 ? m->from_queue
					  : m->sources[0].cursor.queue);
		return;
	}
	queue = m->sources[last->source].cursor.queue;
	for (i = 0; i < n; i++)
		skip += m->entries[i].time_ms == last->time_ms &&
			m->entries[i].source == last->source;
	if (last->time_ms == m->from_ms && strcmp(queue, m->from_queue) == 0)
		skip += m->from_skip;
	page_next(&m->step, "%" PRId64 ":%" PRId64 ":%s", last->time_ms, skip,
		  queue);
}

/* From the latest on, until there is enough, or the order is not final. */
static void
merge_tell(struct merging *m)
{
	size_t i, items, n = merge_count_final(m, &items);

	if (m->n > 0)
		qsort(m->entries, m->n, sizeof(*m->entries), merge_order);
	/* What is final comes before what is not. */
	for (i = 0; i < n && page_wanted(&m->step) > 0; i++) {
		if (m->entries[i].info != NULL)
			page_add(&m->step, m->entries[i].info,
				 m->entries[i].bytes);
	}
	m->step.looked_at = i;
	if (i < m->n || merge_behind(m, SIZE_MAX) != SIZE_MAX)
		merge_set_next(m, i);
}

/* --- beginning --------------------------------------------------------- */

static int
merge_read_place(struct merging *m, struct slice place, struct err *err)
{
	if (place.len == 0)
		return 0;
	if (!cursor_number(&place, 1, INT64_MAX, &m->from_ms) ||
	    !cursor_number(&place, 0, INT64_MAX / 2, &m->from_skip) ||
	    name_check_queue(place, ERR_DATA, NULL) != 0)
		return page_bad(&m->step, err);
	memcpy(m->from_queue, place.p, place.len);
	return 0;
}

/* Of one queue at a time: if any task will do, not more than is wanted; and
 * where there are several, it may lie evenly in all of them. */
static unsigned int
merge_page_size(const struct merging *m)
{
	const size_t limit = m->step.query->limit;
	const size_t n =
	    m->what->any && limit < BROKER_PAGE_MAX ? limit : BROKER_PAGE_MAX;

	return n > PAGE_LEAST ? (unsigned int)n : PAGE_LEAST;
}

/* Where a queue begins: what has the place's time lies, in the queues before
 * the place's, in front of it, and in those behind it after it. */
static void
source_begin(const struct merging *m, struct source *s, const json_t *found)
{
	const struct page_merge *what = m->what;
	const char *queue = member_text(found, "queue");
	const int64_t newest_ms =
	    json_integer_value(json_object_get(found, "newest_ms"));
	int order = m->from_ms != 0 ? strcmp(queue, m->from_queue) : 0;

	*s = (struct source){.low_ms = newest_ms > 0 ? newest_ms : INT64_MAX,
			     .most = merge_page_size(m),
			     .more = true};
	s->cursor = (struct query_cursor){.queue = queue, .place = what->place};
	if (m->from_ms != 0) {
		s->cursor.until_ms = order < 0 ? m->from_ms - 1 : m->from_ms;
		s->cursor.skip = order == 0 ? m->from_skip : 0;
	} else if (what->before_us > 0) {
		s->cursor.until_ms = what->before_us / US_PER_MS;
	}
	if (s->cursor.until_ms > 0 && s->cursor.until_ms < s->low_ms)
		s->low_ms = s->cursor.until_ms;
	if (merge_is_past(m, s))
		s->more = false;
}

static int
merge_begin(struct merging *m, const json_t *queues, struct err *err)
{
	const json_t *queue;
	size_t i;

	m->sources = calloc(json_array_size(queues) + 1, sizeof(*m->sources));
	if (m->sources == NULL)
		return err_nomem(err);
	json_array_foreach (queues, i, queue)
		source_begin(m, &m->sources[m->n_sources++], queue);
	return 0;
}

static void
merge_done(struct merging *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		json_decref(m->entries[i].info);
	for (i = 0; i < m->n_sources; i++)
		query_cursor_done(&m->sources[i].cursor);
	free(m->entries);
	free(m->sources);
	page_step_done(&m->step);
}

json_t *
page_merge(const struct page_merge *what, struct page_query *query,
	   int (*finish)(const struct page_merge *, json_t *, struct err *),
	   struct err *err)
{
	struct merging m = {.what = what};
	json_t *queues = NULL, *answer = NULL;
	struct slice place;

	if (page_step_begin(&m.step, query, what->hash, &place, err) == 0 &&
	    merge_read_place(&m, place, err) == 0 &&
	    (queues = queues_find(what->client, what->queue, what->place,
				  err)) != NULL &&
	    merge_begin(&m, queues, err) == 0 && merge_fill(&m, err) == 0) {
		merge_tell(&m);
		if (finish == NULL || finish(what, m.step.items, err) == 0)
			answer = page_answer(&m.step, err);
	}
	merge_done(&m);
	json_decref(queues);
	return answer;
}
