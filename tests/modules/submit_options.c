/* SPDX-License-Identifier: MIT */
/* Tasks that submit another one, with the options of today and of tomorrow. */
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
	options.size = sizeof(options) - sizeof(options.timeout);
	return submit(task, &options, result);
}

static const struct flowrra_task_type tasks[] = {
    {.name = "today", .run = submit_today, FLOWRRA_TASK_DEFAULTS},
    {.name = "tomorrow", .run = submit_tomorrow, FLOWRRA_TASK_DEFAULTS},
    {.name = "default", .run = submit_default, FLOWRRA_TASK_DEFAULTS},
    {.name = "sizeless", .run = submit_sizeless, FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("submit_options", "1", tasks)
