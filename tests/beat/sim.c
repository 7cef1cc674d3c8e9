/* SPDX-License-Identifier: MIT */
/* Schedulers in simulated time, their clocks, and what goes wrong with them. */
#include "beat/sim.h"

#include <event2/event.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedules/handle.h"
#include "util/clock.h"

struct sim sim;

/* --- chance and clocks ------------------------------------------------- */

int64_t
sim_chance(int64_t n)
{
	sim.random = sim.random * UINT64_C(6364136223846793005) +
		     UINT64_C(1442695040888963407);
	return (int64_t)((sim.random >> 20) % (uint64_t)n);
}

/* Any order of magnitude is as likely as another. */
static int64_t
sim_spread(int64_t low_us, int64_t high_us)
{
	int64_t top = low_us;

	while (top < high_us && sim_chance(14) != 0)
		top *= 2;
	if (top > high_us)
		top = high_us;
	return low_us + sim_chance(top - low_us + 1);
}

static int
sim_machine(int i)
{
	return sim.kind == WORLD_SQLITE ? 0 : i;
}

/* The drivers of databases have the machine's own clock, and judge by it a deadline
 * that was made with this one: which is ahead of any machine's. */
#define BOOTED (36525 * DAY)

int64_t
sim_mono(void)
{
	return sim.now_us - BEGIN + BOOTED + sim.slack_us;
}

int64_t
sim_wall(void)
{
	return sim.now_us + sim.trouble[sim_machine(sim.current)].off_us;
}

static int64_t
sim_server(void)
{
	return sim.now_us;
}

/* --- tasks ------------------------------------------------------------- */

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct made *)a)->id,
		      ((const struct made *)b)->id);
}

struct made *
sim_find(const char *id)
{
	struct made key;
	void *found;

	snprintf(key.id, sizeof(key.id), "%s", id);
	found = tfind(&key, &sim.tasks, by_id);
	return found != NULL ? *(struct made **)found : NULL;
}

/* Takes over what was submitted: "ID@QUEUE; " of each. */
static void
sim_collect(void)
{
	struct buf *text = &sim.store.submitted;
	char *p, *save;
	struct made *task;

	if (text->len == 0)
		return;
	buf_addc(text, '\0');
	for (p = strtok_r(text->data, ";", &save); p != NULL;
	     p = strtok_r(NULL, ";", &save)) {
		p += strspn(p, " ");
		if (strchr(p, '@') == NULL)
			continue;
		*strchr(p, '@') = '\0';
		if ((task = sim_find(p)) == NULL) {
			task = calloc(1, sizeof(*task));
			ck_assert_ptr_nonnull(task);
			snprintf(task->id, sizeof(task->id), "%s", p);
			task->at_us = sim.now_us;
			ck_assert_ptr_nonnull(tsearch(task, &sim.tasks, by_id));
			sim.n_tasks++;
			sim.n_limited += strncmp(p, "some:", 5) == 0;
		}
		task->n++;
	}
	buf_reset(text);
	buf_reset(&sim.store.journal);
}

/* --- schedulers -------------------------------------------------------- */

static void
on_sim_ready(void *arg)
{
}

static void
on_sim_stopped(const struct err *why, void *arg)
{
	ck_abort_msg("a scheduler ended: %s", why != NULL ? why->msg : "");
}

static bool
is_done(const struct beat *b)
{
	return !work_under_way(b) &&
	       (!work_may_claim(b) ||
		(!b->renew.active && !b->rezone && b->due_state == DUE_KNOWN &&
		 b->next_due_us > watch_now_us(b)));
}

/* News of the broker that is no news makes a turn. The clock that nobody sets
 * goes on a little, which is much less than the clocks are wrong by. */
static void
sim_wake(int i)
{
	sim.slack_us += 10000;
	sim.brokers[i].on_state(true, false, NULL, sim.brokers[i].arg);
}

