/* SPDX-License-Identifier: MIT */
/*
 * Lists of tasks by their state, in steps.
 *
 * What waits or runs is read queue by queue, in the order of the store; what is
 * delayed is merged by its time (tasks_delayed.c); what has ended is one list
 * of the backend. A place of the first and the last is "SKIP:QUEUE:CURSOR": a
 * page of the store, by the cursor that it begins at, and how many of it were
 * told.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/load.h"
#include "codec/task_json.h"
#include "core/task.h"
#include "manager/member.h"
#include "manager/page.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "manager/tasks.h"
#include "manager/tasks_private.h"
#include "store/cursor.h"
#include "util/err.h"
#include "util/name.h"

/* Records are stored in about the order in which tasks end: by so much may a
 * worker's clock, or its way to the backend, differ. */
#define ENDED_SLACK_US INT64_C(600000000)

/* What an info is called, where its time is, and what its record adds. */
static const struct {
	const char *name;
	const char *time;
	enum broker_location place;
	bool joined; /* always */
} states[] = {
    [TASKS_WAITING] = {"pending", "submitted_at", BROKER_WAITING, false},
    [TASKS_DELAYED] = {"delayed", "due_at", BROKER_DELAYED, false},
    [TASKS_RETRYING] = {"retrying", "due_at", BROKER_DELAYED, true},
    [TASKS_RUNNING] = {"running", "started_at", BROKER_IN_FLIGHT, true},
    [TASKS_COMPLETED] = {"success", "finished_at", 0, false},
    [TASKS_FAILED] = {"failed", "finished_at", 0, false},
};

/* One that was found in a page, and its place there. */
struct candidate {
	size_t at;
	json_t *info;
	size_t bytes;
};

/* A step through pages that follow one another. */
struct steps {
	struct flowrra_client *client;
	enum tasks_state state;
	const struct task_filter *filter;
	struct page_step step;
	struct query_cursor queue;	 /* of what waits or runs */
	struct query_list_cursor record; /* of what has ended */
	struct buf cursor;		 /* where this page begins */
	/* Of this page. */
	size_t skip, n;
	struct candidate found[BROKER_PAGE_MAX];
	size_t n_found, found_bytes;
	size_t cut; /* what follows is too much; 0: nothing */
	bool past;  /* all that follows ended too long ago */
};
_Static_assert(RESULTS_PAGE_MAX <= BROKER_PAGE_MAX, "a page fits");

bool
tasks_is_joined(enum tasks_state state, const struct task_filter *filter)
{
	return states[state].joined || tasks_need_record(state, filter);
}

/* What has ended is in the backend, and all else in the broker's queues. */
static bool
is_final(const struct steps *s)
{
	return s->state == TASKS_COMPLETED || s->state == TASKS_FAILED;
}

/* --- items ------------------------------------------------------------- */

/* Members that some states do not have are null, so that all have the same. */
static int
add_state(json_t *info, enum tasks_state state)
{
	static const char *const members[] = {
	    "task_id", "status",  "task_name",	  "queue",	"priority",
	    "args",    "kwargs",  "submitted_at", "started_at", "finished_at",
	    "due_at",  "retries", "max_retries",  "worker",	"progress",
	    "error",   "reason"};
	size_t i;
	int status;

	/* The attempts are shown with one task only (tasks_show()). */
	json_object_del(info, "history");
	status =
	    json_object_set_new(info, "state", json_string(states[state].name));
	if (state == TASKS_WAITING && json_object_get(info, "limited") == NULL)
		status |= json_object_set_new(info, "limited", json_false()) |
			  json_object_set_new(info, "limit", json_null());
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (json_object_get(info, members[i]) == NULL)
			status |=
			    json_object_set_new(info, members[i], json_null());
	return status;
}

/* The item's info, with the number of retries that its task allows. NULL with
 * *err: only memory can be missing, since bytes that are not a task have an
 * info as well. */
