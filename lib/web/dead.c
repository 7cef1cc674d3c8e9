/* SPDX-License-Identifier: MIT */
/*
 * Routes of the dead list: what died, of what, and what becomes of it.
 *
 * A change is named by ids or by a filter, never by nothing: no slip of a client
 * may mean "all". With a dry run the answer says what would be done; without one
 * a filter begins a job, for the list may have a million entries.
 */
#include "manager/dead.h"

#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/err.h"
#include "web/lists.h"

/* More than anybody selects by hand; a filter has no limit. */
#define IDS_MAX 10000

/* The newest of all queues first: what died now is what people come for. */
static int
dead_get_list(struct web_call *call, struct err *err)
{
	struct page_query query = lists_read_page(call);
	struct lists_filter filter = {.tasks = {.queue = NULL}};
	struct dead_filter dead;

	if (lists_read_filter(call, &filter, err) != 0)
		return -1;
	dead = (struct dead_filter){.tasks = filter.tasks};
	return lists_answer(
	    call, &query, dead_page(web_client(call), &dead, &query, err), err);
}

/* Counted over what the manager looks at; "complete" says whether that was all. */
static int
dead_get_groups(struct web_call *call, struct err *err)
{
	struct lists_filter filter = {.tasks = {.queue = NULL}};
	struct dead_filter dead;

	if (lists_read_filter(call, &filter, err) != 0)
		return -1;
	dead = (struct dead_filter){.tasks = filter.tasks};
	return web_answer(call, dead_groups(web_client(call), &dead, err), err);
}

/* --- changes ----------------------------------------------------------- */

/* What a job needs when the request is gone. */
struct dead_order {
	struct dead_change change;
	json_t *body; /* the texts of the change point into it */
	const char **ids;
};

static void
dead_order_free(void *arg)
{
	struct dead_order *order = arg;

	if (order == NULL)
		return;
	free(order->ids);
	json_decref(order->body);
	free(order);
}

static int
dead_bad(struct web_call *call, const char *field, const char *what,
	 struct err *err)
{
	err_set(err, ERR_USAGE, "%s", what);
	return web_fault(call, field, NULL, err);
}

/* They are borrowed from the body, which the order keeps. */
static int
dead_read_ids(struct web_call *call, struct dead_order *order, struct err *err)
{
	const json_t *ids = json_object_get(order->body, "ids");
	const size_t n = json_array_size(ids);
	size_t i;

	if (!json_is_array(ids) || n == 0 || n > IDS_MAX)
		return dead_bad(call, "ids",
				"ids: not a list of 1 to 10000 ids", err);
	if ((order->ids = calloc(n + 1, sizeof(*order->ids))) == NULL)
		return err_nomem(err);
	for (i = 0; i < n; i++)
		if ((order->ids[i] =
			 json_string_value(json_array_get(ids, i))) == NULL)
			return dead_bad(call, "ids", "ids: not all are strings",
					err);
	order->change.filter.ids = order->ids;
	order->change.filter.n_ids = n;
	return 0;
}

/* An absolute time only: in a filter that a job works through for minutes, "an hour
 * ago" would move. */
static int
dead_read_time(struct web_call *call, const json_t *filter, const char *name,
	       int64_t *ret_us, struct err *err)
{
	bool bad = false;
	const char *text = lists_member(filter, name, &bad);

	if (!bad && (text == NULL || clock_parse(text, ret_us, NULL) == 0))
		return 0;
	err_set(err, ERR_USAGE, "%s: not a time (\"2026-11-23T12:00:00Z\")",
		name);
	return web_fault(call, name, NULL, err);
}

/* An unknown member is an error: a filter that does not filter changes all. */
static int
dead_check_members(struct web_call *call, const json_t *filter, struct err *err)
{
	static const char *const known[] = {
	    "queue", "task", "worker", "reason", "error", "before", "after"};
	const char *name;
	json_t *member;
	size_t i;

	json_object_foreach ((json_t *)filter, name, member) {
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strcmp(name, known[i]) == 0)
				break;
		if (i < sizeof(known) / sizeof(known[0]))
			continue;
		err_set(err, ERR_USAGE, "filter: unknown member \"%.64s\"",
			name);
		return web_fault(call, "filter", NULL, err);
	}
	return 0;
}

/* An empty filter means all: it has to be there, so that nobody asks for all by
 * leaving something out. */
static int
dead_read_filter(struct web_call *call, struct dead_order *order,
		 struct err *err)
{
	const json_t *filter = json_object_get(order->body, "filter");
	struct task_filter *f = &order->change.filter.tasks;
	bool bad = false;

	if (!json_is_object(filter))
		return dead_bad(call, "filter", "filter: not an object", err);
	if (dead_check_members(call, filter, err) != 0)
		return -1;
	f->queue = lists_member(filter, "queue", &bad);
	f->task = lists_member(filter, "task", &bad);
	f->worker = lists_member(filter, "worker", &bad);
	f->reason = lists_member(filter, "reason", &bad);
	f->error = lists_member(filter, "error", &bad);
	if (bad)
		return dead_bad(call, "filter",
				"filter: its members must be strings", err);
	if (dead_read_time(call, filter, "before", &f->before_us, err) != 0 ||
	    dead_read_time(call, filter, "after", &f->after_us, err) != 0)
		return -1;
	if (lists_check_filter(f, err) == 0)
		return 0;
	web_status(call, 400);
	return web_fault(call, lists_bad_queue(f) ? "queue" : "filter", NULL,
			 err);
}

