/* SPDX-License-Identifier: MIT */
/* Handlers that wait for other tasks. */
#include <string.h>

#include "plain.h"

/* Submits the task that the argument names, waits for it, and returns its status;
 * "refused" if it must not wait. */
static int
parent(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
       json_t **result)
{
	const char *name = json_string_value(json_array_get(args, 0));
	char id[FLOWRRA_ID_SIZE];
	json_t *record;

	(void)kwargs;
	if (flowrra_task_submit(task, name, NULL, NULL, NULL, id) != 0)
		return flowrra_fail_final(task, "not submitted");
	if (flowrra_task_await(task, id, 30, &record) != 0) {
		if (flowrra_task_cancelled(task))
			return flowrra_fail_final(task, "told to end");
		*result = json_string("refused");
		return 0;
	}
	*result = json_incref(json_object_get(record, "status"));
	json_decref(record);
	return 0;
}

/* Waits for the task with this id, for so many seconds. */
static int
waiter(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
       json_t **result)
{
	json_t *record = NULL;
	int r = flowrra_task_await(
	    task, json_string_value(json_array_get(args, 0)),
	    json_number_value(json_array_get(args, 1)), &record);

	(void)kwargs;
	*result = record != NULL ? record : json_integer(r);
	return 0;
}

static const struct flowrra_task_type tasks[] = {
    FLOWRRA_TASK("parent", parent, "Waits for a task of its own"),
    FLOWRRA_TASK("waiter", waiter, "Waits for a task"),
};
FLOWRRA_MODULE("waits", "1", tasks)
