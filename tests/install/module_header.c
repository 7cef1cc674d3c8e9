/* SPDX-License-Identifier: MIT */
/* Compiled as C and as C++: the header alone, and the use of its macros. */
#include <flowrra/module.h>

static int
run(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
    json_t **result)
{
	struct flowrra_submit_options options = FLOWRRA_SUBMIT_OPTIONS_INIT;
	struct flowrra_task_type type = FLOWRRA_TASK_TYPE_INIT;
	char id[FLOWRRA_ID_SIZE];

	if (options.size != sizeof(options) || options.queue != NULL ||
	    options.priority != 0 || options.max_retries != -1 ||
	    options.timeout >= 0 || type.name != NULL || type.cpu_bound ||
	    type.max_retries != -1 || type.retry_backoff < 1)
		return flowrra_fail_final(task, "a default is wrong");
	if (flowrra_task_submit(task, "add", args, kwargs, &options, id) != 0)
		return flowrra_fail(task, "cannot submit");
	*result = json_string(id);
	return 0;
}

/* The way of C++; good in C, too, but not for a static array. */
__attribute__((unused)) static inline struct flowrra_task_type
task_type(const char *name, flowrra_run_fn *handler)
{
	struct flowrra_task_type type = FLOWRRA_TASK_TYPE_INIT;

	type.name = name;
	type.run = handler;
	return type;
}

static void
start(struct flowrra_task *task, struct event_base *base, const json_t *args,
      const json_t *kwargs)
{
	(void)base, (void)args, (void)kwargs;
	flowrra_finish(task, NULL);
}

static const struct flowrra_task_type tasks[] = {
    FLOWRRA_TASK("blocking", run, "Runs"),
    FLOWRRA_TASK_ASYNC("asynchronous", start, NULL, "Starts"),
#ifdef __cplusplus
    task_type("called", run),
#else
    {.name = "short", .run = run, FLOWRRA_TASK_DEFAULTS},
#endif
#ifdef FLOWRRA_TASK_DEFAULTS
    /* C++20 wants the order, and g++ warns of what is left out. */
    {.name = "whole",
     .description = NULL,
     .queue = NULL,
     .run = run,
     .start = NULL,
     .cancel = NULL,
     .cpu_bound = false,
     FLOWRRA_TASK_DEFAULTS,
     .retry_delay_max = 60,
     .retry_jitter = 0.1,
     .timeout = 5},
#endif
};
FLOWRRA_MODULE("header", "1", tasks)
