/* SPDX-License-Identifier: MIT */
/* A Redis that does not answer, and networks that are slow or lose things. */
#include <stdlib.h>

#include <flowrra/client.h>

#include "soak/proxy.h"
#include "soak/rows.h"

#define SHORT_TIMEOUT                                                          \
	"[broker]\nsocket_timeout = 1s\n[backend]\nsocket_timeout = 1s\n"
#define LONG_TIMEOUT                                                           \
	"[broker]\nsocket_timeout = 60s\n[backend]\nsocket_timeout = 60s\n"

/* Tasks that are under way, in both workers, all through a pause. */
static void
submit_long_tasks(struct scene *s, int64_t ms)
{
	int i;

	for (i = 0; i < 6; i++)
		scene_submit(s, i % 2 == 0 ? "ledger" : "ledger_async",
			     world_text(s->world, "%lld", (long long)ms), NULL);
	scene_submit(s, "ledger_cpu",
		     world_text(s->world, "%lld", (long long)ms), NULL);
	scene_sleep(200);
}

/* --- a Redis that is stopped --------------------------------------------- */

static void
pause_for(struct scene *s, int64_t ms)
{
	int64_t begin;

	redis_server_pause(scene_redis(s));
	s->tally->faults++;
	scene_sleep_between(s, ms, ms);
	redis_server_continue(scene_redis(s));
	begin = now_ms();
	scene_await_start(s, begin);
}

static void
redis_paused(struct scene *s)
{
	unsigned int i;

	scene_start(
	    s, &(struct scene_options){.workers = 2, .config = SHORT_TIMEOUT});
	load_start(s, &(struct load){.delays = true});
	for (i = 0; i < times(s, 3, 20); i++) {
		scene_sleep_between(s, 100, 500);
		pause_for(s, rng_between(&s->rng, 500, 3500));
	}
	scene_end(s);
}

const struct row row_pause = {.name = "pause",
			      .fault = "SIGSTOP Redis, beyond socket_timeout",
			      .brokers = ON_REDIS,
			      .runs = {1, 5},
			      .limit_ms = 5000,
			      .run = redis_paused};

/* Longer than a heartbeat lives; with patience, no connection breaks. */
static void
redis_paused_long(struct scene *s)
{
	const int64_t ms = s->thorough ? 30000 : 12000;
	const bool patient = rng_between(&s->rng, 0, 1) == 0;

	scene_start(s, &(struct scene_options){
			   .workers = 2,
			   .config = patient ? LONG_TIMEOUT : SHORT_TIMEOUT});
	submit_long_tasks(s, ms + 4000);
	load_start(s, &(struct load){.delays = true});
	scene_sleep_between(s, 100, 3000);
	pause_for(s, ms);
	scene_end(s);
}

const struct row row_long_pause = {.name = "long-pause",
				   .fault =
				       "SIGSTOP Redis 12 s (30 s), two workers",
				   .brokers = ON_REDIS,
				   .runs = {2, 10},
				   .limit_ms = 5000,
				   .run = redis_paused_long};

/* --- a slow network ------------------------------------------------------ */

static void
link_is_slow(struct scene *s)
{
	unsigned int i;

	scene_start(s, &(struct scene_options){.proxy = true,
					       .workers = 2,
					       .config = SHORT_TIMEOUT});
	load_start(s, &(struct load){.delays = true});
	for (i = 0; i < times(s, 6, 60); i++) {
		s->proxy->delay_ms = (int)rng_between(&s->rng, 1, 150);
		s->tally->faults++;
		scene_sleep_between(s, 200, 1000);
	}
	s->proxy->delay_ms = 0;
	scene_await_start(s, now_ms());
	scene_end(s);
}

const struct row row_slow = {.name = "slow",
			     .fault = "slow link",
			     .brokers = ON_REDIS,
			     .runs = {1, 5},
			     .limit_ms = 5000,
			     .run = link_is_slow};

/* --- a network that is broken in silence --------------------------------- */

/* What was sent is neither lost nor delivered: it comes in the end, when the
 * worker has long made new connections. */
static void
link_is_half_open(struct scene *s)
{
	unsigned int i;
	int64_t begin, ms;

	scene_start(s, &(struct scene_options){.proxy = true,
					       .workers = 2,
					       .config = SHORT_TIMEOUT});
	load_start(s, &(struct load){.delays = true});
	for (i = 0; i < times(s, 2, 10); i++) {
		/* Its heartbeat is missed once, but not twice. */
		ms = i == 0 ? 13500 : rng_between(&s->rng, 300, 4000);
		submit_long_tasks(s, ms + 4000);
		s->proxy->mode = PROXY_HOLE;
		s->tally->faults++;
		scene_sleep_between(s, ms, ms);
		s->proxy->mode = PROXY_PASS;
		begin = now_ms();
		scene_await_start(s, begin);
	}
	scene_end(s);
}

const struct row row_half_open = {.name = "half-open",
				  .fault = "half-open link, two workers",
				  .brokers = ON_REDIS,
				  .runs = {2, 10},
				  .limit_ms = 5000,
				  .run = link_is_half_open};

/* --- connections that are cut -------------------------------------------- */

/* The same offset for several connections, so that it meets each of their
 * kinds; the long form takes all offsets in turn. */
static void
link_is_cut(struct scene *s)
{
	const unsigned int n = times(s, 12, 1000);
	unsigned int i;
	int64_t begin;

	scene_start(
	    s, &(struct scene_options){.proxy = true, .config = SHORT_TIMEOUT});
	/* Most of the time it has no connection. */
	load_start(s, &(struct load){.delays = true, .gap_ms = 200});
	for (i = 0; i < n; i++) {
		s->proxy->cut_at = s->thorough
				       ? (int)i + 1
				       : (int)rng_between(&s->rng, 1, 1000);
		redis_server_run(scene_redis(s), "CLIENT KILL TYPE normal");
		scene_sleep_between(s, 50, 400);
		s->proxy->cut_at = 0;
		begin = now_ms();
		scene_await_start(s, begin);
	}
	s->tally->faults += (unsigned int)s->proxy->cuts;
	scene_end(s);
}

const struct row row_cuts = {.name = "cuts",
			     .fault = "link cut at every byte",
			     .brokers = ON_REDIS,
			     .runs = {1, 1},
			     .limit_ms = 5000,
			     .run = link_is_cut};

static void
replies_are_lost(struct scene *s)
{
	unsigned int i;
	int64_t begin;

	scene_start(
	    s, &(struct scene_options){.proxy = true, .config = SHORT_TIMEOUT});
	load_start(s, &(struct load){.delays = true});
	for (i = 0; i < times(s, 4, 60); i++) {
		scene_sleep_between(s, 50, 800);
		s->proxy->mode = PROXY_SWALLOW;
		s->tally->faults++;
		scene_sleep_between(s, 5, 1500);
		s->proxy->mode = PROXY_PASS;
		begin = now_ms();
		scene_await_start(s, begin);
	}
	scene_end(s);
}

const struct row row_swallow = {.name = "swallow",
				.fault = "link that swallows replies",
				.brokers = ON_REDIS,
				.runs = {1, 5},
				.limit_ms = 5000,
				.run = replies_are_lost};
