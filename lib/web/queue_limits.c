/* SPDX-License-Identifier: MIT */
/* Routes of the limits of queues: what they are, what each of them holds, and what
 * may be changed. */
#include <string.h>

#include "core/limit.h"
#include "manager/limits.h"
#include "manager/member.h"
#include "util/err.h"
#include "web/call.h"
#include "web/lists.h"

/* A row needs one name: the queue, what is limited, and which; none of the first two
 * has a space in it. */
static int
limit_name(json_t *limit)
{
	const char *key = member_text(limit, "key");
	json_t *id =
	    json_sprintf("%s %s%s%s", member_text(limit, "queue"),
			 member_text(limit, "scope"), key != NULL ? " " : "",
			 key != NULL ? key : "");

	return json_object_set_new(limit, "id", id);
}

static int
queue_limits_get(struct web_call *call, struct err *err)
{
	json_t *limits =
		   limits_list(web_client(call), web_text(call, "queue"), err),
	       *limit;
	int status = 0;
	size_t i;

	if (limits == NULL)
		return web_fault(call, err->code == ERR_DATA ? "queue" : NULL,
				 NULL, err);
	json_array_foreach (limits, i, limit)
		status |= limit_name(limit);
	if (status != 0) {
		json_decref(limits);
		return err_nomem(err);
	}
	return web_answer(call, json_pack("{s:o}", "items", limits), err);
}

/* --- changing ---------------------------------------------------------------- */

static struct limits_target
read_target(const struct web_call *call)
{
	return (struct limits_target){.queue = web_text(call, "queue"),
				      .task = web_text(call, "task"),
				      .group = web_text(call, "group"),
				      .each_group =
					  web_bool(call, "each_group", false)};
}

typedef json_t *change_fn(struct flowrra_client *c,
			  const struct limits_target *target, struct err *err);

static int
limits_change(struct web_call *call, const char *action,
	      const struct limits_target *target, change_fn *change,
	      struct err *err)
{
	json_t *answer;

	web_audit(call, action, target->queue, 1);
	answer = change(web_client(call), target, err);
	return answer != NULL ? web_answer(call, answer, err)
			      : web_fault(call, NULL, NULL, err);
}

static int
queue_limits_set(struct web_call *call, struct err *err)
{
	struct limits_target target = read_target(call);

	target.by = web_text(call, "by");
	target.concurrency = web_int(call, "concurrency", 0);
	target.rate = web_text(call, "rate");
	target.burst = web_int(call, "burst", 0);
	target.declared = web_bool(call, "declared", false);
	return limits_change(call, "limit.set", &target, limits_set, err);
}

static int
queue_limits_unset(struct web_call *call, struct err *err)
{
	const struct limits_target target = read_target(call);

	return limits_change(call, "limit.unset", &target, limits_unset, err);
}

/* --- the table --------------------------------------------------------------- */

#define TARGET_PARAMS                                                          \
	{.name = "queue",                                                      \
	 .type = WEB_TEXT,                                                     \
	 .in = WEB_BODY,                                                       \
	 .required = true,                                                     \
	 .help = "the name of a queue"},                                       \
	    LIST_BODY("task", WEB_TEXT, "the tasks of this name"),             \
	    LIST_BODY("group", WEB_TEXT, "the tasks of this group"),           \
	    LIST_BODY("each_group", WEB_BOOL,                                  \
		      "each group that has no limit of its own; without "      \
		      "one of these three, the queue itself")

static const struct web_param limits_get_params[] = {
    LIST_QUERY("queue", WEB_TEXT, "only those of this queue"), {.name = NULL}};
static const struct web_param limits_set_params[] = {
    TARGET_PARAMS,
    LIST_BODY("by", WEB_TEXT,
	      "where a task without a group has it: kwargs.NAME, args.NUMBER; "
	      "- for nowhere"),
    {.name = "concurrency",
     .type = WEB_INT,
     .in = WEB_BODY,
     .min = 1,
     .max = LIMIT_CONCURRENCY_MAX,
     .help = "tasks that run at once"},
    LIST_BODY("rate", WEB_TEXT, "tasks that start in a time, such as 100/1m"),
    {.name = "burst",
     .type = WEB_INT,
     .in = WEB_BODY,
     .min = 1,
     .max = LIMIT_RATE_MAX,
     .help = "tasks that may start at once after a pause; 1 by default"},
    LIST_BODY("declared", WEB_BOOL,
	      "restore the limit that a worker declared last from its "
	      "configuration; without by, concurrency and rate"),
    {.name = NULL}};
static const struct web_param limits_unset_params[] = {TARGET_PARAMS,
						       {.name = NULL}};

const struct web_route web_queue_limits_routes[] = {
    {HTTP_GET, "/api/v1/limits", WEB_VIEWER, 0, limits_get_params,
     queue_limits_get, "Lists the limits of queues.",
     "{\"items\": [limit]}: each as flowrractl limit list --json prints it, "
     "and "
     "an \"id\""},
    {HTTP_POST, "/api/v1/limits", WEB_OPERATOR, 0, limits_set_params,
     queue_limits_set, "Limits how many tasks run at once, or start in a time.",
     "{\"queue\", \"scope\", \"key\", \"concurrency\", \"rate\", \"burst\"}"},
    {HTTP_POST, "/api/v1/limits/unset", WEB_OPERATOR, 0, limits_unset_params,
     queue_limits_unset, "Removes a limit.", "{\"queue\", \"scope\", \"key\"}"},
    WEB_ROUTES_END};
