/* SPDX-License-Identifier: MIT */
/* The verb move: tasks go to another queue or store, by their IDs, or all that a filter
 * selects. The work is manager/move.h and move_between.h. */
#include "manager/move.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/client.h"
#include "manager/member.h"
#include "manager/move_between.h"
#include "manager/queues.h"
#include "manager/select.h"
#include "manager/task_filter.h"
#include "selection.h"
#include "sqlite/place.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/name.h"
#include "verb.h"

struct move_options {
	struct selection selection;
	const char *to;
	const char *url, *config; /* of another store */
	bool resume, wait;
};

#define OPTION(...) VERB_OPTION(struct move_options, 0, __VA_ARGS__)

static const struct option_spec move_options[] = {
    OPTION("to", "QUEUE", TEXT, to, 0, 0, "the queue that they go to"),
    SELECTION_OPTIONS(struct move_options, selection),
    OPTION("state", "STATE,...", TEXT, selection.states, 0, 0,
	   "only those in these states: waiting, delayed, retrying, dead"),
    OPTION("older-than", "DURATION", SECONDS, selection.older_than_s, 0,
	   3162240000, "only those submitted at least this long ago"),
    OPTION("to-url", "URL", TEXT, url, 0, 0,
	   "to the store of this URL, in which queues keep their names"),
    OPTION("to-config", "FILE", TEXT, config, 0, 0,
	   "the same, with the URLs of this configuration file"),
    OPTION("wait", NULL, FLAG, wait, 0, 0,
	   "until none of the queues' tasks runs, with those that come back"),
    OPTION("resume", NULL, FLAG, resume, 0, 0,
	   "bring in what a move that was interrupted has left on its way"),
};

static const struct selection_words words = {
    "move", "Move", "moved",
    "--queue, --task, --error, --reason, --state, --older-than"};

/* With --wait, between two looks. */
#define WAIT_NS 500000000L

/* Without --state. */
#define MOVE_STATES (SELECT_WAITING | SELECT_DELAYED | SELECT_RETRYING)

/* --- by ID ----------------------------------------------------------------- */

static void
note_refusal(const char *id, const char *outcome, const struct err *why,
	     void *arg)
{
	if (why->code != ERR_NONE)
		*(struct err *)arg = *why;
}

/* One that does not wait may be dead. */
static json_t *
move_one(struct ctl *ctl, const char *id, const char *to, struct err *err)
{
	struct err why = ERR_INIT;
	struct move_between m = {.from = ctl->client,
				 .to = ctl->client,
				 .queue = to,
				 .on_outcome = note_refusal,
				 .arg = &why};
	json_t *answer = move_task(ctl->client, id, to, err);

	if (answer != NULL ||
	    (err->code != ERR_REFUSED && err->code != ERR_NOT_FOUND))
		return answer;
	if (move_dead_task(&m, id, &why) != 0 || m.refused > 0)
		*err = why;
	return m.moved > 0 ? json_pack("{s:s,s:s,s:s}", "task_id", id,
				       "outcome", "moved", "queue", to)
			   : NULL;
}

