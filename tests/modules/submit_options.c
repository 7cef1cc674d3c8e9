/* SPDX-License-Identifier: MIT */
/* Tasks that submit another one, with the options of today and of tomorrow. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "plain.h"

static const struct flowrra_submit_options given = {
    .size = sizeof(given),
    .queue = "q",
    .priority = 3,
    .delay = 1.5,
    .max_retries = 4,
    .retry_delay = 2.5,
    .timeout = 6.5,
    .id = "an-id-of-its-own-of-thirty-six-bytes",
    .unique = "key",
    .unique_ttl_s = 7.5,
    .expires_us = 1900000000000000,
    .retry_backoff = 1.25,
    .retry_delay_max_s = 8.5,
    .retry_jitter = 0.5,
    .cpu_bound = 1,
    .flow = "flow",
    .after = "[\"a:complete\"]",
    .on = "failure",
};

static int
submit(struct flowrra_task *task, const struct flowrra_submit_options *options,
       json_t **result)
{
	char id[FLOWRRA_ID_SIZE] = "";
	int r = flowrra_task_submit(task, "plain", NULL, NULL, options, id);

	*result = json_pack("[i, i]", r, (int)strlen(id));
	return 0;
}

static int
submit_today(struct flowrra_task *task, const json_t *args,
	     const json_t *kwargs, json_t **result)
{
	(void)args, (void)kwargs;
	return submit(task, &given, result);
}

/* A worker takes no task that is a step and has a unique key as well. */
static int
submit_alone(struct flowrra_task *task, const json_t *args,
	     const json_t *kwargs, json_t **result)
{
	struct flowrra_submit_options options = given;

	(void)args, (void)kwargs;
	options.flow = options.after = options.on = NULL;
	return submit(task, &options, result);
}

/* As a later minor version would have them. */
static int
submit_tomorrow(struct flowrra_task *task, const json_t *args,
		const json_t *kwargs, json_t **result)
{
	struct {
		struct flowrra_submit_options options;
		double more[100];
	} later = {given, {7}};

	(void)args, (void)kwargs;
	later.options.size = sizeof(later);
	return submit(task, &later.options, result);
}

/* As version 1.2 had them: what lies behind is not looked at. */
static int
submit_yesterday(struct flowrra_task *task, const json_t *args,
		 const json_t *kwargs, json_t **result)
{
	struct flowrra_submit_options options = given;

	(void)args, (void)kwargs;
	options.size = offsetof(struct flowrra_submit_options, id);
	return submit(task, &options, result);
}

/* One of them is set to what no task may have; the argument says which. */
static int
submit_bad(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
	   json_t **result)
{
	struct flowrra_submit_options bad[10], *o = bad;
	size_t i;

	(void)kwargs;
	for (i = 0; i < 10; i++)
		bad[i] = given;
	o++->max_retries = 1000001;
	o++->retry_backoff = 0.5;
	o++->retry_jitter = 1.5;
	o++->retry_delay = (double)NAN;
	o++->delay = 1e9;
	o++->timeout = HUGE_VAL;
	o->delay = 0;
	o++->at_us = -1;
	o++->unique_ttl_s = 0.5;
	o++->cpu_bound = 2;
	o++->at_us = 1800000000000000;
	i = (size_t)json_integer_value(json_array_get(args, 0));
	return submit(task, &bad[i], result);
}

static int
submit_at(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
	  json_t **result)
{
	struct flowrra_submit_options options = FLOWRRA_SUBMIT_OPTIONS_INIT;

	(void)args, (void)kwargs;
	options.queue = "q";
	options.at_us = 1800000000000000;
	options.unique = "when";
	return submit(task, &options, result);
}

static int
submit_default(struct flowrra_task *task, const json_t *args,
	       const json_t *kwargs, json_t **result)
{
	const struct flowrra_submit_options options =
	    FLOWRRA_SUBMIT_OPTIONS_INIT;

	(void)args, (void)kwargs;
	return submit(task, &options, result);
}

static int
submit_sizeless(struct flowrra_task *task, const json_t *args,
		const json_t *kwargs, json_t **result)
{
	struct flowrra_submit_options options = given;

	(void)args, (void)kwargs;
	options.size = offsetof(struct flowrra_submit_options, timeout);
	return submit(task, &options, result);
}

static const struct flowrra_task_type tasks[] = {
    {.name = "today", .run = submit_today, FLOWRRA_TASK_DEFAULTS},
    {.name = "alone", .run = submit_alone, FLOWRRA_TASK_DEFAULTS},
    {.name = "tomorrow", .run = submit_tomorrow, FLOWRRA_TASK_DEFAULTS},
    {.name = "yesterday", .run = submit_yesterday, FLOWRRA_TASK_DEFAULTS},
    {.name = "at", .run = submit_at, FLOWRRA_TASK_DEFAULTS},
    {.name = "bad", .run = submit_bad, FLOWRRA_TASK_DEFAULTS},
    {.name = "default", .run = submit_default, FLOWRRA_TASK_DEFAULTS},
    {.name = "sizeless", .run = submit_sizeless, FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("submit_options", "1", tasks)
