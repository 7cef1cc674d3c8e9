/* SPDX-License-Identifier: MIT */
/*
 * The overview: all that the first page shows, in one answer.
 *
 * The sampler asks for it once a second while somebody looks. So what costs much,
 * the doctor and the dead of the last hour, is looked at seldom, and kept. One part
 * that fails takes the whole along: half an overview would look like good news.
 */
#include <stdlib.h>
#include <string.h>

#include "manager/dead.h"
#include "manager/doctor.h"
#include "manager/member.h"
#include "manager/schedule_json.h"
#include "manager/stats.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/call.h"
#include "web/figures.h"
#include "web/lists.h"
#include "web/queues.h"
#include "web/workers.h"

#define US_PER_S INT64_C(1000000)
#define FAILURES_SHOWN 10
#define FAILURES_OF_US (3600 * US_PER_S)
#define FAILURES_KEPT_US (5 * US_PER_S)
/* The doctor asks about everything, files and databases too. */
#define FINDINGS_KEPT_US (60 * US_PER_S)
#define FIRES_SHOWN 8

/* --- parts ------------------------------------------------------------- */

/* What the dead of the last hour died of: the FAILURES_SHOWN groups that the manager
 * has put first. */
static json_t *
overview_failures(struct web_call *call, struct err *err)
{
	struct flowrra_client *client = web_client(call);
	const struct dead_filter filter = {
	    .tasks = {.after_us = clock_wall_us() - FAILURES_OF_US}};
	struct kept *kept =
	    figures_kept(call->shared->figures, FIGURES_FAILURES);
	json_t *items = kept_get(kept), *groups;

	if (items != NULL)
		return items;
	groups = dead_groups(client, &filter, err);
	items = json_incref(json_object_get(groups, "items"));
	while (json_array_size(items) > FAILURES_SHOWN)
		json_array_remove(items, json_array_size(items) - 1);
	kept_set(kept, items, FAILURES_KEPT_US);
	json_decref(groups);
	return items;
}

/* How many findings there are; what they say is on the page Health. */
static json_t *
overview_findings(struct web_call *call, struct err *err)
{
	struct flowrra_client *client = web_client(call);
	struct kept *kept =
	    figures_kept(call->shared->figures, FIGURES_FINDINGS);
	json_t *counts = kept_get(kept), *all, *one;
	json_int_t errors = 0, warnings = 0;
	const char *level;
	size_t i;

	if (counts != NULL)
		return counts;
	if ((all = doctor_examine(client)) == NULL) {
		kept_set(kept, NULL, 0);
		err_nomem(err);
		return NULL;
	}
	json_array_foreach (all, i, one) {
		level = member_text(one, "level");
		errors += level != NULL && strcmp(level, "error") == 0;
		warnings += level != NULL && strcmp(level, "warning") == 0;
	}
	counts = json_pack("{s:I,s:I}", "errors", errors, "warnings", warnings);
	kept_set(kept, counts, FINDINGS_KEPT_US);
	json_decref(all);
	return counts;
}

/* Without a database of schedules there are no fires, and nothing is wrong: the
 * Health page tells of it. */
static json_t *
overview_fires(struct web_call *call)
{
	const struct schedules_filter filter = {
	    .only_enabled = true, .limit = FIRES_SHOWN, .by_due = true};
	struct err err = ERR_INIT;
	struct schedules *schedules = web_schedules(call, &err);
	struct schedules_list *list = NULL;
	json_t *fires = json_array();
	const struct schedule *s;
	size_t i;

	if (schedules == NULL ||
	    schedules_list(schedules, &filter, &list, &err) != 0)
		return fires;
	for (i = 0; i < list->n; i++) {
		s = &list->items[i];
		if (s->next_run_us != 0)
			json_array_append_new(
			    fires, json_pack("{s:s,s:s,s:o,s:s}", "id", s->id,
					     "task", s->task, "next_run",
					     moment_json(s->next_run_us),
					     "description", s->description));
	}
	schedules_list_free(list);
	return fires;
}

/* --- the answer -------------------------------------------------------- */

/* The snapshot has the rest; its workers become counts. */
static int
overview_complete(struct web_call *call, json_t *all, struct err *err)
{
	json_t *failed = overview_failures(call, err);
	json_t *found = failed != NULL ? overview_findings(call, err) : NULL;
	json_t *stats = json_object_get(all, "stats");
	int status = 0;

	if (found == NULL) {
		json_decref(failed);
		return -1;
	}
	status |= json_object_set_new(all, "failures", failed);
	status |= json_object_set_new(all, "findings", found);
	status |= json_object_set_new(
	    all, "workers", workers_count(json_object_get(all, "workers")));
	status |= json_object_set(all, "running",
				  json_object_get(stats, "in_flight"));
	status |= json_object_set_new(all, "next_fires", overview_fires(call));
	status |= json_object_set_new(all, "rates", queues_overall_rates(call));
	if (status != 0)
		return err_nomem(err);
	return queues_add_figures(call, json_object_get(all, "queues"), err);
}

/* One snapshot for all figures, so that they fit together. */
static int
overview_get(struct web_call *call, struct err *err)
{
	json_t *all = stats_snapshot(web_client(call), 0, err);

	if (all == NULL)
		return -1;
	if (overview_complete(call, all, err) == 0)
		return web_answer(call, all, err);
	json_decref(all);
	return -1;
}

/* The topic "overview" of the hub is this route, too. */
const struct web_route web_overview_routes[] = {
    {HTTP_GET, "/api/v1/overview", WEB_VIEWER, 0, NULL, overview_get,
     "Tells how the whole is, at a glance.",
     "{\"at\", \"stats\", \"queues\", \"workers\", \"running\", "
     "\"next_fires\", \"failures\", \"findings\", \"rates\"}"},
    WEB_ROUTES_END};