json_t *
tasks_info_of_item(const struct broker_item *item, enum tasks_state state,
		   const char *queue, struct err *err)
{
	json_t *info = task_info_of(item, states[state].place, queue);
	struct err why;
	struct task *task = load_task(item, &why);
	int status = 0;

	if (task != NULL && task->max_retries != TASK_UNSET)
		status = json_object_set_new(
		    info, "max_retries",
		    json_integer((json_int_t)task->max_retries));
	task_free(task);
	if (info == NULL || status != 0 || add_state(info, state) != 0) {
		json_decref(info);
		err_nomem(err);
		return NULL;
	}
	return info;
}

/* --- a page ------------------------------------------------------------ */

/* Takes the info. */
static int
steps_find(struct steps *s, json_t *info, size_t bytes, struct err *err)
{
	if (info == NULL)
		return -1;
	if (s->n_found == BROKER_PAGE_MAX) {
		json_decref(info);
		return err_set(err, ERR_INTERNAL, "a page is too long");
	}
	s->found[s->n_found++] = (struct candidate){s->n - 1, info, bytes};
	s->found_bytes += bytes;
	return 0;
}

/* Of the page that was read there is enough: the rest is for the next step. */
static bool
steps_is_cut(struct steps *s)
{
	if (s->found_bytes >= PAGE_BYTES && s->cut == 0)
		s->cut = s->n - 1;
	return s->cut != 0;
}

/* On the loop. Items that the page before has told are counted and passed over:
 * a cursor of the store stands at the beginning of a page only. */
static int
steps_on_item(const struct broker_item *item, void *arg, struct err *err)
{
	struct steps *s = arg;

	page_count(&s->step, item->bytes.len);
	if (s->n++ < s->skip || steps_is_cut(s) ||
	    !task_filter_item(s->filter, item))
		return 0;
	return steps_find(
	    s, tasks_info_of_item(item, s->state, s->queue.queue, err),
	    item->bytes.len, err);
}

/* One that cannot be read does not hide the others. */
static int
steps_on_record(struct slice record, void *arg, struct err *err)
{
	struct steps *s = arg;
	int64_t finished_us;
	bool meant;
	json_t *info;

	page_count(&s->step, record.len);
	if (s->n++ < s->skip || steps_is_cut(s))
		return 0;
	meant = task_filter_record(s->filter, record, &finished_us);
	if (finished_us != 0 && s->filter->after_us != 0 &&
	    finished_us < s->filter->after_us - ENDED_SLACK_US)
		s->past = true;
	if (!meant || (info = load_json(record, NULL)) == NULL)
		return 0;
	if (!json_is_object(info) || add_state(info, s->state) != 0) {
		json_decref(info);
		return 0;
	}
	return steps_find(s, info, record.len, err);
}

/* Reads the page that begins at `cursor`, which is kept. */
static int
steps_read(struct steps *s, struct err *err)
{
	/* What has ended is one list, of all queues. */
	const bool any = task_filter_is_any(s->filter) &&
			 (!is_final(s) || s->filter->queue == NULL);
	const size_t wanted = s->skip + page_wanted(&s->step);
	const unsigned int n = (unsigned int)page_fitting(
	    &s->step,
	    any && wanted < BROKER_PAGE_MAX ? wanted : BROKER_PAGE_MAX);
	struct buf *next = is_final(s) ? &s->record.next : &s->queue.next;

	s->n = s->n_found = s->found_bytes = s->cut = 0;
	buf_reset(&s->cursor);
	buf_add(&s->cursor, next->data != NULL ? next->data : "", next->len);
	if (s->cursor.failed)
		return err_nomem(err);
	s->queue.n = s->record.n = n;
	return is_final(s)
		   ? query_list_next(s->client, &s->record, steps_on_record, s,
				     err)
		   : query_next(s->client, &s->queue, steps_on_item, s, err);
}

/* Whether the list goes on behind the page that was read. */
static bool
steps_more(const struct steps *s)
{
	return is_final(s) ? s->record.more && !s->past : s->queue.more;
}

