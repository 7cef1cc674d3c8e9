/* SPDX-License-Identifier: MIT */
/* The dispatcher: opening, stopping, and the end of each turn of its loop. */
#include "dispatch/dispatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/early.h"
#include "dispatch/state.h"
#include "util/clock.h"
#include "util/log.h"

/* What stopping may take beyond the tasks: telling broker and backend. */
#define FAREWELL_S 5
/* Before the log says the same of a store again. */
#define REPEAT_MS 60000

/* --- stopping ---------------------------------------------------------- */

static void
put_back_held(struct dispatch *d)
{
	enum job_kind kind;

	struct job *job;

	/* The last first: each goes to the front of its queue. */
	for (kind = 0; kind < KIND_COUNT; kind++)
		while ((job = TAILQ_LAST(&d->held[kind], job_list)) != NULL)
			outcome_put_back(job);
}

/* Whether the job can still get on: who is refused for good by a store need
 * not wait for its answers. */
static bool
can_get_on(const struct job *job)
{
	const struct dispatch *d = job->dispatch;
	const bool to_broker = !d->broker_state.lost;
	const bool to_backend = !d->results_state.lost;

	switch (job->state) {
	case JOB_NEW: /* the backend is asked about it, and then it settles */
		return to_broker && to_backend;
	case JOB_STORING:
		return to_backend;
	case JOB_SETTLING:
		return to_broker && (to_backend || !job->noting);
	case JOB_HELD:
	case JOB_RUNNING:
		break;
	}
	return true;
}

static bool
is_all_done(const struct dispatch *d)
{
	uint32_t i;

	if (!TAILQ_EMPTY(&d->runners) ||
	    (!d->broker_state.lost && !broker_quiet(d->broker)))
		return false;
	if (!d->broker_state.lost && !d->results_state.lost)
		return d->n_jobs == 0;
	for (i = 0; i < d->cap_jobs; i++)
		if (d->jobs[i] != NULL && can_get_on(d->jobs[i]))
			return false;
	return true;
}

/* Nothing runs, nothing is to be told: the end. */
static void
check_stopped(struct dispatch *d)
{
	const bool failed = d->failure.code != ERR_NONE;

	if (!d->stopping || d->stopped)
		return;
	put_back_held(d);
	if (!d->forlorn && !is_all_done(d))
		return;
	d->stopped = true;
	evtimer_del(d->patience);
	evtimer_del(d->heartbeat);
	/* Whoever has something in flight stays listed: if this worker does not
	 * come back, another one finds it dead. */
	if (d->n_jobs > 0)
		log_warning("%" PRIu32 " tasks could not be put back or "
			    "stored; they stay in flight for this worker's "
			    "next start",
			    d->n_jobs);
	else
		broker_farewell(d->broker);
	d->opt.on_stopped(failed ? &d->failure : NULL, d->opt.arg);
}

static void
hurry(struct dispatch *d)
{
	struct timeval tv = {.tv_sec = FAREWELL_S};
	struct runner *r;

	d->hurried = true;
	TAILQ_FOREACH (r, &d->runners, link)
		child_kill(r->child);
	evtimer_add(d->patience, &tv);
}

static void
on_patience_over(evutil_socket_t fd, short what, void *arg)
{
	struct dispatch *d = arg;

	if (!d->hurried) {
		log_notice("tasks still run after [worker] stop_timeout: "
			   "killing them; they are put back");
		hurry(d);
	} else {
		d->forlorn = true;
		check_stopped(d);
	}
}

void
dispatch_stop(struct dispatch *d)
{
	const int64_t us = d->conf->worker.stop_timeout;
	const struct timeval tv = {.tv_sec = us / 1000000,
				   .tv_usec = us % 1000000};
	struct runner *r, *next;

	if (d->stopping) {
		if (!d->hurried)
			hurry(d);
		return;
	}
	d->stopping = true;
	evtimer_add(d->patience, &tv);
	for (r = TAILQ_FIRST(&d->runners); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		runner_retire(r);
	}
	assign_wants(d);
	presence_beat(d);
	dispatch_turn(d);
}

void
dispatch_fail(struct dispatch *d, const struct err *why)
{
	/* Several connections may say the same, but that is no hurry. */
	if (d->failure.code == ERR_NONE)
		d->failure = *why;
	if (d->stopping)
		dispatch_turn(d);
	else
		dispatch_stop(d);
}

