/* SPDX-License-Identifier: MIT */
/*
 * The steps of a workflow as people look at them: by short names, with the state of
 * their tasks, each behind those that it comes after.
 */
#include "manager/flows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/flow_order.h"
#include "manager/flows_private.h"
#include "manager/member.h"
#include "manager/query.h"
#include "store/steps.h"
#include "util/err.h"

/* Records that are asked for at a time. */
#define RECORDS_PAGE 500

/* The part behind "FLOW."; of an ID that does not begin so, all of it. */
static const char *
short_name(const char *flow, const char *id)
{
	const size_t len = strlen(flow);

	return strncmp(id, flow, len) == 0 && id[len] == '.' &&
		       id[len + 1] != '\0'
		   ? id + len + 1
		   : id;
}

/* --- the state of each ------------------------------------------------------- */

/* What has ended is what its workflow says; what is in a queue, what its record
 * says. */
static const char *
step_state(const json_t *step, const json_t *record)
{
	const char *place = member_text(step, "place");
	const char *outcome = member_text(step, "outcome");
	const char *status = member_text(record, "status");

	if (outcome != NULL)
		return strcmp(outcome, "succeeded") == 0 ? "success" : outcome;
	if (place != NULL && strcmp(place, "waiting") == 0)
		return place;
	return status != NULL ? status : "pending";
}

static void
step_describe(json_t *step, const json_t *record)
{
	const char *name = member_text(record, "task_name");

	json_object_set_new(step, "state",
			    json_string(step_state(step, record)));
	json_object_set_new(step, "task_name",
			    name != NULL ? json_string(name) : json_null());
}

/* A page of them. */
static int
describe_page(struct flowrra_client *c, json_t *steps, size_t from, size_t n,
	      struct err *err)
{
	json_t *records[RECORDS_PAGE] = {NULL};
	const char *ids[RECORDS_PAGE];
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		ids[i] =
		    member_text(json_array_get(steps, from + i), "task_id");
	r = query_records(c, ids, n, records, err);
	for (i = 0; i < n; i++) {
		if (r == 0)
			step_describe(json_array_get(steps, from + i),
				      records[i]);
		json_decref(records[i]);
	}
	return r;
}

static int
describe_steps(struct flowrra_client *c, json_t *steps, struct err *err)
{
	const size_t n = json_array_size(steps);
	size_t at, page;

	for (at = 0; at < n; at += page) {
		page = n - at < RECORDS_PAGE ? n - at : RECORDS_PAGE;
		if (describe_page(c, steps, at, page, err) != 0)
			return -1;
	}
	return 0;
}

/* --- names ------------------------------------------------------------------- */

/* "fetch" of success, which is what is meant where nothing is said; else
 * "fetch:failure". */
static json_t *
after_name(const char *flow, const char *text)
{
	struct slice id = slice_of(text);
	const enum broker_after_how how = steps_cut_how(&id);
	char whole[TASK_ID_MAX + 1];

	snprintf(whole, sizeof(whole), "%.*s", (int)id.len, id.p);
	return how == BROKER_AFTER_SUCCESS
		   ? json_string(short_name(flow, whole))
		   : json_sprintf("%s:%s", short_name(flow, whole),
				  broker_after_words[how]);
}

static void
step_name(const char *flow, json_t *step)
{
	const json_t *after = json_object_get(step, "after"), *one;
	const char *role = member_text(step, "role");
	json_t *names = json_array();
	size_t i;

	json_object_set_new(
	    step, "step",
	    json_string(short_name(flow, member_text(step, "task_id"))));
	json_array_foreach (after, i, one)
		json_array_append_new(names,
				      after_name(flow, json_string_value(one)));
	if (strcmp(role, "step") != 0)
		json_array_append_new(names, json_sprintf("on %s", role));
	json_object_set_new(step, "after_steps", names);
}

/* --- the order --------------------------------------------------------------- */

json_t *
flow_step_numbers(const json_t *steps)
{
	json_t *numbers = json_object();
	const json_t *one;
	size_t i;

	json_array_foreach (steps, i, one)
		json_object_set_new(numbers, member_text(one, "task_id"),
				    json_integer((json_int_t)i));
	return numbers;
}

const json_t *
flow_number_of(const json_t *numbers, const char *after)
{
	struct slice id = slice_of(after);

	steps_cut_how(&id);
	return json_object_getn(numbers, id.p, id.len);
}

/* What is not among them, since there were too many, is needed by none. */
static int
collect_needs(const json_t *steps, const json_t *numbers,
	      struct flow_needs *needs)
{
	const json_t *one, *after, *number;
	size_t i, k;

	json_array_foreach (steps, i, one)
		json_array_foreach (json_object_get(one, "after"), k, after) {
			number =
			    flow_number_of(numbers, json_string_value(after));
			if (number != NULL &&
			    flow_needs_add(
				needs, i, (size_t)json_integer_value(number)) !=
				0)
				return -1;
		}
	return 0;
}

/* Callbacks are the last. Takes the steps. */
static json_t *
steps_in_order(json_t *steps, const size_t *order, size_t n)
{
	json_t *sorted = json_array(), *one;
	int callbacks;
	size_t i;

	for (callbacks = 0; callbacks <= 1; callbacks++)
		for (i = 0; i < n; i++) {
			one = json_array_get(steps, order[i]);
			if ((strcmp(member_text(one, "role"), "step") != 0) ==
			    callbacks)
				json_array_append(sorted, one);
		}
	json_decref(steps);
	return sorted;
}

/* NULL: no memory. Takes the steps. */
static json_t *
sort_by_needs(json_t *steps)
{
	const size_t n = json_array_size(steps);
	size_t *order = calloc(2 * n + 1, sizeof(*order));
	json_t *numbers = flow_step_numbers(steps), *sorted = NULL;
	struct flow_needs needs = {.n = 0};

	if (order != NULL && collect_needs(steps, numbers, &needs) == 0 &&
	    flow_needs_order(&needs, n, order, order + n) == (ssize_t)n)
		sorted = steps_in_order(steps, order, n);
	else
		json_decref(steps);
	json_decref(numbers);
	flow_needs_done(&needs);
	free(order);
	return sorted;
}

json_t *
flows_graph(struct flowrra_client *c, const char *id, size_t max,
	    bool *ret_more, struct err *err)
{
	json_t *steps = flows_steps(c, id, max, ret_more, err), *one;
	size_t i;

	if (steps == NULL)
		return NULL;
	if (describe_steps(c, steps, err) != 0) {
		json_decref(steps);
		return NULL;
	}
	json_array_foreach (steps, i, one)
		step_name(id, one);
	if ((steps = sort_by_needs(steps)) == NULL)
		err_nomem(err);
	return steps;
}
