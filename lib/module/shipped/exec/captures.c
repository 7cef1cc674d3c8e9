/* SPDX-License-Identifier: MIT */
/*
 * Keeping what commands print within its bounds ([exec] output_total and
 * output_keep).
 *
 * A directory of many files takes long to read: a thread does that, one at a time,
 * while commands go on.
 */
#include "module/shipped/exec/captures.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/capture.h"
#include "module/shipped/exec/declared.h"
#include "util/clock.h"

/* Between two looks: so long, or until a sixteenth of what may stay has been
 * written. */
#define SWEEP_MS (INT64_C(10) * 60 * 1000)
#define SWEEP_PART 16

/* One for the process, as the module is. */
static struct {
	pthread_t thread;
	bool started; /* the thread is to be joined */
	atomic_bool running;
	int64_t last_ms; /* monotonic; 0: never */
	uint64_t bytes;	 /* that were written since */
	/* The thread's. */
	char *directory;
	int64_t keep_s;
	uint64_t total;
} sweep;

static void *
sweep_main(void *arg)
{
	capture_sweep(sweep.directory, sweep.keep_s, sweep.total);
	atomic_store(&sweep.running, false);
	return arg;
}

void
captures_done(void)
{
	if (sweep.started)
		pthread_join(sweep.thread, NULL);
	sweep.started = false;
	free(sweep.directory);
	sweep.directory = NULL;
}

void
captures_sweep(const struct declarations *all)
{
	const int64_t now_ms = clock_mono_ms();

	if (atomic_load(&sweep.running) ||
	    (sweep.last_ms != 0 && now_ms - sweep.last_ms < SWEEP_MS &&
	     sweep.bytes < all->capture_total / SWEEP_PART))
		return;
	captures_done();
	sweep.last_ms = now_ms;
	sweep.bytes = 0;
	if ((sweep.directory = strdup(all->captures)) == NULL)
		return;
	sweep.keep_s = all->capture_keep_s;
	sweep.total = all->capture_total;
	atomic_store(&sweep.running, true);
	sweep.started =
	    pthread_create(&sweep.thread, NULL, sweep_main, NULL) == 0;
	if (!sweep.started)
		atomic_store(&sweep.running, false);
}

void
captures_wrote(size_t bytes)
{
	sweep.bytes += bytes;
}
