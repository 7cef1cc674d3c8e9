/* SPDX-License-Identifier: MIT */
/* The verb move: tasks go to another queue, by their IDs, or all that a filter
 * selects. The work is manager/move.h. */
#include "manager/move.h"

#include <stdio.h>
#include <string.h>

#include "client/deliver.h"
#include "manager/member.h"
#include "manager/queues.h"
#include "manager/select.h"
#include "manager/task_filter.h"
#include "selection.h"
#include "util/err.h"
#include "util/name.h"
#include "verb.h"

struct move_options {
	struct selection selection;
	const char *to;
	bool resume;
};

#define OPTION(...) VERB_OPTION(struct move_options, 0, __VA_ARGS__)

static const struct option_spec move_options[] = {
    OPTION("to", "QUEUE", TEXT, to, 0, 0, "the queue that they go to"),
    SELECTION_OPTIONS(struct move_options, selection),
    OPTION("state", "STATE,...", TEXT, selection.states, 0, 0,
	   "only those in these states: waiting, delayed, retrying"),
    OPTION("older-than", "DURATION", SECONDS, selection.older_than_s, 0,
	   3162240000, "only those submitted at least this long ago"),
    OPTION("resume", NULL, FLAG, resume, 0, 0,
	   "bring in what a move that was interrupted has left on its way"),
};

static const struct selection_words words = {
    "move", "Move", "moved",
    "--queue, --task, --error, --reason, --state, --older-than"};

#define MOVE_STATES (SELECT_WAITING | SELECT_DELAYED | SELECT_RETRYING)

/* --- by ID ----------------------------------------------------------------- */

static int
move_ids(struct ctl *ctl, const char *to, int argc, char **argv)
{
	struct err err;
	int status = 0, i;
	json_t *answer;

	for (i = 0; i < argc; i++) {
		err = (struct err)ERR_INIT;
		answer = move_task(ctl->client, argv[i], to, &err);
		if (answer == NULL) {
			const int one = complain_of_err(ctl, &err);

			status = one > status ? one : status;
			answer = json_pack("{s:o,s:i,s:o}", "task_id",
					   member_of_text(argv[i]), "code", one,
					   "error", member_of_text(err.msg));
		}
		print_if_json(ctl, answer);
	}
	return status;
}

/* --- by filter --------------------------------------------------------------- */

/* What on_outcome() needs. */
struct moving {
	struct ctl *ctl;
	struct move move;
	int status;
};

static void
on_outcome(const char *id, const char *outcome, const struct err *why,
	   void *arg)
{
	struct moving *x = arg;
	const bool refused = why->code != ERR_NONE;

	if (refused)
		x->status = complain_of_err(x->ctl, why);
	print_if_json(
	    x->ctl,
	    json_pack("{s:s,s:s,s:s*,s:o*}", "task_id", id, "outcome", outcome,
		      "queue",
		      strcmp(outcome, "moved") == 0 ? x->move.to : NULL,
		      "error", refused ? member_of_text(why->msg) : NULL));
	if (!x->ctl->globals.json)
		show_progress(x->ctl, (long long)x->move.moved, "moved");
}

static int
move_all(struct ctl *ctl, const char *to, const json_t *tasks)
{
	struct moving x = {.ctl = ctl};
	struct err err = ERR_INIT;

	x.move = (struct move){.to = to, .on_outcome = on_outcome, .arg = &x};
	if (move_tasks(ctl->client, &x.move, tasks, &err) != 0)
		x.status = complain_of_err(ctl, &err);
	end_progress(ctl);
	if (ctl->globals.json)
		return x.status;
	printf("%lld moved", (long long)x.move.moved);
	if (x.move.gone > 0)
		printf(", %lld run or have ended", (long long)x.move.gone);
	if (x.move.refused > 0)
		printf(", %lld refused", (long long)x.move.refused);
	putchar('\n');
	return x.status;
}

static int
move_filtered(struct ctl *ctl, struct move_options *o, int states)
{
	json_t *tasks;
	int status = selection_take(ctl, &o->selection, &words, states, &tasks);

	if (tasks != NULL)
		status = move_all(ctl, o->to, tasks);
	json_decref(tasks);
	return status;
}

/* --- what is left ------------------------------------------------------------- */

/* From each queue there is, or from one. */
static int
move_resume(struct ctl *ctl, const char *queue)
{
	struct err err = ERR_INIT;
	json_t *queues = queues_list(ctl->client, queue, &err), *one;
	int64_t all = 0, n = 0;
	size_t i;

	json_array_foreach (queues, i, one) {
		n = client_deliver(ctl->client, member_text(one, "queue"),
				   &err);
		if (n < 0)
			break;
		all += n;
	}
	if (queues == NULL || n < 0) {
		json_decref(queues);
		return complain_of_err(ctl, &err);
	}
	json_decref(queues);
	if (ctl->globals.json)
		print_json_line(json_pack("{s:I}", "moved", (json_int_t)all));
	else
		printf("%lld moved\n", (long long)all);
	return 0;
}

/* --- the verb ------------------------------------------------------------------ */

static int
move_check(const struct move_options *o, int n_ids, struct err *err)
{
	const struct selection *s = &o->selection;

	if (o->resume && (n_ids > 0 || o->to != NULL || s->all || s->dry_run))
		return err_set(err, ERR_USAGE,
			       "cannot use --resume with IDs, --to, --all or "
			       "--dry-run");
	if (o->resume)
		return 0;
	if (o->to == NULL)
		return err_set(err, ERR_USAGE, "missing --to QUEUE");
	if (name_check_queue(slice_of(o->to), ERR_DATA, err) != 0 ||
	    selection_check(s, &words, n_ids, err) != 0)
		return -1;
	if (s->filter.queue != NULL && strcmp(s->filter.queue, o->to) == 0)
		return err_set(err, ERR_DATA,
			       "--queue and --to are the same queue");
	return task_filter_check(&s->filter, err);
}

static int
run_move(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct move_options *o = options;
	struct err err = ERR_INIT;
	int status, states = MOVE_STATES;

	if (move_check(o, argc, &err) != 0 ||
	    (o->selection.states != NULL &&
	     (states = select_parse(o->selection.states, &err)) < 0))
		return complain_of_err(ctl, &err);
	if ((states & ~MOVE_STATES) != 0) {
		err_set(&err, ERR_DATA, "a running task cannot be moved");
		return complain_of_err(ctl, &err);
	}
	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (o->resume)
		return move_resume(ctl, o->selection.filter.queue);
	return argc > 0 ? move_ids(ctl, o->to, argc, argv)
			: move_filtered(ctl, o, states);
}

const struct verb verb_move = {
    .name = "move",
    .summary = "Move waiting or delayed tasks to another queue",
    .usage = "--to QUEUE ID... | FILTER... | --all [--dry-run] [--yes]",
    .options = move_options,
    .n_options = sizeof(move_options) / sizeof(move_options[0]),
    .options_size = sizeof(struct move_options),
    .max_args = -1,
    .words = WORD_TASK_ID,
    .run = run_move,
};
