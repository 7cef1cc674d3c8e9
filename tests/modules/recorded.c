/* SPDX-License-Identifier: MIT */
/* The tasks of which tests/web/seed/ws.json tells, as they were written there. */
#include <unistd.h>

#include <flowrra/module.h>

static int
add(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
    json_t **result)
{
	/* add(a, b=0): b by its place or by its name. */
	const json_t *b =
	    json_array_get(args, 1) ?: json_object_get(kwargs, "b");

	*result = json_integer(json_integer_value(json_array_get(args, 0)) +
			       json_integer_value(b));
	return 0;
}

static int
fail(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
     json_t **result)
{
	return flowrra_fail(task, "the ledger is locked");
}

/* Long enough for a worker to tell that it runs. */
static int
flaky(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
      json_t **result)
{
	usleep(500000);
	return flowrra_fail(task, "not yet");
}

static const struct flowrra_task_type tasks[] = {
    {.name = "add", .run = add, FLOWRRA_TASK_DEFAULTS},
    {.name = "fail", .run = fail, FLOWRRA_TASK_DEFAULTS},
    {.name = "flaky", .run = flaky, FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("recorded", "1", tasks)
