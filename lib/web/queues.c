/* SPDX-License-Identifier: MIT */
/*
 * Routes of the queues: how they are, and what may be done to one.
 *
 * Rates come from whole minutes that the workers have counted, not from two looks
 * of ours: so all daemons tell the same, and a page that is just opened has them,
 * too.
 */
#include "web/queues.h"

#include <stdlib.h>
#include <string.h>

#include "manager/member.h"
#include "manager/queues.h"
#include "manager/series.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/call.h"
#include "web/figures.h"
#include "web/lists.h"

#define US_PER_S 1e6
#define MINUTE_US INT64_C(60000000)
#define SPARK_MINUTES 5
/* A minute that is over does not change; but queues come and go. Each costs the
 * backend a question or more, so that of very many the first ones have some. */
#define SPARKS_KEPT_US INT64_C(5000000)
#define SPARKS_MAX 100

/* Seconds; null: nothing waits. The time is the broker's or a producer's, and may be
 * ahead of ours: then the age is 0, not negative. */
static json_t *
age_of(const json_t *queue)
{
	const int64_t oldest_us = member_time_us(queue, "oldest_at");
	const int64_t age_us = clock_wall_us() - oldest_us;

	if (oldest_us == 0)
		return json_null();
	return json_real(age_us > 0 ? (double)age_us / US_PER_S : 0);
}

/* --- rates ------------------------------------------------------------- */

/* Points of a queue (NULL: all) in the last whole minutes, `n` of them; NULL: not
 * known. */
static json_t *
rates_points(struct web_call *call, const char *queue, int64_t n)
{
	const int64_t minute_us =
	    clock_wall_us() / MINUTE_US * MINUTE_US - MINUTE_US;
	const struct series_query query = {.name = "tasks",
					   .queue = queue,
					   .from_us =
					       minute_us - (n - 1) * MINUTE_US,
					   .to_us = minute_us,
					   .step_s = 60};
	struct err err = ERR_INIT;
	json_t *series, *points;

	series = series_get(figures_series(call->shared->figures),
			    web_client(call), &query, &err);
	points = json_incref(json_object_get(series, "points"));
	json_decref(series);
	return points;
}

/* What is not a number, as of a minute without anything, counts as 0. */
static json_int_t
point_number(const json_t *point, const char *name)
{
	return json_integer_value(json_object_get(point, name));
}

/* The running minute would show a rate that grows from 0 each time. */
json_t *
queues_overall_rates(struct web_call *call)
{
	json_t *points = rates_points(call, NULL, 1), *last, *rates;

	last = json_array_get(points, json_array_size(points) - 1);
	rates = json_pack("{s:O?,s:O?,s:O?}", "succeeded",
			  json_object_get(last, "succeeded"), "failed",
			  json_object_get(last, "failed"), "retried",
			  json_object_get(last, "retried"));
	json_decref(points);
	return rates;
}

/* What ended in each of the last minutes, of each queue: {queue: [n, …]}. A queue
 * that is new since then has none until they are made again. */
static json_t *
sparks_make(struct web_call *call, const json_t *queues)
{
	json_t *sparks = json_object(), *queue, *points, *point, *spark;
	const char *name;
	size_t i, k;

	json_array_foreach (queues, i, queue) {
		if (i == SPARKS_MAX)
			break;
		name = member_text(queue, "queue");
		if ((points = rates_points(call, name, SPARK_MINUTES)) == NULL)
			continue;
		spark = json_array();
		json_array_foreach (points, k, point)
			json_array_append_new(
			    spark,
			    json_integer(point_number(point, "succeeded") +
					 point_number(point, "failed")));
		json_object_set_new(sparks, name, spark);
		json_decref(points);
	}
	return sparks;
}

/* Of all queues, whichever are shown: they are few, and a list asks again soon. */
static json_t *
sparks_get(struct web_call *call)
{
	struct kept *kept = figures_kept(call->shared->figures, FIGURES_SPARKS);
	json_t *sparks = kept_get(kept), *queues;
	struct err err = ERR_INIT;

	if (sparks != NULL)
		return sparks;
	if ((queues = queues_list(web_client(call), NULL, &err)) != NULL)
		sparks = sparks_make(call, queues);
	kept_set(kept, sparks, SPARKS_KEPT_US);
	json_decref(queues);
	return sparks;
}