void
sim_run(int i)
{
	struct beat *b = sim.beats[i];
	int turns = 0;

	sim.current = i;
	sim.store.base = sim.bases[i];
	sim_wake(i);
	do {
		ck_assert_msg(turns++ < 2000,
			      "it does not come to rest: due %d, next in %lld "
			      "us, renew %d, rezone %d, under way %d",
			      b->due_state,
			      (long long)(b->next_due_us - watch_now_us(b)),
			      b->renew.active, b->rezone, work_under_way(b));
		event_base_loop(sim.bases[i], EVLOOP_ONCE | EVLOOP_NONBLOCK);
		/* A pause of its own is waited for. */
		if (turns % 20 == 0)
			sim_wake(i);
	} while (turns < 4 || !is_done(b));
	sim_collect();
}

void
sim_start(int i)
{
	static const char *const ids[BEATS] = {"one", "two"};
	struct err err;

	sim.current = i;
	sim.store.base = sim.bases[i];
	sim.beats[i] =
	    beat_new(&(struct beat_options){.base = sim.bases[i],
					    .conf = sim.conf,
					    .id = ids[i],
					    .on_ready = on_sim_ready,
					    .on_stopped = on_sim_stopped,
					    .open_broker = fake_broker_open,
					    .open_results = fake_results_open},
		     &err);
	ck_assert_msg(sim.beats[i] != NULL, "%s", err.msg);
	sim.beats[i]->db->db_clock = sim_server;
	sim.brokers[i] = sim.store.broker;
	sim.results[i] = sim.store.results;
	fake_store_reach(&sim.store, true);
	sim_run(i);
}

void
sim_kill(int i)
{
	sim.current = i;
	sim.store.base = sim.bases[i];
	beat_free(sim.beats[i]);
	sim.beats[i] = NULL;
	sim.n_kills++;
}

int64_t
sim_wakes(int i)
{
	const struct beat *b = sim.beats[i];

	if (b == NULL || !work_may_claim(b) || b->next_due_us == NEVER)
		return NEVER;
	return b->next_due_us - sim.trouble[sim_machine(i)].off_us;
}

/* --- trouble ----------------------------------------------------------- */

void
sim_note_right(void)
{
	bool right = false;
	int i;

	for (i = 0; i < BEATS; i++)
		right |= sim.beats[i] != NULL &&
			 sim.trouble[sim_machine(i)].off_us == 0;
	if (right && !sim.is_right) {
		sim.right = reallocarray(sim.right, sim.n_right + 1,
					 sizeof(*sim.right));
		ck_assert_ptr_nonnull(sim.right);
		sim.right[sim.n_right++] = (struct stretch){sim.now_us, NEVER};
	} else if (!right && sim.is_right) {
		sim.right[sim.n_right - 1].to_us = sim.now_us;
	}
	sim.is_right = right;
}

/* The kernel tells all schedulers of the machine. */
static void
sim_set_clock(int machine, int64_t off_us)
{
	int i;

	sim.trouble[machine].off_us = off_us;
	for (i = 0; i < BEATS; i++)
		if (sim.beats[i] != NULL && sim_machine(i) == machine)
			sim_run(i);
	sim_note_right();
}

/* With SQLite, where nothing tells which clock is right, a clock that is wrong
 * for more than an hour is believed. */
static void
sim_begin_trouble(int i)
{
	struct trouble *t = &sim.trouble[i];
	int64_t off_us;

	t->next_us = sim.now_us + sim_spread(60 * S, DAY);
	if (sim_machine(i) == i && t->wrong_until_us == NEVER &&
	    sim_chance(2) == 0) {
		off_us = sim_spread(2 * S, 3 * 365 * DAY);
		t->wrong_until_us =
		    sim.now_us + sim_spread(S, sim.kind == WORLD_SQLITE
						   ? HOUR - 600 * S
						   : 2 * DAY);
		sim.n_jumps++;
		sim_set_clock(i, sim_chance(2) == 0 ? off_us : -off_us);
	} else if (sim.beats[i] != NULL) {
		t->down_until_us = sim.now_us + sim_spread(S, DAY);
		sim_kill(i);
		sim_note_right();
	}
}

void
sim_trouble(int i)
{
	struct trouble *t = &sim.trouble[i];

	if (t->wrong_until_us <= sim.now_us) {
		t->wrong_until_us = NEVER;
		sim_set_clock(i, 0);
	}
	if (t->down_until_us <= sim.now_us) {
		t->down_until_us = NEVER;
		sim_start(i);
		sim_note_right();
	}
	if (t->next_us <= sim.now_us)
		sim_begin_trouble(i);
}
