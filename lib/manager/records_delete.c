/* SPDX-License-Identifier: MIT */
/*
 * Records, deleted by what they say.
 *
 * All are found first, and only their ids are kept: what is deleted moves the
 * others in the list. Then each is looked at once more, since a task that was put
 * back into its queue meanwhile has a record that is not final, which stays.
 */
#include "manager/records_delete.h"

#include <stdlib.h>
#include <string.h>

#include "client/load.h"
#include "core/task.h"
#include "manager/dead.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/task_filter.h"
#include "store/results.h"
#include "util/err.h"

#define BATCH RESULTS_PAGE_MAX

/* The ids stand one behind the other, each with its NUL. */
struct deletion {
	struct flowrra_client *client;
	const struct records_delete *what;
	struct buf ids;
	int64_t matched, done;
	json_t *tasks;
};

static int
deletion_list(struct deletion *d, const json_t *record)
{
	if (!d->what->dry_run || json_array_size(d->tasks) >= DEAD_TASKS_MAX)
		return 0;
	return json_array_append_new(
	    d->tasks, json_pack("{s:O,s:O*,s:O*}", "task_id",
				json_object_get(record, "task_id"), "task_name",
				json_object_get(record, "task_name"), "queue",
				json_object_get(record, "queue")));
}

static int
deletion_on_record(struct slice text, void *arg, struct err *err)
{
	struct deletion *d = arg;
	int64_t finished_us;
	const char *id;
	json_t *record;
	int r = 0;

	if (!task_filter_record(d->what->filter, text, &finished_us) ||
	    (record = load_json(text, NULL)) == NULL)
		return 0;
	id = member_text(record, "task_id");
	if (id != NULL && task_id_valid(slice_of(id))) {
		d->matched++;
		buf_add(&d->ids, id, strlen(id) + 1);
		r = deletion_list(d, record);
	}
	json_decref(record);
	return r != 0 || d->ids.failed ? err_nomem(err) : 0;
}

static int
deletion_find(struct deletion *d, bool failed, struct err *err)
{
	struct query_list_cursor at = {.failed = failed, .n = BATCH};
	int r;

	do
		r = query_list_next(d->client, &at, deletion_on_record, d, err);
	while (r == 0 && at.more);
	query_list_cursor_done(&at);
	return r;
}

/* --- deleting ---------------------------------------------------------- */

static bool
is_final_record(const json_t *record)
{
	const char *status = member_text(record, "status");

	return status != NULL && (strcmp(status, "success") == 0 ||
				  strcmp(status, "failed") == 0);
}

static int
deletion_batch(struct deletion *d, const char *const *ids, size_t n,
	       struct err *err)
{
	json_t *records[BATCH] = {NULL};
	const char *final[BATCH];
	int r = query_records(d->client, ids, n, records, err);
	size_t i, n_final = 0;

	for (i = 0; i < n; i++) {
		if (is_final_record(records[i]))
			final[n_final++] = ids[i];
		json_decref(records[i]);
	}
	if (r != 0 || query_forget(d->client, final, n_final, err) != 0)
		return -1;
	d->done += (int64_t)n_final;
	return 0;
}

static int
deletion_run(struct deletion *d, struct err *err)
{
	const char *at = d->ids.data, *ids[BATCH];
	int64_t left = d->matched;
	size_t n;

	while (left > 0) {
		for (n = 0; n < BATCH && left > 0; n++, left--) {
			ids[n] = at;
			at += strlen(at) + 1;
		}
		if (deletion_batch(d, ids, n, err) != 0)
			return err_prefix(err, "after %lld records",
					  (long long)d->done);
		if (d->what->on_progress != NULL &&
		    d->what->on_progress(d->done, d->what->arg) != 0)
			return 0;
	}
	return 0;
}

json_t *
records_delete(struct flowrra_client *c, const struct records_delete *what,
	       struct err *err)
{
	struct deletion d = {.client = c, .what = what, .tasks = json_array()};
	json_t *answer = NULL;
	int r = task_filter_check(what->filter, err);

	if (r == 0 && what->succeeded)
		r = deletion_find(&d, false, err);
	if (r == 0 && what->failed)
		r = deletion_find(&d, true, err);
	if (r == 0 && !what->dry_run)
		r = deletion_run(&d, err);
	if (r == 0 &&
	    (answer = json_pack("{s:b,s:I,s:I,s:O}", "dry_run", what->dry_run,
				"matched", (json_int_t)d.matched, "done",
				(json_int_t)d.done, "tasks", d.tasks)) == NULL)
		err_nomem(err);
	json_decref(d.tasks);
	buf_done(&d.ids);
	return answer;
}
