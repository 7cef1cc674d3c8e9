/* SPDX-License-Identifier: MIT */
/* Limits of queues: what people say of them, and what stores are asked. */
#include "manager/limits.h"

#include <string.h>

#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "util/err.h"
#include "util/name.h"

/* --- showing ------------------------------------------------------------- */

static int
add_limits(struct flowrra_client *c, const char *queue, json_t *all,
	   struct err *err)
{
	json_t *limits = query_limits(c, queue, err);
	int result;

	if (limits == NULL)
		return -1;
	result = json_array_extend(all, limits);
	json_decref(limits);
	return result == 0 ? 0 : err_nomem(err);
}

json_t *
limits_list(struct flowrra_client *c, const char *queue, struct err *err)
{
	json_t *queues, *all, *one;
	const char *name;
	size_t i;

	if (queue != NULL)
		return query_limits(c, queue, err);
	if ((queues = queues_list(c, NULL, err)) == NULL)
		return NULL;
	all = json_array();
	json_array_foreach (queues, i, one)
		if ((name = member_text(one, "queue")) != NULL &&
		    add_limits(c, name, all, err) != 0) {
			json_decref(all);
			all = NULL;
			break;
		}
	json_decref(queues);
	return all;
}

/* --- changing ------------------------------------------------------------ */

static int
limits_read_target(const struct limits_target *t,
		   struct broker_limit_change *ret, struct err *err)
{
	const int n = (t->task != NULL) + (t->group != NULL) + t->each_group;

	if (n > 1)
		return err_set(err, ERR_USAGE,
			       "a limit is of a task, of a group or of each "
			       "group, not of several");
	if (t->by != NULL && t->group == NULL && !t->each_group)
		return err_set(
		    err, ERR_USAGE,
		    "where a task's group stands is said with a limit "
		    "of a group or of each group");
	ret->queue = slice_of(t->queue);
	ret->by = slice_of(t->by != NULL ? t->by : "");
	ret->rule.kind = t->task != NULL    ? LIMIT_TASK
			 : t->group != NULL ? LIMIT_GROUP
			 : t->each_group    ? LIMIT_EACH_GROUP
					    : LIMIT_QUEUE;
	ret->rule.key = slice_of(t->task != NULL    ? t->task
				 : t->group != NULL ? t->group
						    : "");
	ret->rule.concurrency = t->concurrency;
	if (t->rate == NULL)
		return t->burst == 0
			   ? 0
			   : err_set(err, ERR_USAGE, "a burst needs a rate");
	ret->rule.burst = t->burst > 0 ? t->burst : 1;
	return limit_rate_read(t->rate, &ret->rule, err);
}

static json_t *
limits_answer(const struct limits_target *t)
{
	const char *key = t->task != NULL ? t->task : t->group;
	const char *scope = t->task != NULL    ? "task"
			    : t->group != NULL ? "group"
			    : t->each_group    ? "each_group"
					       : "queue";

	return json_pack("{s:s,s:s,s:s?}", "queue", t->queue, "scope", scope,
			 "key", key);
}

/* What workers declare. */
static json_t *
limits_restore(struct flowrra_client *c, const struct limits_target *target,
	       const struct broker_limit_change *change, struct err *err)
{
	json_t *answer = NULL;
	bool found;

	if (target->concurrency > 0 || target->rate != NULL ||
	    target->by != NULL)
		err_set(err, ERR_USAGE,
			"cannot use --declared with --concurrency, --rate or "
			"--by");
	else if (query_limit_restore(c, change, &found, err) != 0)
		;
	else if (!found)
		err_set(err, ERR_NOT_FOUND,
			"no worker has declared this limit of queue %s",
			target->queue);
	else if ((answer = limits_answer(target)) == NULL)
		err_nomem(err);
	return answer;
}

json_t *
limits_set(struct flowrra_client *c, const struct limits_target *target,
	   struct err *err)
{
	struct broker_limit_change change = {.unset = false};
	json_t *answer;
	bool found;

	if (limits_read_target(target, &change, err) != 0)
		return NULL;
	if (target->declared)
		return limits_restore(c, target, &change, err);
	if (query_limit_change(c, &change, &found, err) != 0)
		return NULL;
	if ((answer = limits_answer(target)) == NULL) {
		err_nomem(err);
		return NULL;
	}
	json_object_set_new(answer, "concurrency",
			    target->concurrency > 0
				? json_integer(target->concurrency)
				: json_null());
	json_object_set_new(answer, "rate",
			    target->rate != NULL ? json_string(target->rate)
						 : json_null());
	json_object_set_new(answer, "burst",
			    target->rate != NULL
				? json_integer(change.rule.burst)
				: json_null());
	return answer;
}

json_t *
limits_unset(struct flowrra_client *c, const struct limits_target *target,
	     struct err *err)
{
	struct broker_limit_change change = {.unset = true};
	json_t *answer;
	bool found;

	if (limits_read_target(target, &change, err) != 0 ||
	    query_limit_change(c, &change, &found, err) != 0)
		return NULL;
	if (!found) {
		err_set(err, ERR_NOT_FOUND, "queue %s has no such limit",
			target->queue);
		return NULL;
	}
	if ((answer = limits_answer(target)) == NULL)
		err_nomem(err);
	return answer;
}
