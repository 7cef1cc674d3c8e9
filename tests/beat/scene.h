/* SPDX-License-Identifier: MIT */
/*
 * Schedulers over a real database in a file and a store that does what the test
 * says, with clocks that the test sets. All run in one loop, in one process.
 */
#ifndef TESTS_BEAT_SCENE_H
#define TESTS_BEAT_SCENE_H

#include <check.h>

#include "beat/beat.h"
#include "fake_store.h"
#include "schedules/schedules.h"
#include "schedules/world.h"
#include "util/clock.h"

#define SECOND_US INT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)
#define SCENE_BEATS 2

struct scene {
	struct event_base *base;
	struct fake_store store;
	struct world world;
	struct conf *conf;
	int64_t now_us; /* the wall clock at the start, a full second */
	struct beat_scene_beat {
		struct scene *scene;
		struct beat *beat;
		struct broker_options broker; /* what it opened the fake with */
		struct results_options results;
		bool up, ready, stopped, failed;
		struct err failure;
	} beats[SCENE_BEATS];
	unsigned int n_beats;
	struct event *tick; /* when the clocks are not the kernel's */
};

/* Queues and records are in one store, unless `setting` ("section.key=value")
 * says otherwise; NULL: no setting. No scheduler runs yet. */
struct scene *beat_scene_new(const char *setting);
/* The same with a database of another kind (schedules/world.h): its server has
 * the machine's real clock, however the scene's own are set. */
struct scene *beat_scene_new_in(int kind, const char *setting);
void beat_scene_free(struct scene *s);
/* One more scheduler, whose store is out of reach. */
struct beat_scene_beat *beat_scene_start(struct scene *s);
/* Its store comes into reach, and it is ready; or goes out of reach. */
void beat_scene_reach(struct beat_scene_beat *b, bool up);
/* beat_scene_start() and beat_scene_reach() of one. */
struct beat_scene_beat *beat_scene_run(struct scene *s);
/* It is gone, in the midst of what it did. */
void beat_scene_kill(struct beat_scene_beat *b);

/* Both clocks go on, as when time passes; the schedulers look at them. */
void beat_scene_pass(struct scene *s, int64_t us);
/* The wall clock alone is set. */
void beat_scene_step(struct scene *s, int64_t us);

/* An enabled schedule every minute with misfire=once, whose first fire is at `start_us`. */
struct schedule beat_scene_schedule(const char *id, int64_t start_us);
void beat_scene_store(struct scene *s, const struct schedule *schedule);
/*
 * Waits until all that is due now has been decided: one more schedule is due
 * and the test waits for its task. It is "canary" and a number.
 */
void beat_scene_decided(struct scene *s);
/* How often a fire of a schedule was submitted. */
unsigned int beat_scene_sent(struct scene *s, const char *id, int64_t fire_us);
/* Waits until it was, and is marked. */
void beat_scene_fired(struct scene *s, const char *id, int64_t fire_us);
/* The number that a query of the database gives. */
int64_t beat_scene_number(struct scene *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Standard error goes into a file from now on; the test's process ends soon. */
int beat_scene_log(void);
/* How often that file has a text. */
unsigned int beat_scene_logged(int fd, const char *what);

/* Fires that wait in the outbox. */
#define SCENE_UNSENT(s)                                                        \
	beat_scene_number((s), "SELECT count(*) FROM flowrra_fires"            \
			       " WHERE waits_us IS NOT NULL")

#endif
