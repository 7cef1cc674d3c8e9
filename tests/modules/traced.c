/* SPDX-License-Identifier: MIT */
/* A task whose result is the trace that it is part of. */
#include <flowrra/module.h>

/* {"parent", "state"}, null where there is none. */
static int
traced(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
       json_t **result)
{
	(void)args, (void)kwargs;
	*result =
	    json_pack("{s:s?,s:s?}", "parent", flowrra_task_traceparent(task),
		      "state", flowrra_task_tracestate(task));
	return 0;
}

/* Submits one of those: {"id"}. */
static int
traces(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
       json_t **result)
{
	char id[FLOWRRA_ID_SIZE];

	(void)args, (void)kwargs;
	if (flowrra_task_submit(task, "traced", NULL, NULL, NULL, id) != 0)
		return flowrra_fail(task, "cannot submit");
	*result = json_pack("{s:s}", "id", id);
	return 0;
}

/* Prints a line and logs one. */
static int
says(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
     json_t **result)
{
	(void)args, (void)kwargs, (void)result;
	flowrra_task_log(task, 6, "it is attempt %u",
			 flowrra_task_attempt(task));
	return 0;
}

static const struct flowrra_task_type tasks[] = {
    {.name = "says",
     .run = says,
     .description = "Logs a line",
     FLOWRRA_TASK_DEFAULTS},
    {.name = "traced",
     .run = traced,
     .description = "Tells its trace",
     FLOWRRA_TASK_DEFAULTS},
    {.name = "traces",
     .run = traces,
     .description = "Submits a task that tells its trace",
     FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("traced", "1.0", tasks)
