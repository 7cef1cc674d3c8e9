/* SPDX-License-Identifier: MIT */
/* Handlers whose values are deeper than anything that can be read, or larger than
 * they look. Each takes how many arrays lie inside one another. */
#include <flowrra/module.h>

/* Not recursive, as a module's own loop may not be. */
static json_t *
nest(const json_t *args, int objects)
{
	json_int_t n = json_integer_value(json_array_get(args, 0)), i;
	json_t *inner = json_array(), *outer;

	for (i = 1; i < n; i++, inner = outer) {
		outer = objects ? json_object() : json_array();
		if (objects)
			json_object_set_new(outer, "a", inner);
		else
			json_array_append_new(outer, inner);
	}
	return inner;
}

static int
deep(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
     json_t **result)
{
	(void)task, (void)kwargs;
	*result = nest(args, 0);
	return 0;
}

static int
deep_objects(struct flowrra_task *task, const json_t *args,
	     const json_t *kwargs, json_t **result)
{
	(void)task, (void)kwargs;
	*result = nest(args, 1);
	return 0;
}

static void
deep_async(struct flowrra_task *task, struct event_base *base,
	   const json_t *args, const json_t *kwargs)
{
	(void)base, (void)kwargs;
	flowrra_finish(task, nest(args, 0));
}

/* Fails, and leaves a result all the same. */
static int
deep_failed(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
	    json_t **result)
{
	(void)kwargs;
	*result = nest(args, 0);
	return flowrra_fail_final(task, "on purpose");
}

/* What is refused is the result, so that it is let go of. */
static int
deep_progress(struct flowrra_task *task, const json_t *args,
	      const json_t *kwargs, json_t **result)
{
	(void)kwargs;
	*result = nest(args, 0);
	return flowrra_task_progress(task, *result) == 0
		   ? 0
		   : flowrra_fail_final(task, "the progress was refused");
}

static int
deep_submit(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
	    json_t **result)
{
	(void)kwargs;
	*result = nest(args, 0);
	return flowrra_task_submit(task, "deep", *result, NULL, NULL, NULL) == 0
		   ? 0
		   : flowrra_fail_final(task, "the task was refused");
}

/* Each array has the one below twice: 2^N values in N arrays. */
static int
doubled(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
	json_t **result)
{
	json_int_t n = json_integer_value(json_array_get(args, 0)), i;
	json_t *inner = json_real(0.1), *outer;

	(void)task, (void)kwargs;
	for (i = 0; i < n; i++, inner = outer) {
		outer = json_array();
		json_array_append(outer, inner);
		json_array_append_new(outer, inner);
	}
	*result = inner;
	return 0;
}

static const struct flowrra_task_type tasks[] = {
    {.name = "deep", .run = deep, FLOWRRA_TASK_DEFAULTS},
    {.name = "deep_objects", .run = deep_objects, FLOWRRA_TASK_DEFAULTS},
    {.name = "deep_async", .start = deep_async, FLOWRRA_TASK_DEFAULTS},
    {.name = "deep_failed", .run = deep_failed, FLOWRRA_TASK_DEFAULTS},
    {.name = "deep_progress", .run = deep_progress, FLOWRRA_TASK_DEFAULTS},
    {.name = "deep_submit", .run = deep_submit, FLOWRRA_TASK_DEFAULTS},
    {.name = "doubled", .run = doubled, FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("deep", "1", tasks)
