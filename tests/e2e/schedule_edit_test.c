/* SPDX-License-Identifier: MIT */
/*
 * Schedules that are edited while schedulers run and die: each fire of the rule
 * that held at its time is enqueued, once; and by the new rule follow the others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hiredis/hiredis.h>
#include <jansson.h>

#include "e2e/beat_scene.h"
#include "e2e/look.h"
#include "manager/schedules.h"
#include "schedules/health.h"
#include "schedules/history.h"
#include "util/clock.h"

#define SCHEDULES 12
#define EDITS_MAX 200
#define EDITS 100
#define US_PER_S INT64_C(1000000)
/* An edit may be overtaken by a claim for so long; then a fire of the old rule is
 * later than the edit says it was made. */
#define AMBIGUOUS_US (10 * US_PER_S)

/* The rules of a schedule, each from its edit on. */
struct timeline {
	int64_t start_us;
	int n;
	struct {
		int64_t at_us, period_us;
	} rules[EDITS_MAX];
};
static struct timeline timelines[SCHEDULES];

static int
apply(struct schedule_form *form, void *arg, struct schedule_fault *fault,
      struct err *err)
{
	const char *text = arg;

	if (text[0] == '#')
		form->description = text;
	else
		form->rule = text;
	return 0;
}

/* Waits for the moment at which a schedule fires: an edit that comes right then
 * finds a fire that is due and that nobody has claimed. */
static void
wait_for_fire(int i, unsigned int *seed)
{
	const int64_t now_us = clock_wall_us();
	const int64_t past_us = (now_us - timelines[i].start_us) % US_PER_S;
	const int64_t wait_us = US_PER_S - past_us + rand_r(seed) % 400;

	nanosleep(&(struct timespec){.tv_sec = wait_us / US_PER_S,
				     .tv_nsec = wait_us % US_PER_S * 1000},
		  NULL);
}

/* One in three is of the description, which moves no fire. */
static void
edit_one(struct scene *s, unsigned int *seed)
{
	const int i = (int)((unsigned int)rand_r(seed) % SCHEDULES);
	struct timeline *t = &timelines[i];
	struct schedule_fault fault;
	struct err err = ERR_INIT;
	char id[16], text[32];
	struct schedule_edit edit = {.id = id, .apply = apply, .arg = text};
	int64_t period_s = 1 + rand_r(seed) % 2;
	json_t *json;
	bool stale;

	snprintf(id, sizeof(id), "s%d", i);
	if (rand_r(seed) % 3 == 0)
		snprintf(text, sizeof(text), "#%u", *seed);
	else
		snprintf(text, sizeof(text), "%ds", (int)period_s);
	if (rand_r(seed) % 3 == 0)
		wait_for_fire(i, seed);
	edit.now_us = clock_wall_us();
	json = schedule_edit(s->db, &edit, &stale, &fault, &err);
	ck_assert_msg(json != NULL, "%s", err.msg);
	json_decref(json);
	if (text[0] == '#' || t->n == EDITS_MAX)
		return;
	t->rules[t->n].at_us = edit.now_us;
	t->rules[t->n++].period_us = period_s * US_PER_S;
}

/* Whether it was missed, and that was noted. */
static bool
is_noted(struct scene *s, const char *id, int64_t fire_us)
{
	struct schedules_history *h;
	struct err err = ERR_INIT;
	bool noted = false;
	size_t i;

	ck_assert_msg(
	    schedules_history(s->db, id, INT64_MAX, 10000, &h, &err) == 0, "%s",
	    err.msg);
	for (i = 0; i < h->n; i++)
		noted = noted || (h->items[i].outcome == SCHEDULE_MISSED &&
				  h->items[i].fire_us <= fire_us &&
				  h->items[i].last_us >= fire_us);
	schedules_history_free(h);
	return noted;
}

static bool
fires_at(int64_t start_us, int64_t period_us, int64_t fire_us)
{
	return fire_us >= start_us && (fire_us - start_us) % period_us == 0;
}

/* Counts how often a fire is in the queue. */
static int
count_id(char **ids, size_t n, const char *id, int64_t fire_us)
{
	char text[SCHEDULE_TASK_ID_SIZE];
	int found = 0;
	size_t i;

	schedule_fire_id(id, SCHEDULE_TASK, fire_us, text);
	for (i = 0; i < n; i++)
		found += strcmp(ids[i], text) == 0;
	return found;
}

