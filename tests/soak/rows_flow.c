/* SPDX-License-Identifier: MIT */
/*
 * Workflows by chance, while their worker is killed: of each step that has to run the
 * end is on record, after those before it and once; nothing else has run, each callback
 * was called that had to be, and no workflow is left without an end. And workflows of
 * which a step vanishes from its queue.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flowrra/client.h>

#include "redis_server.h"
#include "soak/graph.h"
#include "soak/rows.h"
#include "soak/soak.h"

#define END_S 60
#define ID_SIZE 40

/* Graphs between two kills. */
#define GRAPHS 5

static const char *const calls[] = {"success", "failure", "complete"};
#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

struct planned {
	struct graph graph;
	char id[FLOWRRA_FLOW_ID_SIZE];
};

/* --- submitting ---------------------------------------------------------------- */

static void
step_id(char id[ID_SIZE + FLOWRRA_FLOW_ID_SIZE], const struct planned *p,
	size_t step)
{
	snprintf(id, ID_SIZE + FLOWRRA_FLOW_ID_SIZE, "%s.%zu", p->id, step);
}

static void
call_id(char id[ID_SIZE + FLOWRRA_FLOW_ID_SIZE], const struct planned *p,
	size_t call)
{
	snprintf(id, ID_SIZE + FLOWRRA_FLOW_ID_SIZE, "%s.%s", p->id,
		 calls[call]);
}

/* ["ID:how", …] */
static void
write_after(char *out, size_t size, const struct planned *p,
	    const struct graph_step *step)
{
	char id[ID_SIZE + FLOWRRA_FLOW_ID_SIZE];
	size_t i, at = 0;

	at += (size_t)snprintf(out, size, "[");
	for (i = 0; i < step->n_edges; i++) {
		step_id(id, p, step->edges[i].step);
		at += (size_t)snprintf(out + at, size - at, "%s\"%s:%s\"",
				       i > 0 ? "," : "", id,
				       graph_how_words[step->edges[i].how]);
	}
	at += (size_t)snprintf(out + at, size - at, "]");
	ck_assert_uint_lt(at, size);
}

static void
submit_task(struct scene *s, const struct planned *p, const char *name,
	    unsigned int ms, const struct flowrra_request *given)
{
	struct flowrra_request request = *given;
	struct flowrra_error error;
	char args[512];

	snprintf(args, sizeof(args), "[\"%s\",%u]", ledger_path(s->ledger), ms);
	request.name = name;
	request.args = args;
	if (request.queue == NULL)
		request.queue = "io";
	request.force = true;
	request.flow = p->id;
	ck_assert_msg(flowrra_submit(s->client, &request, NULL, &error) == 0,
		      "%s", error.message);
	/* Not all have to run, so its end is judged here. */
	ledger_submitted(s->ledger, request.id, false,
			 strcmp(name, "ledger_retry") == 0 ? TRAIT_RETRIES : 0,
			 0);
}

static void
submit_step(struct scene *s, const struct planned *p, size_t i)
{
	const struct graph_step *step = &p->graph.steps[i];
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	char id[ID_SIZE + FLOWRRA_FLOW_ID_SIZE], after[1024];

	step_id(id, p, i);
	write_after(after, sizeof(after), p, step);
	request.id = id;
	request.after = after;
	request.retry_delay_s = LEDGER_RETRY_MS / 1000.0;
	request.max_retries = step->retries ? 1 : 0;
	submit_task(s, p,
		    step->fails	    ? "ledger_fail"
		    : step->retries ? "ledger_retry"
		    : i % 3 == 0    ? "ledger_async"
				    : "ledger",
		    step->ms, &request);
}

static void
submit_graph(struct scene *s, struct planned *p)
{
	struct flowrra_flow_options options = FLOWRRA_FLOW_OPTIONS_INIT;
	struct flowrra_request request;
	struct flowrra_error error;
	char id[ID_SIZE + FLOWRRA_FLOW_ID_SIZE];
	size_t i;

	graph_make(&p->graph, &s->rng);
	options.whole = p->graph.whole;
	ck_assert_msg(flowrra_flow_begin(s->client, &options, p->id, &error) ==
			  0,
		      "%s", error.message);
	for (i = 0; i < N_CALLS; i++) {
		request = (struct flowrra_request)FLOWRRA_REQUEST_INIT;
		call_id(id, p, i);
		request.id = id;
		request.on = calls[i];
		submit_task(s, p, "ledger", 0, &request);
	}
	for (i = 0; i < p->graph.n; i++)
		submit_step(s, p, i);
	ck_assert_msg(flowrra_flow_seal(s->client, p->id, &error) == 0, "%s",
		      error.message);
}

/* --- the verdict ------------------------------------------------------------------- */

