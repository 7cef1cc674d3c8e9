/* SPDX-License-Identifier: MIT */
/* Workflows from within a command that a task runs: through the worker of that task. */
#include <stdlib.h>

#include "manager/flows.h"
#include "manager/flows_submit.h"
#include "own_task.h"
#include "util/err.h"
#include "verb.h"
#include "workflow.h"

static int
way_begin(void *arg, const struct flows_begin *begin, struct err *err)
{
	json_t *request =
	    json_pack("{s:s,s:s,s:s*,s:s*,s:b}", "workflow", "begin", "flow",
		      begin->id, "label", begin->label, "on_failure",
		      begin->on_failure, "whole", (int)begin->whole);
	json_t *answer;

	if (begin->life_s > 0)
		json_object_set_new(request, "life", json_real(begin->life_s));
	answer = own_task_workflow(arg, request, err);
	json_decref(answer);
	return answer != NULL ? 0 : -1;
}

static int
way_add(void *arg, const struct flowrra_request *step, struct err *err)
{
	char *id = own_task_submit(arg, step, err);

	free(id);
	return id != NULL ? 0 : -1;
}

static int
way_tell(void *arg, const char *verb, const char *id, json_t **ret,
	 struct err *err)
{
	*ret = own_task_workflow(
	    arg, json_pack("{s:s,s:s}", "workflow", verb, "flow", id), err);
	return *ret != NULL ? 0 : -1;
}

static int
way_seal(void *arg, const char *id, struct err *err)
{
	json_t *answer;
	const int r = way_tell(arg, "seal", id, &answer, err);

	json_decref(answer);
	return r;
}

static int
way_cancel(void *arg, const char *id, struct err *err)
{
	json_t *answer;
	const int r = way_tell(arg, "cancel", id, &answer, err);

	json_decref(answer);
	return r;
}

const struct flows_way workflow_way = {
    .begin = way_begin, .add = way_add, .seal = way_seal, .cancel = way_cancel};

int
workflow_tell_worker(struct ctl *ctl, const char *verb, const char *id)
{
	struct err err = ERR_INIT;
	json_t *answer;

	if (way_tell(ctl->own, verb, id, &answer, &err) != 0)
		return complain_of_err(ctl, &err);
	json_object_set_new(answer, "workflow", json_string(id));
	print_if_json(ctl, answer);
	return 0;
}
