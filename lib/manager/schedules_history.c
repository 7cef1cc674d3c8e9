/* SPDX-License-Identifier: MIT */
/*
 * What schedules have fired, with what became of the tasks.
 *
 * The database knows the fires, and why some did not become tasks; the backend
 * knows the tasks, mostly for a shorter time. So a record that is missing is told
 * as such, and not as a task that never was.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "cron/cron.h"
#include "manager/flows.h"
#include "manager/page.h"
#include "manager/query.h"
#include "manager/schedule_json.h"
#include "manager/schedules.h"
#include "manager/schedules_private.h"
#include "schedules/history.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/utf8.h"

#define US_PER_S 1e6
/* Of an error, of which a list shows the first line: as long as that of a brief
 * record (codec/result_json.h). */
#define ERROR_MAX 200

/* --- a fire --------------------------------------------------------------- */

/* The reason, or what the queue said. */
static json_t *
reason_json(const struct schedule_past *past)
{
	int i;

	if (past->refused[0] != '\0')
		return json_string(past->refused);
	for (i = 0; i < SCHEDULE_N_REASONS; i++)
		if (strcmp(past->reason,
			   schedule_reason_name((enum schedule_reason)i)) == 0)
			return json_string(
			    schedule_reason_text((enum schedule_reason)i));
	return past->reason[0] != '\0' ? json_string(past->reason)
				       : json_null();
}

/* What the record of the task says is filled in later, for those that ask. */
static json_t *
past_json(const struct schedule_past *past)
{
	const bool made = past->task_id[0] != '\0';
	const bool flow =
	    made && schedule_work_of_id(past->task_id) == SCHEDULE_WORKFLOW;

	return json_pack(
	    "{s:o,s:o,s:I,s:o,s:o,s:s,s:o,s:n,s:n,s:n,s:n,s:o}", "fire_at",
	    moment_json(past->fire_us), "last_at", moment_json(past->last_us),
	    "n", (json_int_t)past->n, "task_id",
	    made && !flow ? json_string(past->task_id) : json_null(), "sent_at",
	    moment_json(made ? past->sent_us : 0), "outcome",
	    schedule_outcome_name(past->outcome), "reason", reason_json(past),
	    "status", "started_at", "duration", "error", "workflow",
	    flow ? json_string(past->task_id) : json_null());
}

/* --- what became of its task ------------------------------------------------ */

static void
set_member(json_t *item, const char *name, json_t *value)
{
	if (value != NULL)
		json_object_set_new(item, name, value);
}

/* The life of a record begins when its task ends: what was sent so long ago has
 * mostly ended. */
static const char *
missing_record(const struct flowrra_client *c, const struct schedule_past *past)
{
	const int64_t ttl_us = c->conf->backend.ttl;

	return ttl_us > 0 && clock_wall_us() - past->sent_us >= ttl_us
		   ? "expired"
		   : "unknown";
}

/* Anybody may write records: what is not a time is left out. */
static json_t *
run_duration(const json_t *record, const char *begin, const char *end)
{
	const char *from = json_string_value(json_object_get(record, begin));
	const char *to = json_string_value(json_object_get(record, end));
	int64_t from_us, to_us;

	if (from == NULL || to == NULL ||
	    clock_parse(from, &from_us, NULL) != 0 ||
	    clock_parse(to, &to_us, NULL) != 0 || to_us < from_us)
		return NULL;
	return json_real((double)(to_us - from_us) / US_PER_S);
}

static json_t *
first_line(const json_t *error)
{
	const char *text = json_string_value(error);
	size_t len;

	if (text == NULL)
		return NULL;
	len = strcspn(text, "\r\n");
	return json_stringn(text, utf8_cut(text, len, ERROR_MAX));
}

/* A task that is to be retried has started before; it has not ended. */
static void
add_outcome(const struct flowrra_client *c, const struct schedule_past *past,
	    const json_t *record, json_t *item)
{
	const json_t *status = json_object_get(record, "status");
	const json_t *started = json_object_get(record, "started_at");

	if (!json_is_string(status)) {
		set_member(item, "status",
			   json_string(missing_record(c, past)));
		return;
	}
	set_member(item, "status", json_copy((json_t *)status));
	if (json_is_string(started))
		set_member(item, "started_at", json_copy((json_t *)started));
	set_member(item, "duration",
		   run_duration(record, "started_at", "finished_at"));
	set_member(item, "error", first_line(json_object_get(record, "error")));
}

/* --- what became of its workflow -------------------------------------------- */

static json_t *
failed_steps(const json_t *flow)
{
	const json_int_t n =
	    json_integer_value(json_object_get(flow, "failed"));

	return n == 0 ? NULL
		      : json_sprintf("%lld of %lld steps have failed",
				     (long long)n,
				     (long long)json_integer_value(
					 json_object_get(flow, "steps")));
}