/* At this rate; not known where nothing ends. */
static json_t *
drain_of(const json_t *queue, double rate)
{
	const double waiting =
	    (double)json_integer_value(json_object_get(queue, "waiting"));

	if (waiting == 0)
		return json_real(0);
	return rate > 0 ? json_real(waiting / rate * 60) : json_null();
}

/* The figures of one queue. Where the backend does not answer they are null: 0 would
 * say that nothing ends. */
static int
queue_add_figures(json_t *queue, const json_t *spark)
{
	const size_t n = json_array_size(spark);
	double ended = 0;
	json_t *one;
	size_t i;
	int status;

	json_array_foreach (spark, i, one)
		ended += (double)json_integer_value(one);
	status = json_object_set_new(queue, "age", age_of(queue));
	status |= json_object_set_new(
	    queue, "rate", n > 0 ? json_real(ended / (double)n) : json_null());
	status |= json_object_set_new(queue, "drain",
				      n > 0 ? drain_of(queue, ended / (double)n)
					    : json_null());
	status |= json_object_set_new(queue, "spark",
				      spark != NULL ? json_copy((json_t *)spark)
						    : json_array());
	return status;
}

int
queues_add_figures(struct web_call *call, json_t *queues, struct err *err)
{
	json_t *sparks = sparks_get(call), *queue;
	int status = 0;
	size_t i;

	json_array_foreach (queues, i, queue)
		status |= queue_add_figures(
		    queue,
		    json_object_get(sparks, member_text(queue, "queue")));
	json_decref(sparks);
	return status == 0 ? 0 : err_nomem(err);
}

/* What is wrong with a question about one queue is its name. */
static int
queues_failed(struct web_call *call, struct err *err)
{
	return web_fault(call, err->code == ERR_DATA ? "queue" : NULL, NULL,
			 err);
}

/* --- looking ----------------------------------------------------------- */

/* All in one answer: queues are named in configurations, and so are few. */
static int
queues_get_all(struct web_call *call, struct err *err)
{
	json_t *queues = queues_list(web_client(call), NULL, err);

	if (queues == NULL)
		return -1;
	if (queues_add_figures(call, queues, err) != 0) {
		json_decref(queues);
		return -1;
	}
	return web_answer(call, json_pack("{s:o}", "items", queues), err);
}

/* The list of one queue also tells whether there is such a queue. */
static int
queues_get_one(struct web_call *call, struct err *err)
{
	const char *name = web_text(call, "queue");
	json_t *queues = queues_list(web_client(call), name, err), *queue;
	json_t *levels;

	if (queues == NULL)
		return queues_failed(call, err);
	levels = queues_levels(web_client(call), name, err);
	if (levels == NULL || queues_add_figures(call, queues, err) != 0) {
		json_decref(levels);
		json_decref(queues);
		return -1;
	}
	queue = json_incref(json_array_get(queues, 0));
	json_decref(queues);
	json_object_set(queue, "levels", json_object_get(levels, "levels"));
	json_object_set(queue, "levels_complete",
			json_object_get(levels, "complete"));
	json_decref(levels);
	return web_answer(call, queue, err);
}

/* Workers claim nothing more once this is answered; what runs goes on, and tasks can
 * still be submitted. */
static int
queues_set_paused(struct web_call *call, bool paused, struct err *err)
{
	const char *name = web_text(call, "queue");
	json_t *answer;

	web_audit(call, paused ? "queue.pause" : "queue.resume", name, 1);
	answer = queues_pause(web_client(call), name, paused, err);
	return answer != NULL ? web_answer(call, answer, err)
			      : queues_failed(call, err);
}

static int
queues_run_pause(struct web_call *call, struct err *err)
{
	return queues_set_paused(call, true, err);
}

