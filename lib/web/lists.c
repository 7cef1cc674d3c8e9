/* SPDX-License-Identifier: MIT */
/*
 * What the routes of lists share: filters, pages, and the status of what is wrong
 * with them.
 *
 * A list is asked for step by step: each request looks at a bounded number of
 * entries, and its cursor says where the next goes on. So no request takes long
 * however many tasks there are, and "complete" tells the client when it is done.
 */
#include "web/lists.h"

#include "core/task.h"
#include "flowrra/client.h"
#include "util/err.h"
#include "web/call.h"
#include "web/mask.h"

/* A screen and a half of rows. */
#define LIMIT_STANDARD 50

/* The texts are the call's, which lasts longer than any filter. One argument more
 * than fits is an error: left out, it would widen the list. */
static int
lists_on_arg(const char *name, const char *value, void *arg, struct err *err)
{
	struct lists_filter *f = arg;

	if (f->tasks.n_args == TASK_FILTER_ARGS_MAX)
		return err_set(err, ERR_USAGE, "more than %d arguments",
			       TASK_FILTER_ARGS_MAX);
	f->args[f->tasks.n_args++] = (struct task_arg){name, value};
	return 0;
}

/* What a viewer would see of a task, for the filter to look at. */
static void
lists_show(json_t *value, void *mask)
{
	mask_json(mask, value);
}

bool
lists_bad_queue(const struct task_filter *f)
{
	return f->queue != NULL &&
	       !task_name_valid(slice_of(f->queue), TASK_QUEUE_MAX);
}

/* The queue first: a job would find out only when it has begun. */
int
lists_check_filter(const struct task_filter *f, struct err *err)
{
	if (lists_bad_queue(f))
		return err_set(
		    err, ERR_DATA,
		    "\"%.64s\" is not a valid queue name; allowed: 1 "
		    "to %d of the characters A-Z a-z 0-9 _ . -",
		    f->queue, TASK_QUEUE_MAX);
	return task_filter_check(f, err);
}

/* All that is wrong with a filter is the query's fault, so that a client need not
 * tell 400 from 422 here. */
int
lists_read_filter(struct web_call *call, struct lists_filter *f,
		  struct err *err)
{
	f->tasks =
	    (struct task_filter){.queue = web_text(call, "queue"),
				 .task = web_text(call, "task"),
				 .worker = web_text(call, "worker"),
				 .error = web_text(call, "error"),
				 .reason = web_text(call, "reason"),
				 .after_us = web_time_us(call, "after", 0),
				 .before_us = web_time_us(call, "before", 0),
				 .args = f->args};
	/* A filter must not find what a viewer is not shown. */
	if (web_is_masked(call)) {
		f->tasks.show = lists_show;
		f->tasks.show_arg = call->shared->mask;
	}
	if (web_each(call, "args.", lists_on_arg, f, err) == 0 &&
	    web_each(call, "kwargs.", lists_on_arg, f, err) == 0 &&
	    lists_check_filter(&f->tasks, err) == 0)
		return 0;
	web_status(call, 400);
	return web_fault(call, lists_bad_queue(&f->tasks) ? "queue" : NULL,
			 NULL, err);
}

/* The limit was checked by the table. */
struct page_query
lists_read_page(const struct web_call *call)
{
	return (struct page_query){
	    .cursor = web_text(call, "cursor"),
	    .time_us = PAGE_QUICK_US,
	    .limit = (size_t)web_int(call, "limit", LIMIT_STANDARD)};
}

/* A cursor is the only thing of a list that can be outdated by a new version, or a
 * changed filter; so it says what to do. */
int
lists_answer(struct web_call *call, const struct page_query *query,
	     json_t *list, struct err *err)
{
	if (list == NULL && query->bad_cursor) {
		web_status(call, 400);
		return web_fault(call, "cursor",
				 "start the list without a cursor", err);
	}
	return web_answer(call, list, err);
}

/* null is as good as absent; any other type than a string is a mistake. */
const char *
lists_member(const json_t *object, const char *name, bool *ret_bad)
{
	const json_t *member = json_object_get(object, name);

	if (member != NULL && !json_is_null(member) && !json_is_string(member))
		*ret_bad = true;
	return json_string_value(member);
}

/* Its codes are exit statuses, each of one of ours. */
int
web_client_error(const struct flowrra_error *error, struct err *err)
{
	const int code = error->code;

#define X(name, status, text)                                                  \
	if (code == (status))                                                  \
		return err_set(err, ERR_##name, "%s", error->message);
	ERR_CODES(X)
#undef X
	return err_set(err, ERR_INTERNAL, "%s", error->message);
}

/* For lines of a batch, each of which has an answer of its own. */
unsigned int
web_status_of(const struct err *err)
{
	return problem_status(err->code);
}

const char *
web_code_of(unsigned int status, const struct err *err)
{
	return problem_code(status, err->code);
}
