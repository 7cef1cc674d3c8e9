/* SPDX-License-Identifier: MIT */
/*
 * The dispatcher: opening, and the end of each turn of its loop.
 *
 * Most of what happens only changes a job and asks for a turn
 * (dispatch_turn()). At the end of the loop's turn on_dispatch_turn() looks
 * once at all there is: what can be given to executors, what can be claimed,
 * whether the worker is ready, or done. So a hundred answers in one read cost
 * one look.
 */
#include "dispatch/dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch/cancelled_ids.h"
#include "dispatch/ending.h"
#include "dispatch/state.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/log.h"

/* Before the log says the same of a store again: often enough for those who
 * look at the last lines only. */
#define REPEAT_MS 60000

/* --- the end of a turn ------------------------------------------------- */

static void
on_dispatch_turn(evutil_socket_t fd, short what, void *arg)
{
	struct dispatch *d = arg;

	d->turn_comes = false;
	if (d->phase == PHASE_STOPPED)
		return;
	/* In this order: room is counted when jobs are where they go; a worker
	 * is done when all the others have had their say. */
	assign_jobs(d);
	if (!evtimer_pending(d->stall, NULL))
		assign_unstick(d);
	assign_wants(d);
	spool_turn(d);
	heartbeat_announce(d);
	stop_check(d);
}

/* While this timer is set, jobs wait that may have to be called back. */
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
	claim_take_again(arg);
}

/* --- broker and backend ------------------------------------------------ */

static void
on_claim(struct broker_claim *claim, void *arg)
{
	claim_take(arg, claim);
}

/* Claims are lost or doubted after a gap, which is rare: no index is kept. */
static struct job *
job_of_claim(struct dispatch *d, const struct broker_claim *claim)
{
	uint32_t i;

	for (i = 0; i < d->cap_jobs; i++)
		if (d->jobs[i] != NULL && d->jobs[i]->claim == claim)
			return d->jobs[i];
	return NULL;
}

static void
on_claim_lost(struct broker_claim *claim, void *arg)
{
	struct dispatch *d = arg;
	struct job *job = job_of_claim(d, claim);

	if (job != NULL) {
		outcome_lost(job);
	} else {
		/* There was no memory for a job: it waits for this. */
		TAILQ_REMOVE(&d->untaken, claim, link);
		broker_drop(d->broker, claim);
	}
	dispatch_turn(d);
}

static void
on_claim_kept(struct broker_claim *claim, void *arg)
{
	struct job *job = claim != NULL ? job_of_claim(arg, claim) : NULL;

	if (claim == NULL)
		settle_kept_all(arg);
	else if (job != NULL)
		settle_kept(job);
	dispatch_turn(arg);
}

/* A stop may have waited for nothing but this. */
static void
on_broker_quiet(void *arg)
{
	const struct dispatch *d = arg;

	if (dispatch_is_stopping(d))
		dispatch_turn(arg);
}

/* The last counts may be all that a stop has waited for. */
static void
on_tally_sent(void *arg)
{
	const struct dispatch *d = arg;

	if (dispatch_is_stopping(d))
		dispatch_turn(arg);
}

static void
on_trimmed(const struct broker_trimmed *trimmed, void *arg)
{
	upkeep_note(arg, trimmed);
}

static void
on_control(struct slice message, void *arg)
{
	control_take(arg, message);
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
		log_notice("%s %s is reachable", what, name);
	} else if (!up && (state->up || !state->known)) {
		log_warning("%s: %s; retrying", what, why->msg);
	}
	state->up = up;
	state->known = true;
}

static void
on_worker_broker_state(bool up, bool final, const struct err *why, void *arg)
{
	struct dispatch *d = arg;

	if (final) {
		d->broker_state.up = false;
		d->broker_state.lost = true;
		/* What waits for it to be sure waits for nothing any more. */
		settle_kept_all(d);
		stop_fail(d, why);
		return;
	}
	log_state(&d->broker_state, up, "broker", broker_name(d->broker), why);
	if (up && why == NULL) {
		declare_limits(d, false);
		heartbeat_arrive(d);
	}
	dispatch_turn(d);
}

static void
on_worker_results_state(bool up, bool final, const struct err *why, void *arg)
{
	struct dispatch *d = arg;

	if (final) {
		d->results_state.lost = true;
		spool_lost(d);
		stop_fail(d, why);
		return;
	}
	/* A warning about a backend that is up is not a return. */
	if (why == NULL || !up)
		spool_state(d, up);
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

int
dispatch_reload(struct dispatch *d, const struct conf *conf,
		const struct pool_modules *modules, struct err *err)
{
	if (pool_reload(d->pool, &conf->executor, modules, err) != 0)
		return -1;
	/* In force when the pool says that its executors are, or never. */
	d->next_conf = conf;
	return 0;
}

void
dispatch_note_reload(struct dispatch *d, const struct err *why)
{
	d->reloads.n++;
	d->reloads.why = why != NULL ? *why : (struct err)ERR_INIT;
	/* At once: somebody waits for the word. */
	heartbeat_send(d);
}

void
dispatch_status(const struct dispatch *d, char *text, size_t size)
{
	unsigned int held = 0;
	enum pool_kind kind;

	for (kind = 0; kind < POOL_KINDS; kind++)
		held += d->n_held[kind];

	snprintf(text, size,
		 "%s%u tasks here, %u of them waiting; broker %s%s%.100s",
		 dispatch_is_stopping(d) ? "stopping; "
		 : d->quiet		 ? "quiet; "
					 : "",
		 (unsigned int)d->n_jobs, held,
		 d->broker_state.up ? "reachable" : "unreachable",
		 d->reloads.why.code != ERR_NONE ? "; the last reload failed: "
						 : "",
		 d->reloads.why.msg);
}

static int
dispatch_open_stores(struct dispatch *d, struct err *err)
{
	const struct stores_options options = {
	    .base = d->opt.base,
	    .conf = d->conf,
	    .worker = d->opt.worker,
	    .token = d->opt.token,
	    .predecessor = d->opt.predecessor,
	    .queues = d->opt.queues,
	    .n_queues = d->n_queues,
	    .on_claim = on_claim,
	    .on_lost = on_claim_lost,
	    .on_kept = on_claim_kept,
	    .on_idle = on_broker_quiet,
	    .on_control = on_control,
	    .on_trimmed = on_trimmed,
	    .on_pending = upkeep_read_pending,
	    .on_broker_state = on_worker_broker_state,
	    .on_results_state = on_worker_results_state,
	    .arg = d,
	    .open_broker = d->opt.open_broker,
	    .open_results = d->opt.open_results};
	struct stores stores;

	if (stores_open(&options, &stores, err) != 0)
		return -1;
	d->broker = stores.broker;
	d->results = stores.results;
	d->one_store = stores.one;
	d->claims_count = stores.claims_count;
	return 0;
}

static int
dispatch_make_queues(struct dispatch *d, struct err *err)
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
		/* A guess, by the name that modules use, until the first task
		 * tells. */
		if (strcmp(d->opt.queues[n], "cpu") == 0)
			d->queues[n].kind = POOL_CPU;
	}
	return 0;
}