/* The fires of each rule between its edit and the next, second by second. */
static int
check_timeline(struct scene *s, const struct schedule *schedule,
	       const struct timeline *t, char **ids, size_t n)
{
	const int64_t start = schedule->start_us;
	int64_t fire, since, until;
	int i, found, sent = 0;
	bool wanted, may;

	for (fire = start; fire < schedule->next_run_us; fire += US_PER_S) {
		wanted = may = false;
		for (i = 0; i < t->n; i++) {
			since = t->rules[i].at_us;
			until =
			    i + 1 < t->n ? t->rules[i + 1].at_us : INT64_MAX;
			if (!fires_at(start, t->rules[i].period_us, fire))
				continue;
			wanted = wanted || (fire > since && fire <= until);
			may = may ||
			      (fire > since && fire - AMBIGUOUS_US <= until);
		}
		found = count_id(ids, n, schedule->id, fire);
		ck_assert_msg(found <= 1, "fire %lld of %s came twice",
			      (long long)fire, schedule->id);
		ck_assert_msg(
		    found == 1 || !wanted || is_noted(s, schedule->id, fire),
		    "fire %lld of %s is lost", (long long)fire, schedule->id);
		ck_assert_msg(found == 0 || may,
			      "fire %lld of %s is of no rule", (long long)fire,
			      schedule->id);
		sent += found;
	}
	return sent;
}

static char **
ids_of_queue(struct scene *s, size_t *ret_n)
{
	struct redisReply *all = redis_server_command(
	    world_redis(s->world), "LRANGE flowrra:queue:io 0 -1");
	char **ids = calloc(all->elements + 1, sizeof(*ids));
	json_t *task;
	size_t i;

	ck_assert_ptr_nonnull(ids);
	for (i = 0; i < all->elements; i++) {
		task = json_loadb(all->element[i]->str, all->element[i]->len, 0,
				  NULL);
		ids[i] = strdup(json_string_value(json_object_get(task, "id")));
		json_decref(task);
	}
	*ret_n = all->elements;
	freeReplyObject(all);
	return ids;
}

static void
check_all(struct scene *s)
{
	struct schedules_list *list;
	struct err err = ERR_INIT;
	size_t n, i, sent = 0;
	char **ids = ids_of_queue(s, &n);

	ck_assert_msg(schedules_list(s->db, NULL, &list, &err) == 0, "%s",
		      err.msg);
	for (i = 0; i < list->n; i++)
		sent += (size_t)check_timeline(
		    s, &list->items[i], &timelines[atoi(list->items[i].id + 1)],
		    ids, n);
	/* And there are no others. */
	ck_assert_uint_eq(sent, n);
	schedules_list_free(list);
	for (i = 0; i < n; i++)
		free(ids[i]);
	free(ids);
}

static bool
all_is_sent(struct scene *s)
{
	struct schedules_stats *stats;
	struct err err = ERR_INIT;
	bool sent;

	ck_assert_msg(
	    schedules_stats(s->db, NULL, clock_wall_us(), &stats, &err) == 0,
	    "%s", err.msg);
	sent = stats->unsent == 0;
	schedules_stats_free(stats);
	return sent;
}

static int64_t
start_of(struct scene *s, int i)
{
	struct schedules_list *list;
	struct err err = ERR_INIT;
	int64_t start_us;
	char id[16];

	snprintf(id, sizeof(id), "s%d", i);
	ck_assert_msg(schedules_get(s->db, id, &list, &err) == 0, "%s",
		      err.msg);
	start_us = list->items[0].start_us;
	schedules_list_free(list);
	return start_us;
}

START_TEST(edits_while_schedulers_run_and_die_lose_and_double_nothing)
{
	unsigned int seed = (unsigned int)now_ms(), victim;
	struct err err = ERR_INIT;
	struct scene s;
	char id[16];
	int i;

	scene_open(&s, (enum scene_database)_i);
	scene_schedule(&s, SCHEDULES, 1000);
	for (i = 0; i < SCHEDULES; i++) {
		timelines[i].n = 1;
		timelines[i].start_us = start_of(&s, i);
		timelines[i].rules[0].at_us = 0;
		timelines[i].rules[0].period_us = US_PER_S;
	}
	scene_start(&s, SCENE_BEATS);
	for (i = 0; i < EDITS || scene_enqueued(&s) < 80; i++) {
		edit_one(&s, &seed);
		/* At any moment: that is the point. */
		nanosleep(
		    &(struct timespec){.tv_nsec = rand_r(&seed) % 60000000L},
		    NULL);
		victim = (unsigned int)rand_r(&seed) % SCENE_BEATS;
		if (i % 20 == 19) {
			worker_kill(s.beats[victim]);
			worker_restart(s.beats[victim]);
		}
	}
	for (i = 0; i < SCHEDULES; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		ck_assert_msg(
		    schedules_disable(s.db, id, clock_wall_us(), &err) == 0,
		    "%s", err.msg);
	}
	WAIT_UNTIL(all_is_sent(&s));
	check_all(&s);
	scene_close(&s);
}
END_TEST

SUITE("schedule-edit")
{
	SUITE_TIMEOUT(300);
	TEST_LOOP(edits_while_schedulers_run_and_die_lose_and_double_nothing, 0,
		  SCENE_DATABASES);
}
