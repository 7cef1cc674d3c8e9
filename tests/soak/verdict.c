/* SPDX-License-Identifier: MIT */
/*
 * What must be true when a run is over: all that was acknowledged has come to
 * an end that is on record, nothing is left, whatever was executed twice has a
 * fault that explains it, and the workers are as they were before.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flowrra/client.h>

#include "e2e/look.h"
#include "redis_cluster.h"
#include "soak/soak.h"
#include "soak/store.h"

/* Nothing more comes if nothing has ended for so long. */
#define DRAIN_MS 60000
#define GROWN_KIB (8 * 1024)

/* The record if it is final, or NULL. */
static struct flowrra_record *
final_record(struct scene *s, const char *id)
{
	struct flowrra_record *record = NULL;

	if (flowrra_result(s->client, id, &record, NULL) != 0)
		return NULL;
	if (record->state == FLOWRRA_SUCCESS || record->state == FLOWRRA_FAILED)
		return record;
	flowrra_record_free(record);
	return NULL;
}

struct drain {
	size_t ended;
	int64_t since_ms;
};

/* Whether something has ended of late, so that a long queue does not count as a loss. */
static bool
drains(struct scene *s, struct drain *d)
{
	const size_t ended = ledger_ended(s->ledger, 0);

	if (ended > d->ended)
		*d = (struct drain){ended, now_ms()};
	return now_ms() - d->since_ms < DRAIN_MS;
}

/*
 * A record must be of an execution that came to its end, count the attempts that
 * the task itself has used up, and stay as it is once it is final.
 */
static void
judge_record(struct scene *s, size_t i, const struct flowrra_record *r)
{
	const struct ledger_task *e = ledger_task_at(s->ledger, i);
	bool ended = (e->traits & TRAIT_RECORD_ONLY) != 0 && r->attempts == 1;
	size_t j;

	for (j = 0; j < e->n && !ended; j++)
		ended = e->executions[j].end_us != 0 &&
			e->executions[j].attempt == r->attempts;
	ck_assert_msg(ended,
		      "the record of task %s is of attempt %lld, which is not "
		      "one that came to its end",
		      e->id, (long long)r->attempts);
	ck_assert_msg(ledger_final(s->ledger, i, r->json),
		      "the final record of task %s was replaced: %s by %s",
		      e->id, e->final, r->json);
}

void
verdict_note_records(struct scene *s)
{
	const size_t n = ledger_count(s->ledger);
	struct flowrra_record *record;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!ledger_task_at(s->ledger, i)->acknowledged ||
		    (record = final_record(
			 s, ledger_task_at(s->ledger, i)->id)) == NULL)
			continue;
		/* After the record, so that there is what it tells of. */
		ledger_read(s->ledger);
		if (record->state == FLOWRRA_SUCCESS)
			judge_record(s, i, record);
		flowrra_record_free(record);
	}
}

/* Waits until it is over; counts it as lost if nothing more can come. */
static void
judge_end(struct scene *s, size_t i, struct drain *d)
{
	const struct ledger_task *e = ledger_task_at(s->ledger, i);
	struct flowrra_record *record;
	unsigned int turn = 0;

	while ((record = final_record(s, e->id)) == NULL) {
		scene_look(s);
		if (!drains(s, d)) {
			s->tally->lost++;
			return;
		}
		wait_a_moment(INT64_MAX, &turn);
	}
	ledger_read(s->ledger);
	if (record->state == FLOWRRA_SUCCESS)
		judge_record(s, i, record);
	else
		ck_assert_msg((e->traits & TRAIT_MISBEHAVES) != 0 && s->may_die,
			      "task %s failed: %s", e->id, record->json);
	flowrra_record_free(record);
}

static void
judge_ends(struct scene *s)
{
	struct drain drain = {0, now_ms()};
	const char *first = NULL;
	const struct ledger_task *e;
	unsigned int lost;
	size_t i;

	for (i = 0; i < ledger_count(s->ledger); i++) {
		e = ledger_task_at(s->ledger, i);
		if (!e->acknowledged)
			continue;
		s->tally->acknowledged++;
		lost = s->tally->lost;
		judge_end(s, i, &drain);
		if (s->tally->lost > lost && first == NULL)
			first = e->id;
	}
	ck_assert_msg(first == NULL, "%u of %u tasks are lost, such as %s",
		      s->tally->lost, s->tally->acknowledged, first);
	SCENE_WAIT_WITHIN(s, DRAIN_MS, scene_left(s) == 0);
}

/* What is for later, and a retry, begin neither early nor, if nothing keeps
 * them from it, much too late. */
