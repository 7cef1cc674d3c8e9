/* SPDX-License-Identifier: MIT */
/* The verbs about workflows as a whole: begin, seal, list, wait and cancel. The work
 * is manager/flows.h. */
#include "workflow.h"

#include <stdio.h>
#include <string.h>

#include "manager/flows.h"
#include "manager/flows_submit.h"
#include "manager/member.h"
#include "table.h"
#include "util/err.h"
#include "util/uuid.h"
#include "verb.h"

/* As many as list shows where nothing else is said. */
#define LIST_STANDARD 100
#define LIST_MAX 100000

/* --- begin ------------------------------------------------------------------- */

#define BEGIN_OPTION(...) VERB_OPTION(struct flows_begin, 0, __VA_ARGS__)

static const struct option_spec begin_options[] = {
    BEGIN_OPTION("id", "ID", TEXT, id, 0, 0,
		 "its ID, refused if in use; a new UUID by default"),
    BEGIN_OPTION("label", "TEXT", TEXT, label, 0, 0, "a text for people"),
    BEGIN_OPTION(
	"on-failure", "POLICY", TEXT, on_failure, 0, 0,
	"when a step fails: continue (the default), or cancel the rest"),
    BEGIN_OPTION("life", "DURATION", SECONDS, life_s, 1, FLOW_LIFE_MAX_S,
		 "keep it for so long after its end"),
    BEGIN_OPTION("whole", NULL, FLAG, whole, 0, 0,
		 "run no step before the workflow is sealed"),
};

static int
run_begin(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct flows_begin *begin = options;
	char id[TASK_FLOW_MAX + 1], made[UUID_TEXT_SIZE];
	struct err err = ERR_INIT;
	int status, r;

	if ((status = ctl_open_near(ctl)) != 0)
		return status;
	if (begin->id == NULL) {
		uuid_make(made);
		begin->id = made;
	}
	if (ctl->own != NULL) {
		r = workflow_way.begin(ctl->own, begin, &err);
		snprintf(id, sizeof(id), "%s", begin->id);
	} else {
		r = flows_begin(ctl->client, begin, id, &err);
	}
	if (r != 0)
		return complain_of_err(ctl, &err);
	if (ctl->globals.json)
		print_json_line(json_pack("{s:s}", "workflow", id));
	else
		puts(id);
	return 0;
}

const struct verb verb_workflow_begin = {
    .name = "workflow begin",
    .summary = "Begin a workflow and print its ID",
    .usage = "[OPTION...]",
    .options = begin_options,
    .n_options = sizeof(begin_options) / sizeof(begin_options[0]),
    .options_size = sizeof(struct flows_begin),
    .run = run_begin,
};

/* --- waiting ----------------------------------------------------------------- */

static long long
count_of(const json_t *flow, const char *name)
{
	return (long long)json_integer_value(json_object_get(flow, name));
}

/* Why it is no success is a complaint, as of a task. */
static int
print_ended(struct ctl *ctl, json_t *flow, bool with_id)
{
	const char *id = member_text(flow, "workflow");
	const char *state = member_text(flow, "state");
	const int status = strcmp(state, flow_state_word(FLOW_SUCCEEDED)) == 0
			       ? 0
			       : err_exit_status(ERR_FAILED);

	if (!ctl->globals.json)
		printf("%s%s%s\n", with_id ? id : "", with_id ? "\t" : "",
		       state);
	if (status != 0)
		complain(ctl,
			 "workflow %s %s: of %lld steps, %lld failed and %lld "
			 "were skipped",
			 id, state, count_of(flow, "steps"),
			 count_of(flow, "failed"), count_of(flow, "skipped"));
	print_if_json(ctl, flow);
	return status;
}

int
workflow_wait(struct ctl *ctl, const char *id, double timeout_s, bool with_id)
{
	struct err err = ERR_INIT;
	json_t *flow = flows_wait(ctl->client, id, timeout_s, &err);

	return flow != NULL ? print_ended(ctl, flow, with_id)
			    : complain_of_err(ctl, &err);
}

struct wait_options {
	bool wait;
	double timeout_s;
};

