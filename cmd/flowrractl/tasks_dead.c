/* SPDX-License-Identifier: MIT */
/* The verbs about dead tasks: list, retry and delete. Retry and delete take a
 * selection and never guess one: without IDs, a filter or --all they are
 * refused. */
#include <stdio.h>
#include <string.h>

#include "manager/dead.h"
#include "manager/records_delete.h"
#include "manager/tasks.h"
#include "table.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

#define US_PER_S 1e6
/* How many of those that could not be changed are complained of, one line each:
 * about a screen. The rest is counted; --json has them all, up to
 * DEAD_TASKS_MAX. */
#define COMPLAINTS_MAX 20

/* For all three verbs; each table fills its part. `older_than_s` becomes
 * filter.tasks.before_us when the verb runs, by the clock of this machine. */
struct dead_options {
	struct dead_filter filter;
	double older_than_s;
	int limit, depth;
	bool all, dry_run;
	bool dead, succeeded, failed; /* of delete */
};

static void
dead_init(void *options)
{
	struct dead_options *o = options;

	o->limit = 20;
	o->depth = TASKS_DEPTH_STANDARD;
}

#define OPTION(...) VERB_OPTION(struct dead_options, 0, __VA_ARGS__)

/* The same filter for all three, so that what tasks dead shows is what tasks
 * retry changes. */
#define FILTER_OPTIONS                                                         \
	OPTION("queue", "QUEUE", TEXT, filter.tasks.queue, 0, 0,               \
	       "only tasks of this queue"),                                    \
	    OPTION("task", "NAME", TEXT, filter.tasks.task, 0, 0,              \
		   "only tasks with this name"),                               \
	    OPTION("worker", "WORKER", TEXT, filter.tasks.worker, 0, 0,        \
		   "only tasks that this worker had"),                         \
	    OPTION("error", "TEXT", TEXT, filter.tasks.error, 0, 0,            \
		   "only tasks with this text in their error"),                \
	    OPTION("reason", "WORD", TEXT, filter.tasks.reason, 0, 0,          \
		   "only tasks with this reason"),                             \
	    OPTION("exit-code", "N", TEXT, filter.tasks.exit_code, 0, 0,       \
		   "only tasks whose command ended with this exit code"),      \
	    OPTION("since", "TIME", PAST, filter.tasks.after_us, 0, 0,         \
		   "only tasks that died since this time, or duration ago"),   \
	    OPTION("older-than", "DURATION", SECONDS, older_than_s, 0,         \
		   3162240000, "only tasks that died at least this long ago")

static const struct option_spec list_options[] = {
    VERB_OPTION(struct dead_options, 'n', "limit", "N", INT, limit, 1, 100000,
		"list at most N; 20 by default"),
    FILTER_OPTIONS,
    OPTION("depth", "N", INT, depth, 1, 100000000,
	   "search the N newest; 10000 by default"),
};

#define CHANGE_OPTIONS                                                         \
	FILTER_OPTIONS, OPTION("all", NULL, FLAG, all, 0, 0, "all of them"),   \
	    OPTION("dry-run", NULL, FLAG, dry_run, 0, 0,                       \
		   "change nothing; show the tasks that would change")

static const struct option_spec retry_options[] = {CHANGE_OPTIONS};

static const struct option_spec delete_options[] = {
    OPTION("dead", NULL, FLAG, dead, 0, 0,
	   "delete from the dead list (the default)"),
    OPTION("succeeded", NULL, FLAG, succeeded, 0, 0,
	   "delete the records of tasks that succeeded"),
    OPTION("failed", NULL, FLAG, failed, 0, 0,
	   "delete the records of tasks that failed"),
    CHANGE_OPTIONS,
};

/* The age becomes a time once, when the verb runs: a change that takes minutes
 * must not reach tasks that die meanwhile. */
static void
complete_filter(struct dead_options *o)
{
	if (o->older_than_s > 0)
		o->filter.tasks.before_us =
		    clock_wall_us() - (int64_t)(o->older_than_s * US_PER_S);
}

/* --- list -------------------------------------------------------------- */

static const struct column dead_columns[] = {
    {"ID", "key", NULL, COLUMN_WHOLE},
    {"TASK", "task_name", NULL, 0},
    {"QUEUE", "queue", NULL, COLUMN_DROP(2)},
    {"DIED", "died_at", cell_time, COLUMN_WHOLE | COLUMN_DROP(1)},
    {"REASON", "reason", NULL, COLUMN_WHOLE | COLUMN_DROP(3)},
    {"ERROR", "error", NULL, 0},
};
#define N_DEAD_COLUMNS (sizeof(dead_columns) / sizeof(dead_columns[0]))