static const struct ledger_task *
find_task(const struct scene *s, const char *id)
{
	size_t i;

	for (i = 0; i < ledger_count(s->ledger); i++)
		if (strcmp(ledger_task_at(s->ledger, i)->id, id) == 0)
			return ledger_task_at(s->ledger, i);
	ck_abort_msg("no task %s", id);
}

/* When it was begun first, and when it ended last. */
static int64_t
begun_us(const struct ledger_task *t)
{
	return t->executions[0].start_us;
}

static int64_t
ended_us(const struct ledger_task *t)
{
	int64_t last = 0;
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->executions[i].end_us > last)
			last = t->executions[i].end_us;
	return last;
}

static void
judge_ran(const struct ledger_task *t, bool runs)
{
	ck_assert_msg((t->n > 0) == runs, "task %s was %s", t->id,
		      runs ? "not run" : "run");
}

static void
judge_record(struct scene *s, const char *id, enum graph_end end)
{
	struct flowrra_record *record;
	struct flowrra_error error;
	const char *reason;

	ck_assert_msg(flowrra_result(s->client, id, &record, &error) == 0,
		      "task %s: %s", id, error.message);
	reason = strstr(record->json, "\"reason\": \"skipped\"");
	if (reason == NULL)
		reason = strstr(record->json, "\"reason\":\"skipped\"");
	ck_assert_msg(record->state == (end == GRAPH_SUCCEEDS ? FLOWRRA_SUCCESS
							      : FLOWRRA_FAILED),
		      "task %s: %s", id, record->json);
	ck_assert_msg((reason != NULL) == (end == GRAPH_SKIPPED), "task %s: %s",
		      id, record->json);
	flowrra_record_free(record);
}

/* Those before it have ended for good, and none of them runs again. */
static void
judge_order(const struct scene *s, const struct planned *p, size_t i)
{
	const struct graph_step *step = &p->graph.steps[i];
	const struct ledger_task *t, *before;
	char id[ID_SIZE + FLOWRRA_FLOW_ID_SIZE];
	size_t k;

	step_id(id, p, i);
	t = find_task(s, id);
	for (k = 0; k < step->n_edges; k++) {
		step_id(id, p, step->edges[k].step);
		before = find_task(s, id);
		ck_assert_msg(before->n == 0 || ended_us(before) <= begun_us(t),
			      "task %s was begun %lld us before the end of %s",
			      t->id,
			      (long long)(ended_us(before) - begun_us(t)), id);
	}
}

static void
judge_step(struct scene *s, const struct planned *p, size_t i)
{
	const enum graph_end end = p->graph.steps[i].end;
	char id[ID_SIZE + FLOWRRA_FLOW_ID_SIZE];

	step_id(id, p, i);
	judge_record(s, id, end);
	judge_ran(find_task(s, id), end != GRAPH_SKIPPED);
	if (end != GRAPH_SKIPPED)
		judge_order(s, p, i);
}

/* Those that are called come after all. */
static void
judge_call(struct scene *s, const struct planned *p, size_t call)
{
	const bool failed = p->graph.ended[GRAPH_FAILS] > 0;
	const bool called = call == 2 || (call == 1) == failed;
	const struct ledger_task *t;
	char id[ID_SIZE + FLOWRRA_FLOW_ID_SIZE];
	size_t i;

	call_id(id, p, call);
	t = find_task(s, id);
	if (!called) {
		judge_ran(t, false);
		return;
	}
	SCENE_WAIT_WITHIN(s, PATIENCE_MS, t->n > 0 && ended_us(t) > 0);
	for (i = 0; i < p->graph.n; i++) {
		step_id(id, p, i);
		ck_assert_msg(ended_us(find_task(s, id)) <= begun_us(t),
			      "%s was called before the end of %s", t->id, id);
	}
}

static void
judge_counts(const struct planned *p, const char *json)
{
	static const char *const names[] = {"succeeded", "failed", "skipped"};
	char text[64];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), "\"%s\":%zu", names[i],
			 p->graph.ended[i]);
		ck_assert_msg(strstr(json, text) != NULL, "not %s: %s", text,
			      json);
	}
	snprintf(text, sizeof(text), "\"state\":\"%s\"",
		 p->graph.ended[GRAPH_FAILS] > 0 ? "failed" : "succeeded");
	ck_assert_msg(strstr(json, text) != NULL, "not %s: %s", text, json);
}

static void
judge_graph(struct scene *s, const struct planned *p)
{
	struct flowrra_error error;
	char *json;
	size_t i;

	ck_assert_msg(
	    flowrra_flow_wait(s->client, p->id, END_S, &json, &error) == 0,
	    "workflow %s: %s", p->id, error.message);
	judge_counts(p, json);
	flowrra_free(json);
	scene_look(s);
	for (i = 0; i < p->graph.n; i++)
		judge_step(s, p, i);
	for (i = 0; i < N_CALLS; i++)
		judge_call(s, p, i);
	s->tally->acknowledged += (unsigned int)p->graph.n;
}