/* --- the end of a turn ------------------------------------------------- */

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct dispatch *d = arg;

	if (d->stopped)
		return;
	assign_jobs(d);
	if (!evtimer_pending(d->stall, NULL))
		assign_unstick(d);
	assign_wants(d);
	keep_turn(d);
	presence_announce(d);
	check_stopped(d);
}

static void
on_stall(evutil_socket_t fd, short what, void *arg)
{
	assign_unstick(arg);
	dispatch_turn(arg);
}

static void
on_ask_again(evutil_socket_t fd, short what, void *arg)
{
	claim_ask_again(arg);
}

void
dispatch_turn(struct dispatch *d)
{
	event_active(d->turn, EV_TIMEOUT, 0);
}

/* --- broker and backend ------------------------------------------------ */

static void
on_claim(struct broker_claim *claim, void *arg)
{
	claim_take(arg, claim);
}

/* A stop may have waited for nothing but this. */
static void
on_quiet(void *arg)
{
	const struct dispatch *d = arg;

	if (d->stopping)
		dispatch_turn(arg);
}

static void
on_control(struct slice message, void *arg)
{
	order_take(arg, message);
}

/*
 * Says it once when a store goes, once when it comes, and not each try between;
 * the same trouble with a store that is there, once a minute.
 */
static void
log_state(struct store_state *state, bool up, const char *what,
	  const char *name, const struct err *why)
{
	const int64_t now = clock_mono_ms();

	if (up && why != NULL) {
		if (strcmp(state->trouble.msg, why->msg) == 0 &&
		    now - state->told_ms < REPEAT_MS)
			return;
		state->trouble = *why;
		state->told_ms = now;
		log_warning("%s: %s", what, why->msg);
	} else if (up && !state->up) {
		log_notice("%s %s is in reach", what, name);
	} else if (!up && (state->up || !state->known)) {
		log_warning("%s: %s; trying again", what, why->msg);
	}
	state->up = up;
	state->known = true;
}

static void
on_broker_state(bool up, bool final, const struct err *why, void *arg)
{
	struct dispatch *d = arg;

	if (final) {
		d->broker_state.up = false;
		d->broker_state.lost = true;
		dispatch_fail(d, why);
		return;
	}
	log_state(&d->broker_state, up, "broker", broker_name(d->broker), why);
	if (up && why == NULL)
		presence_arrive(d);
	dispatch_turn(d);
}

static void
on_results_state(bool up, bool final, const struct err *why, void *arg)
{
	struct dispatch *d = arg;

	if (final) {
		d->results_state.lost = true;
		keep_lost(d);
		dispatch_fail(d, why);
		return;
	}
	if (why == NULL || !up)
		keep_state(d, up);
	if (up) {
		claim_ask_again(d);
		/* The answer is there when the first task has ended. */
		results_heard(d->results);
	}
	log_state(&d->results_state, up, "backend", results_name(d->results),
		  why);
	dispatch_turn(d);
}

/* --- opening and closing ----------------------------------------------- */

int64_t
dispatch_ttl_s(const struct dispatch *d)
{
	return (d->conf->backend.ttl + 999999) / 1000000;
}

int
dispatch_reload(struct dispatch *d, const struct conf *conf,
		const struct dispatch_modules *modules, struct err *err)
{
	if (d->stopping || !d->current->ready)
		return err_set(err, ERR_UNAVAILABLE,
			       "the worker is starting or stopping");
	if (d->next != NULL)
		return err_set(err, ERR_UNAVAILABLE,
			       "a reload is under way already");
	d->next = generation_new(d, conf, modules, err);
	return d->next != NULL ? 0 : -1;
}

void
dispatch_status(const struct dispatch *d, char *text, size_t size)
{
	unsigned int held = d->n_held[KIND_THREAD] + d->n_held[KIND_ASYNC] +
			    d->n_held[KIND_CPU];

	snprintf(text, size, "%s%u tasks here, %u of them waiting; broker %s",
		 d->stopping ? "stopping; "
		 : d->quiet  ? "quiet; "
			     : "",
		 (unsigned int)d->n_jobs, held,
		 d->broker_state.up ? "in reach" : "out of reach");
}