/* Joins, in one go, what needs its record to be known. */
static int
steps_join(struct steps *s, struct err *err)
{
	json_t *list;
	size_t i;
	int result;

	if (is_final(s) || s->n_found == 0 ||
	    !tasks_is_joined(s->state, s->filter))
		return 0;
	if ((list = json_array()) == NULL)
		return err_nomem(err);
	for (i = 0; i < s->n_found; i++)
		json_array_append(list, s->found[i].info);
	result = tasks_join_records(s->client, list, s->state, err);
	json_decref(list);
	return result;
}

/* Tells what was found, until there is enough. Returns how many of the page
 * were looked at. */
static size_t
steps_tell(struct steps *s)
{
	const char *time = states[s->state].time;
	struct candidate *one;
	size_t i;

	for (i = 0; i < s->n_found; i++) {
		one = &s->found[i];
		/* Records were held against it already. */
		if (!is_final(s) &&
		    !task_filter_info(s->filter, one->info, time))
			continue;
		page_add(&s->step, one->info, one->bytes);
		if (page_wanted(&s->step) == 0)
			return one->at + 1;
	}
	return s->cut != 0 ? s->cut : s->n;
}

/* The infos that were told are held by the step by now. */
static void
steps_forget(struct steps *s)
{
	while (s->n_found > 0)
		json_decref(s->found[--s->n_found].info);
}

/* The place where the next step begins; see the top for its form. */
static void
steps_set_next(struct steps *s, const char *queue, size_t skip,
	       const struct buf *cursor)
{
	page_next(&s->step, "%zu:%s:%.*s", skip, queue,
		  (int)(cursor != NULL ? cursor->len : 0),
		  cursor != NULL && cursor->data != NULL ? cursor->data : "");
}

/* Pages of one list, from where its cursor stands. *ret_ended: it is at its
 * end; else the step is over, and its next place is set. */
static int
steps_walk(struct steps *s, const char *queue, bool *ret_ended, struct err *err)
{
	size_t seen;
	int result;

	*ret_ended = false;
	do {
		result = steps_read(s, err);
		if (result == 0)
			result = steps_join(s, err);
		seen = result == 0 ? steps_tell(s) : 0;
		steps_forget(s);
		if (result != 0)
			return -1;
		s->step.looked_at += seen > s->skip ? seen - s->skip : 0;
		if (seen < s->n) {
			steps_set_next(s, queue, seen, &s->cursor);
			return 0;
		}
		s->skip = s->skip > s->n ? s->skip - s->n : 0;
		if (!steps_more(s)) {
			*ret_ended = true;
			return 0;
		}
	} while (page_wanted(&s->step) > 0 && !page_is_over(&s->step));
	steps_set_next(s, queue, s->skip,
		       is_final(s) ? &s->record.next : &s->queue.next);
	return 0;
}

/* --- lists ------------------------------------------------------------- */

/* A place that was read from a cursor; the beginning of all if that is
 * empty. */
struct place {
	int64_t skip;
	char queue[TASK_QUEUE_MAX + 1];
	struct slice cursor;
};

/* The cursor comes from a client: each part is checked, and the store checks
 * its own. */
static int
read_place(struct steps *s, struct slice text, struct place *ret,
	   struct err *err)
{
	const char *colon;
	size_t len;

	*ret = (struct place){.skip = 0};
	if (text.len == 0)
		return 0;
	if (!cursor_number(&text, 0, BROKER_PAGE_MAX, &ret->skip) ||
	    (colon = memchr(text.p, ':', text.len)) == NULL)
		return page_bad(&s->step, err);
	len = (size_t)(colon - text.p);
	if (is_final(s) ? len > 0
			: name_check_queue((struct slice){text.p, len},
					   ERR_DATA, NULL) != 0)
		return page_bad(&s->step, err);
	memcpy(ret->queue, text.p, len);
	ret->cursor = (struct slice){colon + 1, text.len - len - 1};
	return 0;
}