/* --- a step that vanishes --------------------------------------------------------- */

#define NOWHERE "gone" /* a queue that no worker serves */

/* The first step waits in it; the second runs after its failure. */
static void
submit_chain(struct scene *s, struct planned *p)
{
	struct flowrra_flow_options options = FLOWRRA_FLOW_OPTIONS_INIT;
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_error error;
	char first[ID_SIZE + FLOWRRA_FLOW_ID_SIZE],
	    second[ID_SIZE + FLOWRRA_FLOW_ID_SIZE],
	    after[ID_SIZE + FLOWRRA_FLOW_ID_SIZE + 12];

	ck_assert_msg(flowrra_flow_begin(s->client, &options, p->id, &error) ==
			  0,
		      "%s", error.message);
	step_id(first, p, 0);
	step_id(second, p, 1);
	snprintf(after, sizeof(after), "[\"%s:failure\"]", first);
	request.id = first;
	request.queue = NOWHERE;
	submit_task(s, p, "ledger", 0, &request);
	request.id = second;
	request.queue = NULL;
	request.after = after;
	submit_task(s, p, "ledger", 0, &request);
	ck_assert_msg(flowrra_flow_seal(s->client, p->id, &error) == 0, "%s",
		      error.message);
}

/* Its list is deleted, and nothing has happened in it for long. */
static void
lose_first(struct scene *s, const struct planned *p)
{
	redis_server_run(scene_redis(s), "DEL flowrra:queue:" NOWHERE);
	redis_server_run(scene_redis(s),
			 "HSET {flowrra:queue:flow:%s}:meta moved 1", p->id);
	redis_server_run(scene_redis(s), "ZADD {flowrra:queue:flows}:due 1 %s",
			 p->id);
	s->tally->faults++;
}

static void
judge_chain(struct scene *s, const struct planned *p)
{
	struct flowrra_error error;
	char second[ID_SIZE + FLOWRRA_FLOW_ID_SIZE], *json;

	ck_assert_msg(
	    flowrra_flow_wait(s->client, p->id, END_S, &json, &error) == 0,
	    "workflow %s: %s", p->id, error.message);
	ck_assert_msg(strstr(json, "\"succeeded\":1,\"failed\":1") != NULL,
		      "%s", json);
	flowrra_free(json);
	scene_look(s);
	step_id(second, p, 1);
	judge_ran(find_task(s, second), true);
	s->tally->acknowledged += 2;
}

static void
vanish(struct scene *s)
{
	const unsigned int n = times(s, 5, 50);
	struct planned *all = calloc(n, sizeof(*all));
	unsigned int i;

	ck_assert_ptr_nonnull(all);
	scene_start(s,
		    &(struct scene_options){
			.workers = 2, .config = "[worker]\nlost_after = 1s\n"});
	for (i = 0; i < n; i++)
		submit_chain(s, &all[i]);
	for (i = 0; i < n; i++)
		lose_first(s, &all[i]);
	for (i = 0; i < n; i++)
		judge_chain(s, &all[i]);
	scene_end(s);
	free(all);
}

const struct row row_vanish = {.name = "vanish",
			       .fault = "a step's list is deleted",
			       .brokers = ON_REDIS,
			       .runs = {1, 2},
			       .run = vanish};

/* --- the row -------------------------------------------------------------------------- */

static void
kill_and_restart(struct scene *s, unsigned int i)
{
	pid_t executors[CHILDREN_MAX];

	scene_sleep_between(s, 0, 60);
	scene_kill_worker(s, s->workers[i % s->n_workers], executors);
	scene_sleep_between(s, 0, 40);
	worker_restart(s->workers[i % s->n_workers]);
}

static void
graphs(struct scene *s)
{
	const unsigned int kills = times(s, 8, 40);
	struct planned *all = calloc((size_t)kills * GRAPHS, sizeof(*all));
	unsigned int i, k, n = 0;

	ck_assert_ptr_nonnull(all);
	scene_start(s, &(struct scene_options){.workers = 2});
	for (i = 0; i < kills; i++) {
		for (k = 0; k < GRAPHS; k++)
			submit_graph(s, &all[n++]);
		kill_and_restart(s, i);
	}
	for (i = 0; i < n; i++)
		judge_graph(s, &all[i]);
	scene_end(s);
	free(all);
}

const struct row row_graphs = {.name = "graphs",
			       .fault = "kill -9 flowrrad amid workflows",
			       .brokers = ON_BOTH,
			       .runs = {1, 5},
			       .run = graphs};
