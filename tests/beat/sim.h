/* SPDX-License-Identifier: MIT */
/*
 * A simulated world for schedulers: two of them over a real database and a store
 * in memory, with clocks that go wrong, and kills, at random. Time stands still
 * but for sim.now_us, which the test sets. For tests/beat only.
 */
#ifndef TESTS_BEAT_SIM_H
#define TESTS_BEAT_SIM_H

#include "beat/state.h"
#include "fake_store.h"
#include "schedules/world.h"

#define S INT64_C(1000000)
#define HOUR (3600 * S)
#define DAY (24 * HOUR)
/* 2032-01-01T00:00:00Z. So late that the kernel's timers, which follow its own
 * clock, wake nobody. */
#define BEGIN (INT64_C(1956528000) * S)
#define BEATS 2
/* What happens to a scheduler, or to the clock of its machine. */
struct trouble {
	int64_t off_us;		/* the clock is wrong by this */
	int64_t wrong_until_us; /* NEVER: it is right */
	int64_t down_until_us;	/* NEVER: it is running */
	int64_t next_us;	/* of either kind */
};

struct stretch {
	int64_t from_us, to_us;
};

struct made {
	int64_t at_us;
	unsigned int n;
	char id[SCHEDULE_TASK_ID_SIZE];
};

extern struct sim {
	int kind;
	int64_t now_us, end_us, slack_us;
	uint64_t random;
	int current; /* whose clock is read */
	struct trouble trouble[BEATS];
	struct world w;
	struct conf *conf;
	struct fake_store store;
	struct event_base *bases[BEATS];
	struct beat *beats[BEATS];
	struct broker_options brokers[BEATS];
	struct results_options results[BEATS];
	struct stretch *right; /* some scheduler with a right clock runs */
	size_t n_right;
	bool is_right;
	void *tasks;
	unsigned int n_tasks, n_limited, n_jumps, n_kills;
} sim;

/* A number from 0 on, less than `n`. */
int64_t sim_chance(int64_t n);
/* The clocks that programs read: of the boot, and of the machine of the
 * scheduler in hand. */
int64_t sim_mono(void);
int64_t sim_wall(void);

/* The task of a fire; NULL: none was made. */
struct made *sim_find(const char *id);
void sim_start(int i);
void sim_kill(int i);
/* All that it does at this moment; the other one's loop stands still. */
void sim_run(int i);
/* When it wakes by itself, in true time. */
int64_t sim_wakes(int i);
/* Notes whether some scheduler with a right clock is running. */
void sim_note_right(void);
/* What goes wrong at this moment, or right again. */
void sim_trouble(int i);

#endif