/* An error of a store about the cursor that it was given is one about ours. */
static void
blame_cursor(struct steps *s, const struct place *place, const struct err *err)
{
	if (err->code == ERR_DATA && place->cursor.len > 0 &&
	    s->step.looked_at == 0)
		s->step.query->bad_cursor = true;
}

static int
walk_final(struct steps *s, const struct place *place, struct err *err)
{
	bool ended;

	s->record.failed = s->state == TASKS_FAILED;
	buf_add(&s->record.next, place->cursor.p, place->cursor.len);
	s->skip = (size_t)place->skip;
	if (steps_walk(s, "", &ended, err) == 0)
		return 0;
	blame_cursor(s, place, err);
	return -1;
}

/* One queue after the other, by name. The place's own may be gone. */
static int
walk_queue(struct steps *s, const struct place *place, const char *name,
	   bool *ret_ended, struct err *err)
{
	const bool here = strcmp(name, place->queue) == 0;

	query_cursor_done(&s->queue);
	s->queue = (struct query_cursor){.queue = name,
					 .place = states[s->state].place};
	if (here)
		buf_add(&s->queue.next, place->cursor.p, place->cursor.len);
	s->skip = here ? (size_t)place->skip : 0;
	return steps_walk(s, name, ret_ended, err);
}

/* Queues before that of the place were told by steps before; a queue that came
 * meanwhile is told if its name is behind. */
static int
walk_all(struct steps *s, const struct place *place, const json_t *queues,
	 struct err *err)
{
	const char *name;
	json_t *queue;
	bool ended;
	size_t i;

	json_array_foreach (queues, i, queue) {
		name = member_text(queue, "queue");
		if (strcmp(name, place->queue) < 0)
			continue;
		/* The last was read to its end, and there is enough. */
		if (page_wanted(&s->step) == 0 ||
		    (s->step.looked_at > 0 && page_is_over(&s->step))) {
			steps_set_next(s, name, 0, NULL);
			return 0;
		}
		if (walk_queue(s, place, name, &ended, err) != 0) {
			blame_cursor(s, place, err);
			return -1;
		}
		if (!ended)
			return 0;
	}
	return 0;
}

/* On the heap: a page of candidates has some 12 KiB. */
static json_t *
page_of_pages(struct flowrra_client *c, enum tasks_state state,
	      const struct task_filter *filter, struct page_query *query,
	      struct err *err)
{
	struct steps *s = calloc(1, sizeof(*s));
	json_t *queues = NULL, *answer = NULL;
	struct place place;
	struct slice text;
	int result = -1;

	if (s == NULL) {
		err_nomem(err);
		return NULL;
	}
	s->client = c;
	s->state = state;
	s->filter = filter;
	if (page_step_begin(&s->step, query, task_filter_hash(filter, state),
			    &text, err) == 0 &&
	    read_place(s, text, &place, err) == 0) {
		if (is_final(s))
			result = walk_final(s, &place, err);
		else if ((queues = queues_find(c, filter->queue,
					       states[state].place, err)) !=
			 NULL)
			result = walk_all(s, &place, queues, err);
	}
	if (result == 0)
		answer = page_answer(&s->step, err);
	page_step_done(&s->step);
	query_cursor_done(&s->queue);
	query_list_cursor_done(&s->record);
	buf_done(&s->cursor);
	json_decref(queues);
	free(s);
	return answer;
}

/* --- all of them ------------------------------------------------------- */

json_t *
tasks_page(struct flowrra_client *c, enum tasks_state state,
	   const struct task_filter *filter, struct page_query *query,
	   struct err *err)
{
	if (task_filter_check(filter, err) != 0)
		return NULL;
	return state == TASKS_DELAYED || state == TASKS_RETRYING
		   ? tasks_page_of_delayed(c, state, filter, query, err)
		   : page_of_pages(c, state, filter, query, err);
}