/* Not 0 ends the change after a page; what is changed already stays so. */
static int
dead_on_progress(int64_t done, void *job)
{
	return web_job_progress(job, done) ? 0 : 1;
}

/* On the job's thread. */
static json_t *
dead_run_job(struct web_job *job, struct flowrra_client *client, void *arg,
	     struct err *err)
{
	struct dead_order *order = arg;

	order->change.on_progress = dead_on_progress;
	order->change.arg = job;
	return dead_change(client, &order->change, err);
}

/* Nobody waits for the answer any more. */
static int
dead_stop_if_gone(int64_t done, void *call)
{
	return web_stopped(call);
}

/* Both at once could mean "and" or "or", so neither is guessed. */
static int
dead_read_order(struct web_call *call, struct dead_order *order,
		struct err *err)
{
	const bool by_ids = json_object_get(order->body, "ids") != NULL;
	const bool by_filter = json_object_get(order->body, "filter") != NULL;

	if (by_ids == by_filter)
		return dead_bad(call, by_ids ? "filter" : "ids",
				"give either \"ids\" or \"filter\"; an empty "
				"filter means all",
				err);
	return by_ids ? dead_read_ids(call, order, err)
		      : dead_read_filter(call, order, err);
}

/*
 * A dry run, and what was selected by hand, are answered at once: they touch a
 * bounded number of entries. What a filter names is a job. The body is copied, for
 * a job outlives its request; an audit record is written in any case but a dry run,
 * which changes nothing.
 */
static int
dead_run(struct web_call *call, bool retry, struct err *err)
{
	struct dead_order *order = calloc(1, sizeof(*order));
	const char *action = retry ? "dead.retry" : "dead.delete";
	json_t *answer;

	if (order == NULL)
		return err_nomem(err);
	order->body = json_deep_copy(web_body_json(call));
	order->change.retry = retry;
	order->change.dry_run = web_bool(call, "dry_run", false);
	if (dead_read_order(call, order, err) != 0) {
		dead_order_free(order);
		return -1;
	}
	if (!order->change.dry_run && order->ids == NULL) {
		web_audit(call, action, "filter", 0);
		return web_job_begin(call, action, dead_run_job, order,
				     dead_order_free, err);
	}
	order->change.on_progress = dead_stop_if_gone;
	order->change.arg = call;
	answer = dead_change(web_client(call), &order->change, err);
	if (!order->change.dry_run)
		web_audit(call, action,
			  order->change.filter.n_ids == 1 ? order->ids[0]
							  : "ids",
			  json_integer_value(json_object_get(answer, "done")));
	dead_order_free(order);
	return answer != NULL ? web_answer(call, answer, err) : -1;
}

static int
dead_run_retry(struct web_call *call, struct err *err)
{
	return dead_run(call, true, err);
}

static int
dead_run_delete(struct web_call *call, struct err *err)
{
	return dead_run(call, false, err);
}

/* --- the table --------------------------------------------------------- */

static const struct web_param dead_list_params[] = {
    FILTER_PARAMS, LIST_PARAMS, {.name = NULL}};
static const struct web_param dead_group_params[] = {FILTER_PARAMS,
						     {.name = NULL}};
static const struct web_param dead_change_params[] = {
    LIST_BODY("ids", WEB_JSON, "ids, or keys of the dead list: 1 to 10000"),
    LIST_BODY(
	"filter", WEB_JSON,
	"all that it matches: {queue, task, worker, reason, error, before, "
	"after}; {} means all"),
    LIST_BODY("dry_run", WEB_BOOL, "change nothing; say what would be changed"),
    {.name = NULL}};

const struct web_route web_dead_routes[] = {
    {HTTP_GET, "/api/v1/dead", WEB_VIEWER, 0, dead_list_params, dead_get_list,
     "Lists dead tasks, the newest first.",
     "a list: items with \"key\", \"task_id\", \"task_name\", \"queue\", "
     "\"died_at\", \"reason\", \"error\", \"args\", \"kwargs\", "
     "\"attempts\""},
    {HTTP_GET, "/api/v1/dead/groups", WEB_VIEWER, 0, dead_group_params,
     dead_get_groups, "Counts dead tasks by what they died of.",
     "{\"items\": [{\"task\", \"reason\", \"error\", \"count\", "
     "\"first_at\", \"last_at\", \"queue\"}], \"complete\", \"looked_at\"}"},
    {HTTP_POST, "/api/v1/dead/retry", WEB_OPERATOR, 0, dead_change_params,
     dead_run_retry, "Puts dead tasks back into their queues.",
     "{\"dry_run\", \"matched\", \"done\", \"refused\", \"missing\", "
     "\"tasks\"}; by a filter 202 {\"job\": id}"},
    {HTTP_POST, "/api/v1/dead/delete", WEB_OPERATOR, 0, dead_change_params,
     dead_run_delete, "Deletes dead tasks for good.",
     "{\"dry_run\", \"matched\", \"done\", \"refused\", \"missing\", "
     "\"tasks\"}; by a filter 202 {\"job\": id}"},
    WEB_ROUTES_END};
