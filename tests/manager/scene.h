/* SPDX-License-Identifier: MIT */
/*
 * A client whose broker and backend lie in memory, for tests of what operators
 * do: the test puts in what is there, each call can be made to fail,
 * and what was asked stands in a journal.
 *
 * There is one at a time, and it is noon: 2026-11-23T12:00:00Z. All answers
 * come from the loop, which runs while an operation waits.
 */
#ifndef TESTS_MANAGER_SCENE_H
#define TESTS_MANAGER_SCENE_H

#include <jansson.h>

#include "client/client.h"
#include "store/admin.h"
#include "store/results.h"

#define SCENE_NOON_US INT64_C(1795435200000000)
#define SCENE_NOON_MS (SCENE_NOON_US / 1000)

/* What can be asked, as it stands in the journal. */
#define SCENE_CALLS(X)                                                         \
	X(queues)                                                              \
	X(workers)                                                             \
	X(find)                                                                \
	X(view)                                                                \
	X(examine)                                                             \
	X(pause)                                                               \
	X(purge)                                                               \
	X(remove)                                                              \
	X(hasten)                                                              \
	X(requeue)                                                             \
	X(registered)                                                          \
	X(names)                                                               \
	X(registry)                                                            \
	X(control)                                                             \
	X(get)                                                                 \
	X(put)                                                                 \
	X(list)                                                                \
	X(counts)                                                              \
	X(measures)                                                            \
	X(reopen)                                                              \
	X(listen)
enum scene_call {
#define X(name) SCENE_##name,
	SCENE_CALLS(X)
#undef X
	    SCENE_N_CALLS
};

struct scene {
	struct flowrra_client *client;
	struct err err;	       /* for the operation's */
	char dir[64];	       /* empty, for files; the schedules' database */
	struct buf journal;    /* each call with its queue or id and "; " */
	struct buf events;     /* that were published, each with "; " */
	unsigned int page_max; /* items of a page; 0: as many as asked for */
	bool reversed;	/* answers of one turn come the last asked first */
	bool hide_next; /* requeue: the item has left the list meanwhile */
	struct results_counts counts; /* what the backend has counted */
	/* What it has measured, of each step; those that begin elsewhere are
	 * empty. */
	struct scene_measure {
		enum measure_step step;
		int64_t begin_s;
		struct measure measure;
	} measures[64];
	size_t n_measures;
	const struct slice *names; /* what is registered */
	size_t n_names;
	const struct slice *registrations; /* of each name, for the registry */
	struct slice unknown; /* in each queue: queue_stats.unknown */
	const struct broker_limit *limits; /* of each queue that holds tasks */
	size_t n_limits;
	const struct broker_finding *findings; /* of the examination */
	size_t n_findings;
	int64_t foreign;
	int64_t clock_us; /* the broker's; 0: noon */
	/* What is heard by who listens; NULL at the end. "!" is trouble. */
	const char *const *heard;
	/* Called in each call, before it looks; to change things meanwhile. */
	void (*on_call)(enum scene_call call);
};
extern struct scene scene;

void scene_begin(void);
void scene_end(void);

/* --- what is there ------------------------------------------------------- */

/* A queue that somebody has named. Those of scene_put() are, by themselves. */
void scene_queue(const char *queue, bool paused);
/* One more, the newest: the first of a view. `time_ms` as in broker_item. */
struct broker_item *scene_put(const char *queue, enum broker_location place,
			      const char *json, int64_t time_ms);
/* The same for a task with that id, named "add", submitted at noon. */
struct broker_item *scene_task(const char *queue, enum broker_location place,
			       const char *id, int64_t time_ms);
/* One on the dead list, with what was noted of it. */
void scene_dead(const char *queue, const char *id, int64_t time_ms,
		const char *info);
size_t scene_count(const char *queue, enum broker_location place);
/* A worker; `description` is JSON, or NULL. */
void scene_worker(const char *name, bool alive, int in_flight,
		  const char *description);
/* It now says this of itself; NULL: it is dead. */
void scene_worker_says(const char *name, const char *description);
/* The record of a task, in the place of what was there; and what is there now.
 * Quotes are as in scene_json(). */
void scene_record(const char *id, const char *json);
const char *scene_record_of(const char *id);

/* --- faults -------------------------------------------------------------- */

/* From the call after the next `skip` on, `times` of them fail. */
void scene_fail(enum scene_call call, unsigned int skip, unsigned int times,
		enum err_code code, const char *msg);
/* From now on the clock stands still, but for views: each takes so long. */
void scene_view_takes(int64_t us);
/* Both servers are out of reach; for good, or to be awaited. */
void scene_reach(bool up, bool final);

/* --- answers ------------------------------------------------------------- */

/* JSON, with ' for ". */
json_t *scene_json(const char *text);
/* Takes the answer of an operation, which must be this. */
#define scene_is(answer, text) scene_check(answer, text, #answer)
void scene_check(json_t *answer, const char *text, const char *what);
/* It must be none, with this error. Clears the error. */
#define scene_refused(answer, code, msg)                                       \
	scene_check_refused((answer) != NULL, code, msg, #answer)
void scene_check_refused(bool answered, enum err_code code, const char *msg,
			 const char *what);
/* An array of the members of that name; takes the answer. */
json_t *scene_column(json_t *answer, const char *name);
/* What has been asked since the last time. */
void scene_journal_is(const char *wanted);

#endif