static int
run_dead(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct dead_options *o = options;
	struct dead_query query;
	struct err err = ERR_INIT;
	json_t *list;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	complete_filter(o);
	query = (struct dead_query){.filter = o->filter,
				    .limit = (size_t)o->limit,
				    .depth = (size_t)o->depth};
	if ((list = dead_list(ctl->client, &query, &err)) == NULL)
		return complain_of_err(ctl, &err);
	status = print_list(ctl, dead_columns, N_DEAD_COLUMNS, list);
	if (query.stopped)
		complain(ctl,
			 "only the newest %d of each queue were searched; "
			 "--depth searches more",
			 o->depth);
	return status;
}

const struct verb verb_tasks_dead = {
    .name = "tasks dead",
    .looks = true,
    .summary = "List dead tasks",
    .usage = "[OPTION...]",
    .options = list_options,
    .n_options = sizeof(list_options) / sizeof(list_options[0]),
    .options_size = sizeof(struct dead_options),
    .init = dead_init,
    .run = run_dead,
};

/* --- retry and delete -------------------------------------------------- */

static const struct column change_columns[] = {
    {"ID", "key", NULL, COLUMN_WHOLE},
    {"TASK", "task_name", NULL, 0},
    {"QUEUE", "queue", NULL, 0},
};

static const struct column deleted_columns[] = {
    {"ID", "task_id", NULL, false},
    {"TASK", "task_name", NULL, false},
    {"QUEUE", "queue", NULL, false},
};

/* An empty --error fits every task, and therefore selects nothing. 0, or the
 * exit status after a complaint. */
static int
check(struct ctl *ctl, const struct dead_options *o, int n_ids)
{
	const struct dead_filter *f = &o->filter;
	const bool filtered =
	    f->tasks.queue != NULL || f->tasks.task != NULL ||
	    (f->tasks.error != NULL && f->tasks.error[0] != '\0') ||
	    f->tasks.reason != NULL || f->tasks.worker != NULL ||
	    f->tasks.exit_code != NULL || o->older_than_s > 0 ||
	    f->tasks.after_us != 0;

	if (o->all && (n_ids > 0 || filtered))
		complain(ctl, "cannot use --all with IDs or filters");
	else if (!o->all && n_ids == 0 && !filtered)
		complain(ctl, "missing selection: give IDs, a filter (--task, "
			      "--queue, --worker, --error, --reason, "
			      "--exit-code, --since, --older-than) or --all");
	else
		return 0;
	return err_exit_status(ERR_USAGE);
}

static long long
count(const json_t *answer, const char *name)
{
	return json_integer_value(json_object_get(answer, name));
}

/* "-" for null, and for what is not a text. */
static const char *
text(const json_t *object, const char *name)
{
	const char *found = json_string_value(json_object_get(object, name));

	return found != NULL ? found : "-";
}

/* What could not be done. Returns the exit status. */
static int
complain_of_change(struct ctl *ctl, const json_t *answer)
{
	int left = COMPLAINTS_MAX, status = 0;
	json_t *one;
	size_t i;

	json_array_foreach (json_object_get(answer, "tasks"), i, one) {
		if (strcmp(text(one, "outcome"), "refused") != 0)
			continue;
		status = err_exit_status(ERR_DATA);
		if (left-- > 0)
			complain(ctl, "%s: %s", text(one, "key"),
				 text(one, "message"));
	}
	if (left < 0)
		complain(ctl, "and %d more", -left);
	json_array_foreach (json_object_get(answer, "missing"), i, one) {
		complain(ctl, "no dead task with ID %s",
			 json_string_value(one));
		status = status != 0 ? status : err_exit_status(ERR_NOT_FOUND);
	}
	return status;
}

/* The number, or with --dry-run the tasks on standard output and their number
 * as a message: the rows can be piped into another command. */
static int
print_change(struct ctl *ctl, const struct dead_change *change,
	     const json_t *answer)
{
	const char *verb = change->retry ? "retried" : "deleted";
	int status = 0;

	if (!change->dry_run)
		printf("%lld %s\n", count(answer, "done"), verb);
	else
		status = print_rows(ctl, change_columns, 3,
				    json_object_get(answer, "tasks"));
	if (change->dry_run)
		complain(ctl, "%lld would be %s", count(answer, "matched"),
			 verb);
	return status;
}

