/* SPDX-License-Identifier: MIT */
/* The doctor: tasks that run, and have done so for long. */
#include <string.h>

#include "manager/doctor_private.h"
#include "manager/member.h"
#include "manager/tasks.h"
#include "util/clock.h"

#define US_PER_S INT64_C(1000000)
/* Longer than most tasks take, and than a person wants to wait before looking. A
 * task that may run longer has a time limit that says so, or is known to. */
#define LONG_US (3600 * US_PER_S)
/* Of the running ones: to look at more would take the doctor too long. */
#define LOOKED_AT 1000

/* Those that began before `since_us`, and the one of them that began first. */
static const json_t *
count_long(const json_t *tasks, int64_t since_us, size_t *ret_n)
{
	const json_t *oldest = NULL;
	int64_t began_us, oldest_us = since_us;
	json_t *task;
	size_t i;

	*ret_n = 0;
	json_array_foreach (tasks, i, task) {
		/* 0: it is not known, or not a time. */
		began_us = member_time_us(task, "started_at");
		if (began_us == 0 || began_us > since_us)
			continue;
		++*ret_n;
		if (oldest == NULL || began_us < oldest_us) {
			oldest = task;
			oldest_us = began_us;
		}
	}
	return oldest;
}

static const char *
text_of(const json_t *task, const char *name)
{
	const char *text = member_text(task, name);

	return text != NULL ? text : "?";
}

void
doctor_tasks(struct doctor *d)
{
	struct tasks_query query = {.limit = LOOKED_AT, .depth = LOOKED_AT};
	const int64_t now_us = clock_wall_us();
	const json_t *oldest;
	json_t *tasks;
	size_t n;

	/* What is out of reach has been found already. */
	if ((tasks = tasks_list(d->client, TASKS_RUNNING, &query, NULL)) ==
	    NULL)
		return;
	oldest = count_long(tasks, now_us - LONG_US, &n);
	if (oldest != NULL)
		doctor_find(
		    d, DOCTOR_WARNING, "tasks",
		    "Look at flowrractl tasks running; cancel what hangs, and "
		    "give a task that may hang a timeout.",
		    "%zu tasks run for more than an hour, the longest is %s "
		    "(%s) on %s, for %lld h",
		    n, text_of(oldest, "task_id"), text_of(oldest, "task_name"),
		    text_of(oldest, "worker"),
		    (long long)((now_us -
				 member_time_us(oldest, "started_at")) /
				LONG_US));
	json_decref(tasks);
}
