/* SPDX-License-Identifier: MIT */
/* Tasks that do nothing, for measurements. */
#include <time.h>

#include <flowrra/module.h>

static int
noop(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
     json_t **result)
{
	(void)task, (void)args, (void)kwargs, (void)result;
	return 0;
}

static void
noop_async(struct flowrra_task *task, struct event_base *base,
	   const json_t *args, const json_t *kwargs)
{
	(void)base, (void)args, (void)kwargs;
	flowrra_finish(task, NULL);
}

/* The wall clock at its start, in microseconds. */
static int
stamp(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
      json_t **result)
{
	struct timespec t;

	(void)task, (void)args, (void)kwargs;
	clock_gettime(CLOCK_REALTIME, &t);
	*result =
	    json_integer((json_int_t)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	return 0;
}

static const struct flowrra_task_type tasks[] = {
    {.name = "noop", .run = noop, FLOWRRA_TASK_DEFAULTS},
    {.name = "noop_cpu", .run = noop, .cpu_bound = true, FLOWRRA_TASK_DEFAULTS},
    {.name = "noop_async", .start = noop_async, FLOWRRA_TASK_DEFAULTS},
    {.name = "stamp", .run = stamp, FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("noop", "1", tasks)