static void
wait_init(void *options)
{
	((struct wait_options *)options)->timeout_s = -1;
}

#define WAIT_OPTION(...) VERB_OPTION(struct wait_options, 0, __VA_ARGS__)

static const struct option_spec wait_options[] = {
    WAIT_OPTION("timeout", "DURATION", SECONDS, timeout_s, 0,
		WORKFLOW_WAIT_MAX_S, "wait at most this long; 0: check once"),
};

/* One after the other, and the time is for each: what ends first is seen first
 * only if it was named first. The highest status counts. */
static int
run_wait(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct wait_options *o = options;
	int status, one, i;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	for (i = 0; i < argc; i++) {
		one = workflow_wait(ctl, argv[i], o->timeout_s, argc > 1);
		if (one > status)
			status = one;
	}
	return status;
}

const struct verb verb_workflow_wait = {
    .name = "workflow wait",
    .summary = "Wait until workflows have ended",
    .usage = "ID... [--timeout DURATION]",
    .options = wait_options,
    .n_options = sizeof(wait_options) / sizeof(wait_options[0]),
    .options_size = sizeof(struct wait_options),
    .init = wait_init,
    .min_args = 1,
    .max_args = -1,
    .words = WORD_ANY,
    .run = run_wait,
};

/* --- seal and cancel --------------------------------------------------------- */

static const struct option_spec seal_options[] = {
    WAIT_OPTION("wait", NULL, FLAG, wait, 0, 0, "wait until it has ended"),
    WAIT_OPTION("wait-timeout", "DURATION", SECONDS, timeout_s, 0,
		WORKFLOW_WAIT_MAX_S, "wait at most this long"),
};

static int
run_seal(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct wait_options *o = options;
	struct err err = ERR_INIT;
	json_t *answer;
	int status;

	if (o->timeout_s >= 0 && !o->wait) {
		err_set(&err, ERR_USAGE, "--wait-timeout needs --wait");
		return complain_of_err(ctl, &err);
	}
	if ((status = ctl_open_near(ctl)) != 0)
		return status;
	if (o->wait && ctl_need_store(ctl, "--wait", &err) != 0)
		return complain_of_err(ctl, &err);
	if (ctl->own != NULL)
		return workflow_tell_worker(ctl, "seal", argv[0]);
	if ((answer = flows_seal(ctl->client, argv[0], &err)) == NULL)
		return complain_of_err(ctl, &err);
	if (!o->wait) {
		print_if_json(ctl, answer);
		return 0;
	}
	json_decref(answer);
	return workflow_wait(ctl, argv[0], o->timeout_s, false);
}

const struct verb verb_workflow_seal = {
    .name = "workflow seal",
    .summary = "Say that a workflow gets no more steps",
    .usage = "ID [--wait [--wait-timeout DURATION]]",
    .options = seal_options,
    .n_options = sizeof(seal_options) / sizeof(seal_options[0]),
    .options_size = sizeof(struct wait_options),
    .init = wait_init,
    .min_args = 1,
    .max_args = 1,
    .words = WORD_ANY,
    .run = run_seal,
};

typedef json_t *change_fn(struct flowrra_client *c, const char *id,
			  struct err *err);

/* Of each; the highest status counts. Nothing is printed of what went well. */
static int
change_each(struct ctl *ctl, int n, char **ids, change_fn *change)
{
	struct err err = ERR_INIT;
	json_t *answer;
	int status, one, i;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	for (i = 0; i < n; i++) {
		if ((answer = change(ctl->client, ids[i], &err)) != NULL) {
			print_if_json(ctl, answer);
			continue;
		}
		one = complain_of_err(ctl, &err);
		if (one > status)
			status = one;
	}
	return status;
}

static int
run_cancel(struct ctl *ctl, int argc, char **argv, void *options)
{
	int status = ctl_open_near(ctl), one, i;

	if (status != 0)
		return status;
	if (ctl->own == NULL)
		return change_each(ctl, argc, argv, flows_cancel);
	for (i = 0; i < argc; i++) {
		one = workflow_tell_worker(ctl, "cancel", argv[i]);
		if (one > status)
			status = one;
	}
	return status;
}