/* One question for each, since a page is short. */
static int
add_flow(struct flowrra_client *c, const struct schedule_past *past,
	 json_t *item, struct err *err)
{
	struct err why = ERR_INIT;
	json_t *flow = flows_get(c, past->task_id, &why);

	if (flow == NULL && why.code != ERR_NOT_FOUND)
		return err_set(err, why.code, "%s", why.msg);
	if (flow == NULL) {
		set_member(item, "status",
			   json_string(missing_record(c, past)));
		return 0;
	}
	set_member(item, "status", json_copy(json_object_get(flow, "state")));
	set_member(item, "started_at",
		   json_copy(json_object_get(flow, "begun_at")));
	set_member(item, "duration",
		   run_duration(flow, "begun_at", "ended_at"));
	set_member(item, "error", failed_steps(flow));
	json_decref(flow);
	return 0;
}

static int
add_flows(struct flowrra_client *c, const struct schedules_history *h,
	  json_t *items, struct err *err)
{
	size_t i;

	for (i = 0; i < json_array_size(items); i++)
		if (h->items[i].outcome == SCHEDULE_SENT &&
		    schedule_work_of_id(h->items[i].task_id) ==
			SCHEDULE_WORKFLOW &&
		    add_flow(c, &h->items[i], json_array_get(items, i), err) !=
			0)
			return -1;
	return 0;
}

/* One question for all tasks. */
static int
add_outcomes(struct flowrra_client *c, const struct schedules_history *h,
	     json_t *items, struct err *err)
{
	const char *ids[PAGE_LIMIT_MAX];
	json_t *records[PAGE_LIMIT_MAX] = {NULL};
	size_t at[PAGE_LIMIT_MAX], i, n = 0;
	int result;

	for (i = 0; i < json_array_size(items); i++)
		if (h->items[i].outcome == SCHEDULE_SENT &&
		    schedule_work_of_id(h->items[i].task_id) == SCHEDULE_TASK) {
			at[n] = i;
			ids[n++] = h->items[i].task_id;
		}
	result = n == 0 ? 0 : query_records(c, ids, n, records, err);
	for (i = 0; i < n; i++) {
		if (result == 0)
			add_outcome(c, &h->items[at[i]], records[i],
				    json_array_get(items, at[i]));
		json_decref(records[i]);
	}
	return result == 0 ? add_flows(c, h, items, err) : -1;
}

/* --- a page of them --------------------------------------------------------- */

/* The place of a cursor is the last fire before which to go on. */
static int
read_before(struct page_step *step, struct slice place, int64_t first_us,
	    int64_t *ret, struct err *err)
{
	char *end;

	*ret = first_us != 0 ? first_us : INT64_MAX;
	if (place.len == 0)
		return 0;
	*ret = strtoll(place.p, &end, 10);
	return *end == '\0' && end != place.p ? 0 : page_bad(step, err);
}

/* Fires outlive their schedule for a while; but of one that never was, that is
 * said. */
static int
check_known(struct schedules *db, const char *id, size_t n, struct err *err)
{
	struct schedules_list *found;

	if (n > 0)
		return 0;
	if (schedules_get(db, id, &found, err) != 0)
		return -1;
	schedules_list_free(found);
	return 0;
}

/* Fires before before_us, into a step; one more tells whether there are
 * more. */
static int
fill_fires(struct schedules *db, struct flowrra_client *c, const char *id,
	   int64_t before_us, struct page_step *step, struct err *err)
{
	const size_t n = page_wanted(step);
	struct schedules_history *h;
	size_t i;
	int result;

	if (schedules_history(db, id, before_us, n + 1, &h, err) != 0)
		return -1;
	for (i = 0; i < h->n && i < n; i++)
		json_array_append_new(step->items, past_json(&h->items[i]));
	step->looked_at = json_array_size(step->items);
	if (h->n > n)
		page_next(step, "%" PRId64, h->items[n - 1].fire_us);
	result = check_known(db, id, h->n, err);
	if (result == 0 && c != NULL)
		result = add_outcomes(c, h, step->items, err);
	schedules_history_free(h);
	return result;
}

/* The hash of a cursor is that of the ID: one of another schedule is
 * refused. */
json_t *
schedule_fires(struct schedules *db, struct flowrra_client *c,
	       const struct schedule_fires_query *query, struct err *err)
{
	struct page_query page = {.cursor = query->cursor,
				  .limit = schedules_page_limit(query->limit)};
	struct page_step step;
	json_t *answer = NULL;
	struct slice place;
	int64_t before_us;

	if (page_step_begin(&step, &page, cron_seed(slice_of(query->id)),
			    &place, err) == 0 &&
	    read_before(&step, place, query->before_us, &before_us, err) == 0 &&
	    fill_fires(db, c, query->id, before_us, &step, err) == 0)
		answer = page_answer(&step, err);
	page_step_done(&step);
	return answer;
}
