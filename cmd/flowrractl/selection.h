/* SPDX-License-Identifier: MIT */
/*
 * All tasks that a filter selects, for the verbs that change them.
 *
 * A filter may select more than was meant: so a person is asked, with the number, and
 * a script has to say --yes.
 */
#ifndef FLOWRRACTL_SELECTION_H
#define FLOWRRACTL_SELECTION_H

#include <stdbool.h>

#include <jansson.h>

#include "manager/task_filter.h"
#include "verb.h"

struct err;

/* A member of the verb's options. */
struct selection {
	struct task_filter filter;
	const char *states;
	double older_than_s;
	bool all, dry_run, yes;
};

/* Of `holder`, whose member `s` is; a verb adds what else it takes. */
#define SELECTION_OPTIONS(holder, s)                                           \
	VERB_OPTION(holder, 0, "queue", "QUEUE", TEXT, s.filter.queue, 0, 0,   \
		    "all tasks of this queue"),                                \
	    VERB_OPTION(holder, 0, "task", "NAME", TEXT, s.filter.task, 0, 0,  \
			"all tasks with this name"),                           \
	    VERB_OPTION(holder, 0, "error", "TEXT", TEXT, s.filter.error, 0,   \
			0,                                                     \
			"all tasks to be retried with this text in their "     \
			"error"),                                              \
	    VERB_OPTION(holder, 0, "reason", "WORD", TEXT, s.filter.reason, 0, \
			0, "all tasks to be retried with this reason"),        \
	    VERB_OPTION(holder, 0, "all", NULL, FLAG, s.all, 0, 0,             \
			"all tasks"),                                          \
	    VERB_OPTION(holder, 0, "dry-run", NULL, FLAG, s.dry_run, 0, 0,     \
			"change nothing; show the tasks"),                     \
	    VERB_OPTION(holder, 0, "yes", NULL, FLAG, s.yes, 0, 0,             \
			"do not ask")

/* What the verb does: {"cancel", "Cancel", "cancelled"}; and its filters. */
struct selection_words {
	const char *does, *Does, *done, *filters;
};

/* Whether either IDs or a filter are given. */
int selection_check(const struct selection *s, const struct selection_words *w,
		    int n_ids, struct err *err);
/*
 * Selects those in these states (manager/select.h), and asks. *ret_tasks is new, or
 * NULL: there is nothing to do, since nothing was found, it was a dry run, or nobody
 * has said yes. The exit status.
 */
int selection_take(struct ctl *ctl, struct selection *s,
		   const struct selection_words *w, int states,
		   json_t **ret_tasks);

#endif