const struct verb verb_workflow_cancel = {
    .name = "workflow cancel",
    .summary = "Cancel workflows: no step that waits runs any more",
    .usage = "ID...",
    .min_args = 1,
    .max_args = -1,
    .words = WORD_ANY,
    .run = run_cancel,
};

/* --- retry and repair -------------------------------------------------------- */

/* A failed step that is not on the dead list any more, or that the workflow does not
 * give back, is not retried: that is no success. */
static int
run_retry(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT;
	json_t *answer;
	long long left;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if ((answer = flows_retry(ctl->client, argv[0], &err)) == NULL)
		return complain_of_err(ctl, &err);
	left = count_of(answer, "refused") + count_of(answer, "gone");
	if (!ctl->globals.json)
		printf("%lld\n", count_of(answer, "retried"));
	if (left > 0)
		complain(ctl,
			 "%lld failed steps were not put back: they are not on "
			 "the dead list, or were refused",
			 left);
	print_if_json(ctl, answer);
	return left > 0 ? err_exit_status(ERR_REFUSED) : 0;
}

const struct verb verb_workflow_retry = {
    .name = "workflow retry",
    .summary = "Run the steps of a workflow again that failed",
    .usage = "ID",
    .min_args = 1,
    .max_args = 1,
    .words = WORD_ANY,
    .run = run_retry,
};

static int
run_repair(struct ctl *ctl, int argc, char **argv, void *options)
{
	return change_each(ctl, argc, argv, flows_repair);
}

const struct verb verb_workflow_repair = {
    .name = "workflow repair",
    .summary = "Tell workflows of steps that ended without a word",
    .usage = "ID...",
    .min_args = 1,
    .max_args = -1,
    .words = WORD_ANY,
    .run = run_repair,
};

/* --- list -------------------------------------------------------------------- */

/* For programs the order is part of the interface: add new columns at the end. */
static const struct column columns[] = {
    {"ID", "workflow", NULL, COLUMN_WHOLE},
    {"LABEL", "label", NULL, 0},
    {"STATE", "state", NULL, COLUMN_STATE | COLUMN_WHOLE},
    {"STEPS", "steps", NULL, COLUMN_RIGHT},
    {"WAITING", "waiting", NULL, COLUMN_RIGHT | COLUMN_DROP(2)},
    {"RELEASED", "released", NULL, COLUMN_RIGHT | COLUMN_DROP(2)},
    {"SUCCEEDED", "succeeded", NULL, COLUMN_RIGHT | COLUMN_DROP(3)},
    {"FAILED", "failed", NULL, COLUMN_RIGHT | COLUMN_DROP(1)},
    {"SKIPPED", "skipped", NULL, COLUMN_RIGHT | COLUMN_DROP(4)},
    {"BEGUN", "begun_at", cell_time, COLUMN_WHOLE},
    {"ENDED", "ended_at", cell_time, COLUMN_WHOLE | COLUMN_DROP(5)},
};

struct list_options {
	int limit;
};

static void
list_init(void *options)
{
	((struct list_options *)options)->limit = LIST_STANDARD;
}

static const struct option_spec list_options[] = {
    VERB_OPTION(struct list_options, 0, "limit", "N", INT, limit, 1, LIST_MAX,
		"show at most N; 100 by default"),
};

static int
run_list(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct list_options *o = options;
	struct err err = ERR_INIT;
	bool more = false;
	json_t *list;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	list = flows_list(ctl->client, (size_t)o->limit, &more, &err);
	if (list == NULL)
		return complain_of_err(ctl, &err);
	status = print_list(ctl, columns, sizeof(columns) / sizeof(columns[0]),
			    list);
	if (more)
		complain(ctl, "there are more; see --limit");
	return status;
}

const struct verb verb_workflow_list = {
    .name = "workflow list",
    .looks = true,
    .summary = "List the workflows that were begun last",
    .usage = "[--limit N]",
    .options = list_options,
    .n_options = sizeof(list_options) / sizeof(list_options[0]),
    .options_size = sizeof(struct list_options),
    .init = list_init,
    .max_args = 0,
    .words = WORD_ANY,
    .run = run_list,
};