static int
queues_run_resume(struct web_call *call, struct err *err)
{
	return queues_set_paused(call, false, err);
}

/* --- purging ----------------------------------------------------------- */

/* Asked between two pages: each task that is out of the queue has its record. */
static int
purge_on_progress(int64_t purged, void *job)
{
	return web_job_progress(job, purged) ? 0 : 1;
}

/* On the job's own thread, for a million tasks take a minute. */
static json_t *
purge_run_job(struct web_job *job, struct flowrra_client *client, void *arg,
	      struct err *err)
{
	const struct queues_purge purge = {
	    .queue = arg, .on_progress = purge_on_progress, .arg = job};

	return queues_purge(client, &purge, err);
}

/* A slip of the mouse must not empty a queue: its name is given twice. */
static int
purge_check(struct web_call *call, const char *queue, struct err *err)
{
	const char *confirm = web_text(call, "confirm");

	if (confirm != NULL && strcmp(confirm, queue) == 0)
		return 0;
	err_set(err, ERR_USAGE, "confirm: not the name of the queue");
	return web_fault(call, "confirm",
			 "give the queue's name, or \"dry_run\": true", err);
}

/* Counted first, in every case: the job and the audit trail say how many there
 * were. */
static int
queues_run_purge(struct web_call *call, struct err *err)
{
	const struct queues_purge dry = {.queue = web_text(call, "queue"),
					 .dry_run = true};
	json_t *counted;
	char *queue;

	if (!web_bool(call, "dry_run", false) &&
	    purge_check(call, dry.queue, err) != 0)
		return -1;
	/* An unknown queue is told at once, not by a job. */
	if ((counted = queues_purge(web_client(call), &dry, err)) == NULL)
		return queues_failed(call, err);
	if (web_bool(call, "dry_run", false))
		return web_answer(call, counted, err);
	web_audit(call, "queue.purge", dry.queue,
		  json_integer_value(json_object_get(counted, "purged")));
	json_decref(counted);
	if ((queue = strdup(dry.queue)) == NULL)
		return err_nomem(err);
	return web_job_begin(call, "queue.purge", purge_run_job, queue, free,
			     err);
}

/* --- the table --------------------------------------------------------- */

/* The names of parameters of paths are those in the paths, without braces. */
static const struct web_param queue_params[] = {
    LIST_PATH("queue", "the name of a queue"), {.name = NULL}};
static const struct web_param queue_purge_params[] = {
    LIST_PATH("queue", "the name of a queue"),
    LIST_BODY("dry_run", WEB_BOOL, "only count the tasks"),
    LIST_BODY("confirm", WEB_TEXT, "the name of the queue once more"),
    {.name = NULL}};

const struct web_route web_queues_routes[] = {
    {HTTP_GET, "/api/v1/queues", WEB_VIEWER, WEB_OWN, NULL, queues_get_all,
     "Lists the queues.",
     "{\"items\": [queue]}: each with what is in it, whether it is paused, the "
     "age of the oldest, and its rate"},
    {HTTP_GET, "/api/v1/queues/{queue}", WEB_VIEWER, WEB_OWN, queue_params,
     queues_get_one, "Describes a queue.",
     "the queue with \"levels\": [{\"priority\", \"waiting\"}] and "
     "\"levels_complete\""},
    {HTTP_POST, "/api/v1/queues/{queue}/pause", WEB_OPERATOR, 0, queue_params,
     queues_run_pause, "Pauses a queue: nothing more of it is begun.",
     "{\"queue\", \"paused\": true}"},
    {HTTP_POST, "/api/v1/queues/{queue}/resume", WEB_OPERATOR, 0, queue_params,
     queues_run_resume, "Resumes a queue.", "{\"queue\", \"paused\": false}"},
    {HTTP_POST, "/api/v1/queues/{queue}/purge", WEB_OPERATOR, 0,
     queue_purge_params, queues_run_purge,
     "Cancels all tasks that wait in a queue, or are delayed.",
     "202 {\"job\": id}; with dry_run {\"queue\", \"purged\", \"dry_run\"}"},
    WEB_ROUTES_END};