static int
dispatch_make_events(struct dispatch *d, struct err *err)
{
	struct event_base *base = d->opt.base;

	d->turn = evtimer_new(base, on_dispatch_turn, d);
	d->stall = evtimer_new(base, on_stall, d);
	d->rotate = evtimer_new(base, on_dispatch_turn, d);
	d->ask_again = evtimer_new(base, on_ask_again, d);
	if (d->turn == NULL || d->stall == NULL || d->rotate == NULL ||
	    d->ask_again == NULL)
		return err_nomem(err);
	return stop_open(d, err) != 0 ? -1 : heartbeat_open(d, err);
}

/* The names of this moment: before the first executor is up, none. */
static bool
is_registered(const char *task, void *arg)
{
	const struct dispatch *d = arg;
	const struct handlers *handlers =
	    d->pool != NULL ? pool_handlers(d->pool) : NULL;

	return handlers != NULL && handlers_find(handlers, task) != NULL;
}

static int
dispatch_open_tally(struct dispatch *d, struct err *err)
{
	const struct tally_options options = {.base = d->opt.base,
					      .results = d->results,
					      .queues = d->opt.queues,
					      .is_registered = is_registered,
					      .on_sent = on_tally_sent,
					      .arg = d};

	d->tally = tally_new(&options, err);
	return d->tally != NULL ? 0 : -1;
}

/* What is of executors in the configuration is the pool's own copy. */
static int
dispatch_open_pool(struct dispatch *d, struct err *err)
{
	const struct pool_options options = {.base = d->opt.base,
					     .executor = d->opt.executor,
					     .conf = &d->conf->executor,
					     .modules = d->opt.modules,
					     .events = &run_events,
					     .arg = d};

	d->pool = pool_new(&options, err);
	return d->pool != NULL ? 0 : -1;
}

struct dispatch *
dispatch_new(const struct dispatch_options *options, struct err *err)
{
	struct dispatch *d = calloc(1, sizeof(*d));
	enum pool_kind kind;

	if (d == NULL) {
		err_nomem(err);
		return NULL;
	}
	d->opt = *options;
	d->conf = options->conf;
	d->started_us = clock_wall_us();
	d->meter.rtt_us = -1;
	TAILQ_INIT(&d->unsure);
	TAILQ_INIT(&d->awaits_due);
	TAILQ_INIT(&d->untaken);
	for (kind = 0; kind < POOL_KINDS; kind++)
		TAILQ_INIT(&d->held[kind]);
	trace_open(d);
	if ((d->cancelled_ids = cancelled_ids_new()) == NULL) {
		err_nomem(err);
		dispatch_free(d);
		return NULL;
	}
	if (dispatch_make_events(d, err) != 0 ||
	    dispatch_make_queues(d, err) != 0 ||
	    dispatch_open_stores(d, err) != 0 ||
	    dispatch_open_tally(d, err) != 0 || spool_open(d, err) != 0 ||
	    dispatch_open_pool(d, err) != 0) {
		dispatch_free(d);
		return NULL;
	}
	return d;
}

void
dispatch_free(struct dispatch *d)
{
	unsigned int i;

	if (d == NULL)
		return;
	await_drop_all(d);
	/* First the stores and the pool, which call back into jobs. Records that
	 * are under way name claims, which are the broker's. */
	results_close(d->results);
	broker_close(d->broker);
	tally_free(d->tally);
	spool_close(d);
	declare_close(d);
	upkeep_close(d);
	buf_done(&d->event);
	pool_free(d->pool);
	trace_close(d);
	for (i = 0; i < d->cap_jobs; i++)
		if (d->jobs[i] != NULL)
			job_free(d->jobs[i]);
	free(d->jobs);
	printing_close(d);
	for (i = 0; i < d->n_queues; i++)
		free(d->queues[i].name);
	free(d->queues);
	if (d->turn != NULL)
		event_free(d->turn);
	if (d->stall != NULL)
		event_free(d->stall);
	if (d->rotate != NULL)
		event_free(d->rotate);
	if (d->stop_deadline != NULL)
		event_free(d->stop_deadline);
	if (d->heartbeat != NULL)
		event_free(d->heartbeat);
	if (d->ask_again != NULL)
		event_free(d->ask_again);
	cancelled_ids_free(d->cancelled_ids);
	free(d);
}
