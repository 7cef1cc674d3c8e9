/* SPDX-License-Identifier: MIT */
/* A module as it was built for interface 1.1, whose options had no size. */
#include <string.h>

/* Hides what has changed since; what 1.1 had instead follows. */
#define flowrra_submit_options submit_options_of_today
#define flowrra_task_submit task_submit_of_today
#include "plain.h"
#undef flowrra_submit_options
#undef flowrra_task_submit
#undef FLOWRRA_SUBMIT_OPTIONS_INIT
#undef FLOWRRA_MODULE_ABI_MINOR

#define FLOWRRA_MODULE_ABI_MINOR 1

struct flowrra_submit_options {
	const char *queue;
	int priority;
	double delay;
	int max_retries;
	double retry_delay;
	double timeout;
};
#define FLOWRRA_SUBMIT_OPTIONS_INIT                                            \
	{                                                                      \
		.max_retries = -1, .retry_delay = -1.0, .timeout = -1.0        \
	}
int flowrra_task_submit(struct flowrra_task *task, const char *name,
			const json_t *args, const json_t *kwargs,
			const struct flowrra_submit_options *options,
			char id[37]);

static int
submit(struct flowrra_task *task, const struct flowrra_submit_options *options,
       json_t **result)
{
	char id[37] = "";
	int r = flowrra_task_submit(task, "plain", NULL, NULL, options, id);

	*result = json_pack("[i, i]", r, (int)strlen(id));
	return 0;
}

static int
submit_given(struct flowrra_task *task, const json_t *args,
	     const json_t *kwargs, json_t **result)
{
	const struct flowrra_submit_options options = {.queue = "q",
						       .priority = 3,
						       .delay = 1.5,
						       .max_retries = 4,
						       .retry_delay = 2.5,
						       .timeout = 6.5};

	(void)args, (void)kwargs;
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
submit_none(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
	    json_t **result)
{
	(void)args, (void)kwargs;
	return submit(task, NULL, result);
}

static const struct flowrra_task_type tasks[] = {
    {.name = "1.1", .run = submit_given, FLOWRRA_TASK_DEFAULTS},
    {.name = "1.1.default", .run = submit_default, FLOWRRA_TASK_DEFAULTS},
    {.name = "1.1.none", .run = submit_none, FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("submit_1_1", "1", tasks)
