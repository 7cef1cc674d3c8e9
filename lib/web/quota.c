/* SPDX-License-Identifier: MIT */
/* How many unfinished tasks each submitter has. */
#include "web/quota.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <jansson.h>

#include "manager/member.h"
#include "manager/tasks.h"
#include "util/clock.h"
#include "util/err.h"

/* Records that are asked for at a time. */
#define QUOTA_PAGE 200
#define LOOK_MS 1000
#define COUNT_MS 60000

struct submitter {
	LIST_ENTRY(submitter) entry;
	pthread_mutex_t lock;
	json_t *ids;	   /* an object with a member for each */
	int64_t looked_ms; /* 0: never */
	size_t n_schedules;
	int64_t counted_ms; /* 0: never */
	bool seeded;
	char prefix[];
};

/* Users of this machine: there are not many. */
struct web_quota {
	pthread_mutex_t lock;
	LIST_HEAD(, submitter) submitters;
};

struct web_quota *
quota_new(void)
{
	struct web_quota *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	pthread_mutex_init(&q->lock, NULL);
	LIST_INIT(&q->submitters);
	return q;
}

static struct submitter *
submitter_new(const char *prefix)
{
	const size_t size = strlen(prefix) + 1;
	struct submitter *s = calloc(1, sizeof(*s) + size);

	if (s == NULL)
		return NULL;
	memcpy(s->prefix, prefix, size);
	s->ids = json_object();
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

static void
submitter_free(struct submitter *s)
{
	json_decref(s->ids);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void
quota_free(struct web_quota *q)
{
	struct submitter *s;

	if (q == NULL)
		return;
	while ((s = LIST_FIRST(&q->submitters)) != NULL) {
		LIST_REMOVE(s, entry);
		submitter_free(s);
	}
	pthread_mutex_destroy(&q->lock);
	free(q);
}

/* They stay as long as the server. */
static struct submitter *
quota_find(struct web_quota *q, const char *prefix)
{
	struct submitter *s;

	pthread_mutex_lock(&q->lock);
	LIST_FOREACH (s, &q->submitters, entry)
		if (strcmp(s->prefix, prefix) == 0)
			break;
	if (s == NULL && (s = submitter_new(prefix)) != NULL)
		LIST_INSERT_HEAD(&q->submitters, s, entry);
	pthread_mutex_unlock(&q->lock);
	return s;
}

/* --- what was there before --------------------------------------------------- */

static int
submitter_seed(struct submitter *s, struct flowrra_client *c, struct err *err)
{
	static const enum tasks_state states[] = {TASKS_PENDING, TASKS_RUNNING};
	struct tasks_query query;
	const char *id;
	json_t *list, *one;
	size_t i, k;

	for (i = 0; i < 2; i++) {
		query = (struct tasks_query){.limit = TASKS_DEPTH_STANDARD,
					     .depth = TASKS_DEPTH_STANDARD};
		if ((list = tasks_list(c, states[i], &query, err)) == NULL)
			return -1;
		json_array_foreach (list, k, one)
			if ((id = member_text(one, "task_id")) != NULL &&
			    strncmp(id, s->prefix, strlen(s->prefix)) == 0)
				json_object_set_new(s->ids, id, json_true());
		json_decref(list);
	}
	s->seeded = true;
	return 0;
}

/* --- which have ended ----------------------------------------------------------- */

/* One without a record was refused, or is long gone. */
static bool
is_unfinished(const json_t *record)
{
	const char *status = member_text(record, "status");

	return status != NULL && strcmp(status, "success") != 0 &&
	       strcmp(status, "failed") != 0;
}

static int
submitter_look_at(struct submitter *s, struct flowrra_client *c,
		  const char *const *ids, size_t n, struct err *err)
{
	json_t *records[QUOTA_PAGE] = {NULL};
	const int r = tasks_records(c, ids, n, records, err);
	size_t i;

	for (i = 0; i < n; i++) {
		if (r == 0 && !is_unfinished(records[i]))
			json_object_del(s->ids, ids[i]);
		json_decref(records[i]);
	}
	return r;
}

static int
submitter_look(struct submitter *s, struct flowrra_client *c, struct err *err)
{
	json_t *all = json_copy(s->ids), *one;
	const char *ids[QUOTA_PAGE], *id;
	size_t n = 0;
	int r = 0;

	json_object_foreach (all, id, one) {
		ids[n++] = id;
		if (n == QUOTA_PAGE && r == 0)
			r = submitter_look_at(s, c, ids, n, err);
		if (n == QUOTA_PAGE)
			n = 0;
	}
	if (n > 0 && r == 0)
		r = submitter_look_at(s, c, ids, n, err);
	json_decref(all);
	s->looked_ms = clock_mono_ms();
	return r;
}

/* --- taking ------------------------------------------------------------------------ */

/* Room for one more. */
static int
submitter_check(struct submitter *s, struct flowrra_client *c, size_t max,
		struct err *err)
{
	if (!s->seeded && submitter_seed(s, c, err) != 0)
		return -1;
	if (json_object_size(s->ids) + s->n_schedules >= max &&
	    clock_mono_ms() - s->looked_ms >= LOOK_MS &&
	    submitter_look(s, c, err) != 0)
		return -1;
	if (json_object_size(s->ids) + s->n_schedules < max)
		return 0;
	if (s->n_schedules == 0)
		return err_set(err, ERR_FULL,
			       "%zu of your tasks have not finished, and [web] "
			       "submit_max of the server allows no more; wait "
			       "for some of them, or cancel them",
			       json_object_size(s->ids));
	return err_set(err, ERR_FULL,
		       "you have %zu schedules, and %zu of your tasks have not "
		       "finished; [web] submit_max of the server allows no "
		       "more; wait for some tasks, or delete schedules",
		       s->n_schedules, json_object_size(s->ids));
}

static int
submitter_take(struct submitter *s, struct flowrra_client *c, const char *id,
	       size_t max, struct err *err)
{
	if (submitter_check(s, c, max, err) != 0)
		return -1;
	return json_object_set_new(s->ids, id, json_true()) == 0
		   ? 0
		   : err_nomem(err);
}

int
quota_take(struct web_quota *q, struct flowrra_client *c, const char *prefix,
	   const char *id, size_t max, struct err *err)
{
	struct submitter *s = quota_find(q, prefix);
	int r;

	if (s == NULL)
		return err_nomem(err);
	pthread_mutex_lock(&s->lock);
	r = submitter_take(s, c, id, max, err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

/* --- schedules ----------------------------------------------------------------------- */

bool
quota_wants_schedules(struct web_quota *q, const char *prefix)
{
	struct submitter *s = quota_find(q, prefix);
	const int64_t now_ms = clock_mono_ms();
	bool wants;

	if (s == NULL)
		return false;
	pthread_mutex_lock(&s->lock);
	wants = s->counted_ms == 0 || now_ms - s->counted_ms >= COUNT_MS;
	if (wants)
		s->counted_ms = now_ms;
	pthread_mutex_unlock(&s->lock);
	return wants;
}

void
quota_note_schedules(struct web_quota *q, const char *prefix, size_t n)
{
	struct submitter *s = quota_find(q, prefix);

	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->n_schedules = n;
	pthread_mutex_unlock(&s->lock);
}

int
quota_take_schedule(struct web_quota *q, struct flowrra_client *c,
		    const char *prefix, size_t n, size_t max, struct err *err)
{
	struct submitter *s = quota_find(q, prefix);
	int r;

	if (s == NULL)
		return err_nomem(err);
	pthread_mutex_lock(&s->lock);
	/* Another call may have made one since they were counted. */
	if (n > s->n_schedules)
		s->n_schedules = n;
	r = submitter_check(s, c, max, err);
	s->n_schedules += r == 0;
	pthread_mutex_unlock(&s->lock);
	return r;
}