static int
open_stores(struct dispatch *d, struct err *err)
{
	const struct conf *conf = d->conf;
	const struct broker_options broker = {
	    .base = d->opt.base,
	    .url = conf->broker.url,
	    .queue_key = conf->broker.queue_key,
	    .timeout_ms = conf->broker.socket_timeout / 1000,
	    .max_connections = conf->broker.max_connections,
	    .max_queue_size = conf->executor.max_queue_size,
	    .with_results = d->one_store,
	    .worker = d->opt.worker,
	    .queues = d->opt.queues,
	    .n_queues = d->n_queues,
	    /* What a retry adds must not make a task too large. */
	    .max_task = (size_t)conf->worker.max_task_size + TASK_AGAIN_MAX,
	    .on_claim = on_claim,
	    .on_quiet = on_quiet,
	    .on_control = on_control,
	    .on_state = on_broker_state,
	    .arg = d};
	const struct results_options results = {
	    .base = d->opt.base,
	    .url = d->one_store ? conf->broker.url : conf->backend.url,
	    .timeout_ms = (d->one_store ? conf->broker.socket_timeout
					: conf->backend.socket_timeout) /
			  1000,
	    .max_connections = conf->backend.max_connections,
	    .on_state = on_results_state,
	    .arg = d};

	if ((d->broker = broker_open(&broker, err)) == NULL ||
	    (d->results = results_open(&results, err)) == NULL)
		return -1;
	return 0;
}

static int
make_queues(struct dispatch *d, struct err *err)
{
	unsigned int n;

	while (d->opt.queues[d->n_queues] != NULL)
		d->n_queues++;
	d->queues = calloc(d->n_queues + 1, sizeof(*d->queues));
	if (d->queues == NULL)
		return err_nomem(err);
	for (n = 0; n < d->n_queues; n++) {
		if ((d->queues[n].name = strdup(d->opt.queues[n])) == NULL)
			return err_nomem(err);
		if (strcmp(d->opt.queues[n], "cpu") == 0)
			d->queues[n].kind = KIND_CPU;
	}
	return 0;
}

static int
make_events(struct dispatch *d, struct err *err)
{
	struct event_base *base = d->opt.base;

	d->turn = evtimer_new(base, on_turn, d);
	d->stall = evtimer_new(base, on_stall, d);
	d->patience = evtimer_new(base, on_patience_over, d);
	d->ask_again = evtimer_new(base, on_ask_again, d);
	if (d->turn == NULL || d->stall == NULL || d->patience == NULL ||
	    d->ask_again == NULL)
		return err_nomem(err);
	return presence_open(d, err);
}

struct dispatch *
dispatch_new(const struct dispatch_options *options, struct err *err)
{
	struct dispatch *d = calloc(1, sizeof(*d));
	enum job_kind kind;

	if (d == NULL) {
		err_nomem(err);
		return NULL;
	}
	d->opt = *options;
	d->conf = options->conf;
	d->one_store = results_beside_broker(options->conf->backend.url,
					     options->conf->broker.url);
	d->started_us = clock_wall_us();
	TAILQ_INIT(&d->runners);
	TAILQ_INIT(&d->unsure);
	for (kind = 0; kind < KIND_COUNT; kind++)
		TAILQ_INIT(&d->held[kind]);
	if ((d->early = early_new()) == NULL) {
		err_nomem(err);
		dispatch_free(d);
		return NULL;
	}
	if (make_events(d, err) != 0 || make_queues(d, err) != 0 ||
	    open_stores(d, err) != 0 || keep_open(d, err) != 0 ||
	    (d->current = generation_new(d, d->conf, &options->modules, err)) ==
		NULL) {
		dispatch_free(d);
		return NULL;
	}
	return d;
}

void
dispatch_free(struct dispatch *d)
{
	struct runner *r;
	unsigned int i;

	if (d == NULL)
		return;
	broker_close(d->broker);
	results_close(d->results);
	keep_close(d);
	while ((r = TAILQ_FIRST(&d->runners)) != NULL)
		runner_free(r);
	if (d->next != NULL)
		generation_release(d->next);
	if (d->current != NULL)
		generation_release(d->current);
	for (i = 0; i < d->cap_jobs; i++)
		if (d->jobs[i] != NULL)
			job_free(d->jobs[i]);
	free(d->jobs);
	for (i = 0; i < d->n_queues; i++)
		free(d->queues[i].name);
	free(d->queues);
	if (d->turn != NULL)
		event_free(d->turn);
	if (d->stall != NULL)
		event_free(d->stall);
	if (d->patience != NULL)
		event_free(d->patience);
	if (d->heartbeat != NULL)
		event_free(d->heartbeat);
	if (d->ask_again != NULL)
		event_free(d->ask_again);
	early_free(d->early);
	free(d);
}
