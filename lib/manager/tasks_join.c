/* SPDX-License-Identifier: MIT */
/*
 * What a record adds to a task that has not ended.
 *
 * The broker knows where a task is and who has it, its record when it began, how
 * far it is, and what its last attempt has left.
 */
#include <stdlib.h>

#include "client/load.h"
#include "codec/task_json.h"
#include "core/task.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/tasks_private.h"
#include "util/err.h"

/* Delayed ones that were tried before are to be retried. */
bool
tasks_is_of_state(const struct broker_item *item, enum tasks_state state)
{
	struct task *task;
	struct err why;
	bool again;

	if (state != TASKS_DELAYED && state != TASKS_RETRYING)
		return true;
	task = load_task(item, &why);
	again = task != NULL && task->current_retry > 0;
	task_free(task);
	return again == (state == TASKS_RETRYING);
}

/* Of a task that runs, all; but who has it, only the broker knows. Of others,
 * what its last attempt left: the rest may be of that attempt. */
static void
join_record(json_t *info, json_t *record, enum tasks_state state)
{
	static const char *const kept[] = {
	    "error",	"reason", "started_at", "attempts",
	    "progress", "worker", "exit_code",	"signal"};
	json_t *value;
	size_t i;

	if (state == TASKS_RUNNING) {
		json_object_del(record, "queue");
		json_object_del(record, "worker");
		json_object_update(info, record);
		return;
	}
	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if ((value = json_object_get(record, kept[i])) != NULL)
			json_object_set(info, kept[i], value);
}

int
tasks_join_records(struct flowrra_client *c, json_t *list,
		   enum tasks_state state, struct err *err)
{
	const size_t n = json_array_size(list);
	const char **ids = calloc(n + 1, sizeof(*ids));
	json_t **records = calloc(n + 1, sizeof(void *)), *info;
	size_t i, k = 0;
	int result = -1;

	if (ids == NULL || records == NULL) {
		err_nomem(err);
	} else {
		json_array_foreach (list, i, info)
			if ((ids[k] = member_text(info, "task_id")) != NULL)
				k++;
		result = query_records(c, ids, k, records, err);
		k = 0;
		json_array_foreach (list, i, info) {
			if (member_text(info, "task_id") == NULL)
				continue;
			if (result == 0 && records[k] != NULL)
				join_record(info, records[k], state);
			json_decref(records[k++]);
		}
	}
	free(records);
	free(ids);
	return result;
}

/* Whether the record has to be read before it can be said who is meant. */
bool
tasks_need_record(enum tasks_state state, const struct task_filter *f)
{
	return f->error != NULL || f->reason != NULL || f->exit_code != NULL ||
	       (f->worker != NULL && state != TASKS_RUNNING) ||
	       (state == TASKS_RUNNING &&
		(f->after_us != 0 || f->before_us != 0));
}
