/* SPDX-License-Identifier: MIT */
/* The verb progress: how far the task is that runs this command. */
#include "manager/request.h"
#include "own_task.h"
#include "util/err.h"
#include "verb.h"

/* JSON, or, as with submit, a text. */
static json_t *
read_value(const char *word, struct err *err)
{
	const char *words[] = {word};
	struct buf array = BUF_INIT;
	json_t *list = NULL, *value = NULL;

	if (request_arguments(words, 1, REQUEST_JSON, &array, err) == 0) {
		list = json_loads(array.data, 0, NULL);
		value = json_incref(json_array_get(list, 0));
		if (value == NULL)
			err_set(err, ERR_DATA, "cannot read the value");
	}
	json_decref(list);
	buf_done(&array);
	return value;
}

static int
run_progress(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT;
	json_t *value = read_value(argv[0], &err);

	if (value == NULL)
		return complain_of_err(ctl, &err);
	if (getenv("FLOWRRA_TASK_SOCKET") == NULL)
		err_set(&err, ERR_USAGE,
			"only the command of a task has progress to tell; it "
			"is called with FLOWRRA_TASK_SOCKET in its "
			"environment");
	else
		ctl->own = own_task_open(&err);
	if (ctl->own == NULL)
		json_decref(value);
	else
		own_task_progress(ctl->own, value, &err);
	return err.code == ERR_NONE ? 0 : complain_of_err(ctl, &err);
}

const struct verb verb_progress = {
    .name = "progress",
    .summary = "Tell how far the task is that runs this command",
    .usage = "VALUE",
    .min_args = 1,
    .max_args = 1,
    .run = run_progress,
};