/* What on_progress() needs; lives as long as the call. */
struct progress {
	struct ctl *ctl;
	const char *what;
};

/* 0: go on. */
static int
on_progress(int64_t done, void *arg)
{
	const struct progress *p = arg;

	show_progress(p->ctl, done, p->what);
	return 0;
}

/* Whatever could not be done is complained of after what was done is printed. A
 * task that refuses (65) goes before an ID that is missing (2): it is the one
 * that needs somebody. */
static int
run_change(struct ctl *ctl, int n_ids, char **ids, struct dead_options *o,
	   bool retry)
{
	struct progress progress = {ctl, retry ? "retried" : "deleted"};
	struct dead_change change = {.retry = retry,
				     .dry_run = o->dry_run,
				     .on_progress = on_progress,
				     .arg = &progress};
	struct err err = ERR_INIT;
	json_t *answer;
	int status, printed = 0;

	if ((status = check(ctl, o, n_ids)) != 0 ||
	    (status = ctl_open(ctl)) != 0)
		return status;
	complete_filter(o);
	change.filter = o->filter;
	change.filter.ids = n_ids > 0 ? (const char *const *)ids : NULL;
	change.filter.n_ids = (size_t)n_ids;
	answer = dead_change(ctl->client, &change, &err);
	end_progress(ctl);
	if (answer == NULL)
		return complain_of_err(ctl, &err);
	if (ctl->globals.json)
		print_json_line(json_incref(answer));
	else
		printed = print_change(ctl, &change, answer);
	status = complain_of_change(ctl, answer);
	json_decref(answer);
	return status != 0 ? status : printed;
}

static int
run_retry(struct ctl *ctl, int argc, char **argv, void *options)
{
	return run_change(ctl, argc, argv, options, true);
}

/* The number, or with --dry-run the tasks. */
static int
print_deleted(struct ctl *ctl, const struct dead_options *o, json_t *answer)
{
	int status = 0;

	if (ctl->globals.json) {
		print_json_line(answer);
		return 0;
	}
	if (o->dry_run) {
		status = print_rows(ctl, deleted_columns, 3,
				    json_object_get(answer, "tasks"));
		complain(ctl, "%lld would be deleted",
			 count(answer, "matched"));
	} else {
		printf("%lld deleted\n", count(answer, "done"));
	}
	json_decref(answer);
	return status;
}

static int
delete_records(struct ctl *ctl, struct dead_options *o)
{
	struct progress progress = {ctl, "deleted"};
	const struct records_delete what = {.succeeded = o->succeeded,
					    .failed = o->failed,
					    .filter = &o->filter.tasks,
					    .dry_run = o->dry_run,
					    .on_progress = on_progress,
					    .arg = &progress};
	struct err err = ERR_INIT;
	json_t *answer;
	int status;

	if ((status = check(ctl, o, 0)) != 0 || (status = ctl_open(ctl)) != 0)
		return status;
	complete_filter(o);
	answer = records_delete(ctl->client, &what, &err);
	end_progress(ctl);
	return answer != NULL ? print_deleted(ctl, o, answer)
			      : complain_of_err(ctl, &err);
}

static int
run_delete(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct dead_options *o = options;

	if (!o->succeeded && !o->failed)
		return run_change(ctl, argc, argv, o, false);
	if (argc == 0 && !o->dead)
		return delete_records(ctl, o);
	complain(ctl, "cannot use --succeeded or --failed with %s",
		 argc > 0 ? "IDs" : "--dead");
	return err_exit_status(ERR_USAGE);
}

#define CHANGE(word, synopsis, text)                                           \
	const struct verb verb_tasks_##word = {                                \
	    .name = "tasks " #word,                                            \
	    .summary = (text),                                                 \
	    .usage = (synopsis),                                               \
	    .options = word##_options,                                         \
	    .n_options = sizeof(word##_options) / sizeof(word##_options[0]),   \
	    .options_size = sizeof(struct dead_options),                       \
	    .init = dead_init,                                                 \
	    .max_args = -1,                                                    \
	    .words = WORD_DEAD_ID,                                             \
	    .run = run_##word,                                                 \
	}

CHANGE(retry, "ID... | --all | FILTER... [--dry-run]", "Requeue dead tasks");
CHANGE(delete,
       "ID... | [--dead|--succeeded|--failed] --all | FILTER... [--dry-run]",
       "Delete dead tasks, or records, permanently");