static void
judge_time(const struct scene *s, const struct ledger_task *e, size_t i,
	   int64_t due_us)
{
	const int64_t start_us = e->executions[i].start_us;

	if (s->clock_was_set)
		return;
	ck_assert_msg(start_us >= due_us, "task %s was begun %lld ms early",
		      e->id, (long long)(due_us - start_us) / 1000);
	ck_assert_msg(s->late_us == 0 || due_us == 0 ||
			  start_us <= due_us + s->late_us,
		      "task %s was begun %lld ms late", e->id,
		      (long long)(start_us - due_us) / 1000);
}

/* An attempt is counted when a task's own process died, and only then. */
static void
judge_attempt(const struct ledger_task *e, size_t i, enum cause cause)
{
	const struct execution *x = &e->executions[i];
	const unsigned int before = e->executions[i - 1].attempt;
	const bool own =
	    cause == CAUSE_EXECUTOR_KILLED || cause == CAUSE_RETRIED ||
	    /* It is alone in there, so it may be its doing. */
	    (cause == CAUSE_STUCK && (e->traits & TRAIT_CPU) != 0) ||
	    (e->traits & TRAIT_MISBEHAVES) != 0;
	/* In an io executor nobody can know which of its tasks it was. */
	const bool must = own && (e->traits & TRAIT_CPU) != 0 &&
			  e->executions[i - 1].end_us == 0;

	ck_assert_msg((!must && x->attempt == before) ||
			  (own && x->attempt == before + 1),
		      "task %s: attempt %u follows attempt %u after \"%s\"",
		      e->id, x->attempt, before, cause_names[cause]);
}

/* For a crash of its executor, which may come before its first line. */
static bool
may_have_paid(const struct scene *s, const struct ledger_task *e)
{
	if (s->none_pays)
		return s->may_die && (e->traits & TRAIT_CPU) != 0;
	return s->may_die || s->tally->faults > 0;
}

static void
judge_executions(struct scene *s, const struct ledger_task *e)
{
	enum cause cause;
	size_t i;

	judge_time(s, e, 0, e->due_us);
	ck_assert_msg(e->executions[0].attempt == 1 || may_have_paid(s, e),
		      "task %s began with attempt %u", e->id,
		      e->executions[0].attempt);
	for (i = 1; i < e->n; i++) {
		cause = ledger_explain(s->ledger, e, i, s->settle_us);
		s->tally->again[cause]++;
		ck_assert_msg(
		    cause != CAUSE_COUNT,
		    "task %s was executed again for no reason: in process %d "
		    "from %lld to %lld, then in process %d from %lld (us)",
		    e->id, (int)e->executions[i - 1].pid,
		    (long long)e->executions[i - 1].start_us,
		    (long long)e->executions[i - 1].end_us,
		    (int)e->executions[i].pid,
		    (long long)e->executions[i].start_us);
		judge_attempt(e, i, cause);
		if (cause == CAUSE_RETRIED)
			judge_time(s, e, i,
				   e->executions[i - 1].end_us +
				       LEDGER_RETRY_MS * 1000 - 2000);
	}
}

static void
judge_worker(struct scene *s)
{
	const pid_t pid = worker_pid(s->workers[0]);
	pid_t children[CHILDREN_MAX];
	size_t i, n;

	if (pid == 0 || s->descriptors == 0)
		return;
	WAIT_UNTIL_WITHIN(10000, count_descriptors(pid) <= s->descriptors);
	n = children_of(pid, children);
	for (i = 0; i < n; i++)
		WAIT_UNTIL_WITHIN(1000, !is_gone(children[i]) ||
					    kill(children[i], 0) != 0);
	ck_assert_msg(private_kib(pid) - s->kib < GROWN_KIB,
		      "flowrrad had %ld KiB and has %ld", s->kib,
		      private_kib(pid));
}

void
verdict(struct scene *s)
{
	const struct ledger_task *e;
	size_t i;

	load_stop(s);
	judge_ends(s);
	ledger_read(s->ledger);
	for (i = 0; i < ledger_count(s->ledger); i++) {
		e = ledger_task_at(s->ledger, i);
		if (e->n > 0)
			judge_executions(s, e);
	}
	judge_worker(s);
}

void
scene_end(struct scene *s)
{
	verdict(s);
	scene_close(s);
}

void
scene_close(struct scene *s)
{
	flowrra_close(s->client);
	world_stop(s->world);
	if (s->cluster != NULL)
		redis_cluster_stop(s->cluster);
	ledger_free(s->ledger);
}