static int
move_ids(struct ctl *ctl, const char *to, int argc, char **argv)
{
	struct err err;
	int status = 0, i;
	json_t *answer;

	for (i = 0; i < argc; i++) {
		err = (struct err)ERR_INIT;
		answer = move_one(ctl, argv[i], to, &err);
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

static void
print_moved(const struct moving *x)
{
	if (x->ctl->globals.json)
		return;
	printf("%lld moved", (long long)x->move.moved);
	if (x->move.gone > 0)
		printf(", %lld run or have ended", (long long)x->move.gone);
	if (x->move.refused > 0)
		printf(", %lld refused", (long long)x->move.refused);
	putchar('\n');
}

/* Takes the dead ones out of the list: a new one. */
static json_t *
take_dead(json_t *tasks)
{
	json_t *dead = json_array();
	const char *state;
	size_t i;

	for (i = json_array_size(tasks); i > 0; i--) {
		state = member_text(json_array_get(tasks, i - 1), "state");
		if (state == NULL || strcmp(state, "dead") != 0)
			continue;
		json_array_append(dead, json_array_get(tasks, i - 1));
		json_array_remove(tasks, i - 1);
	}
	return dead;
}

static int
move_all_dead(struct moving *x, const json_t *tasks, struct err *err)
{
	struct move_between m = {.from = x->ctl->client,
				 .to = x->ctl->client,
				 .queue = x->move.to,
				 .on_outcome = on_outcome,
				 .arg = x};
	const int r = move_dead(&m, tasks, err);

	x->move.moved += m.moved;
	x->move.gone += m.gone;
	x->move.refused += m.refused;
	return r;
}

static int
move_all(struct ctl *ctl, const char *to, json_t *tasks)
{
	json_t *dead = take_dead(tasks);
	struct moving x = {.ctl = ctl};
	struct err err = ERR_INIT;

	x.move = (struct move){.to = to, .on_outcome = on_outcome, .arg = &x};
	if (move_tasks(ctl->client, &x.move, tasks, &err) != 0 ||
	    move_all_dead(&x, dead, &err) != 0)
		x.status = complain_of_err(ctl, &err);
	json_decref(dead);
	end_progress(ctl);
	print_moved(&x);
	return x.status;
}

/* --- to another store --------------------------------------------------------- */

static bool
is_between(const struct move_options *o)
{
	return o->url != NULL || o->config != NULL;
}

/* What the environment and our own configuration say of ours is not meant. The
 * configuration is the caller's to free, after the client. */
static int
open_other(const struct move_options *o, struct conf **conf,
	   struct flowrra_client **ret, struct err *err)
{
	const char *settings[] = {NULL, "backend.url=", NULL};
	char *url = NULL;
	int r = -1;

	if (o->url != NULL && asprintf(&url, "broker.url=%s", o->url) < 0)
		return err_nomem(err);
	settings[0] = url;
	if (conf_load(o->config != NULL ? o->config : "/dev/null", settings,
		      conf, err) == 0 &&
	    conf_check_client(*conf, CONF_STORE_BROKER, err) == 0 &&
	    place_check_url((*conf)->broker.url, err) == 0)
		r = client_open_with(*conf, ret, err);
	free(url);
	return r != 0 ? err_prefix(err, "the other store") : 0;
}

static void
on_between(const char *id, const char *outcome, const struct err *why,
	   void *arg)
{
	struct moving *x = arg;

	if (why->code != ERR_NONE)
		x->status = complain_of_err(x->ctl, why);
	print_if_json(
	    x->ctl,
	    json_pack("{s:s,s:s,s:o*}", "task_id", id, "outcome", outcome,
		      "error",
		      why->code != ERR_NONE ? member_of_text(why->msg) : NULL));
}

static int
move_all_between(struct move_between *m, json_t *tasks, struct err *err)
{
	json_t *dead = take_dead(tasks);
	int r = move_between(m, tasks, err);

	if (r == 0)
		r = move_dead(m, dead, err);
	json_decref(dead);
	return r;
}

/* Whether all that waits in the store, or in a queue, is meant: then so is what another
 * move has left on its way from there. */
static bool
is_whole(const struct selection *s)
{
	return s->states == NULL && s->older_than_s == 0 &&
	       task_filter_is_any(&s->filter);
}

/* `tasks` NULL: what another move has left on its way. */
static int
move_to_other(struct ctl *ctl, const struct move_options *o, json_t *tasks)
{
	struct moving x = {.ctl = ctl};
	struct move_between m = {.from = ctl->client,
				 .queue = o->to,
				 .on_outcome = on_between,
				 .arg = &x};
	struct err err = ERR_INIT;
	struct conf *conf = NULL;
	int r = open_other(o, &conf, &m.to, &err);

	if (r == 0)
		r = move_between_check(&m, &err);
	if (r == 0 && tasks != NULL)
		r = move_all_between(&m, tasks, &err);
	if (r == 0 && (tasks == NULL || is_whole(&o->selection)))
		r = move_between_resume(&m, o->selection.filter.queue, &err);
	if (r != 0)
		x.status = complain_of_err(ctl, &err);
	x.move = (struct move){
	    .moved = m.moved, .gone = m.gone, .refused = m.refused};
	flowrra_close(m.to);
	conf_free(conf);
	print_moved(&x);
	return x.status;
}

/* What is on its way to another store may be there already: it is moved within this
 * one only by who names that queue. */
static void
leave_leaving(json_t *tasks, const char *queue)
{
	const char *of;
	size_t i;

	for (i = json_array_size(tasks); i > 0 && queue == NULL; i--) {
		of = member_text(json_array_get(tasks, i - 1), "queue");
		if (of != NULL && move_is_leaving(of))
			json_array_remove(tasks, i - 1);
	}
}

static int
move_filtered(struct ctl *ctl, struct move_options *o, int states)
{
	json_t *tasks;
	int status = selection_take(ctl, &o->selection, &words, states, &tasks);

	if (tasks != NULL && is_between(o)) {
		status = move_to_other(ctl, o, tasks);
	} else if (tasks != NULL) {
		leave_leaving(tasks, o->selection.filter.queue);
		status = move_all(ctl, o->to, tasks);
	}
	json_decref(tasks);
	return status;
}

/* --- with those that come back --------------------------------------------- */

/* How many tasks of the queues run, and may be retried. -1 with *err. */
static int64_t
running(struct ctl *ctl, const char *queue, struct err *err)
{
	json_t *queues = queues_list(ctl->client, queue, err), *one;
	int64_t n = queues != NULL ? 0 : -1;
	size_t i;

	json_array_foreach (queues, i, one)
		n += json_integer_value(json_object_get(one, "in_flight"));
	json_decref(queues);
	return n;
}

/* Who has agreed once is not asked again. One look more after the last has ended: it
 * may have come back just before. */
static int
move_and_wait(struct ctl *ctl, struct move_options *o, int states)
{
	const struct timespec pause = {.tv_nsec = WAIT_NS};
	struct err err = ERR_INIT;
	int status = 0, one;
	int64_t n;

	do {
		n = running(ctl, o->selection.filter.queue, &err);
		if (n < 0)
			return complain_of_err(ctl, &err);
		one = move_filtered(ctl, o, states);
		if (one == err_exit_status(ERR_USAGE))
			return one;
		status = one > status ? one : status;
		o->selection.yes = true;
		if (n > 0)
			nanosleep(&pause, NULL);
	} while (n > 0);
	return status;
}

/* --- what is left ------------------------------------------------------------- */

static int
move_resume(struct ctl *ctl, const char *queue)
{
	struct err err = ERR_INIT;
	const int64_t n = move_deliver(ctl->client, queue, &err);

	if (n < 0)
		return complain_of_err(ctl, &err);
	if (ctl->globals.json)
		print_json_line(json_pack("{s:I}", "moved", (json_int_t)n));
	else
		printf("%lld moved\n", (long long)n);
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
	if (o->url != NULL && o->config != NULL)
		return err_set(err, ERR_USAGE,
			       "cannot use --to-url with --to-config");
	if (is_between(o) && n_ids > 0)
		return err_set(err, ERR_USAGE,
			       "cannot use IDs with --to-url or --to-config");
	if (o->wait && (n_ids > 0 || o->resume || s->dry_run))
		return err_set(err, ERR_USAGE,
			       "cannot use --wait with IDs, --resume or "
			       "--dry-run");
	if (o->resume)
		return 0;
	if (o->to == NULL && !is_between(o))
		return err_set(err, ERR_USAGE, "missing --to QUEUE");
	if ((o->to != NULL &&
	     name_check_queue(slice_of(o->to), ERR_DATA, err) != 0) ||
	    selection_check(s, &words, n_ids, err) != 0)
		return -1;
	if (!is_between(o) && s->filter.queue != NULL &&
	    strcmp(s->filter.queue, o->to) == 0)
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
	if ((states & SELECT_RUNNING) != 0) {
		err_set(&err, ERR_DATA, "a running task cannot be moved");
		return complain_of_err(ctl, &err);
	}
	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (o->resume && is_between(o))
		return move_to_other(ctl, o, NULL);
	if (o->resume)
		return move_resume(ctl, o->selection.filter.queue);
	if (o->wait)
		return move_and_wait(ctl, o, states);
	return argc > 0 ? move_ids(ctl, o->to, argc, argv)
			: move_filtered(ctl, o, states);
}

const struct verb verb_move = {
    .name = "move",
    .summary = "Move waiting, delayed or dead tasks to another queue or store",
    .usage = "--to QUEUE|--to-url URL ID...|FILTER...|--all [OPTION...]",
    .options = move_options,
    .n_options = sizeof(move_options) / sizeof(move_options[0]),
    .options_size = sizeof(struct move_options),
    .max_args = -1,
    .words = WORD_TASK_ID,
    .run = run_move,
};
