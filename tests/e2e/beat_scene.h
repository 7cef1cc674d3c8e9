/* SPDX-License-Identifier: MIT */
/*
 * A scene for schedulers: a database of some kind, a Redis server (or a Cluster) as
 * the broker, several flowrra-beat, and no worker, so that all that was enqueued is
 * still there to be counted.
 */
#ifndef TESTS_E2E_BEAT_SCENE_H
#define TESTS_E2E_BEAT_SCENE_H

#include "e2e/worker.h"
#include "e2e/world.h"
#include "schedules/schedules.h"

enum scene_database {
	SCENE_SQLITE,
	SCENE_POSTGRESQL,
	SCENE_MARIADB,
	SCENE_DATABASES
};

#define SCENE_BEATS 3
struct scene {
	struct world *world;
	struct redis_test_cluster *cluster; /* NULL: one Redis server */
	struct sql_server *server;	    /* NULL: SQLite */
	struct schedules *db;
	struct worker *beats[SCENE_BEATS];
	char *disk;	     /* a small one for the tables; NULL: none */
	const char *command; /* of the schedulers */
	int n_schedules;
	int64_t grace_us; /* of schedules that are made; 0: none, misfire=all */
	enum schedule_overlap overlap; /* … and of these */
	int64_t max_runs;	       /* … */
	/* The same: they begin workflows, of a first step "a" and others behind
	 * it; NULL: they make tasks. */
	const char *workflow;
};

/* Starts the servers; no scheduler yet. */
void scene_open(struct scene *s, enum scene_database kind);
/* The same; records live on a server of their own. */
void scene_open_apart(struct scene *s, enum scene_database kind);
/* The same; tasks are in a Cluster, of which replicas confirm them. */
void scene_open_cluster(struct scene *s, enum scene_database kind);
/* The same, with the tables on a disk of so many KiB. False: that takes root.
 * Not with MariaDB. */
bool scene_open_small(struct scene *s, enum scene_database kind,
		      unsigned int disk_kib);
void scene_close(struct scene *s);
/* Leaves no room on that disk; makes room again. */
void scene_fill_disk(struct scene *s);
void scene_empty_disk(struct scene *s);
/* Starts `n` schedulers and waits until they are ready. */
void scene_start(struct scene *s, int n);

/* Makes schedules that fire each `period_ms`, none of whose fires may be left
 * out. */
void scene_schedule(struct scene *s, int n, int64_t period_ms);

/* Fires that became no tasks for this reason. */
long long scene_skipped(struct scene *s, enum schedule_reason reason);
/* Tasks in the queue; of workflows, their first steps. */
long long scene_enqueued(struct scene *s);
/*
 * Disables all schedules, waits until all that has fired is sent, and compares:
 * each fire of each schedule, from its first one on, is in the queue once.
 * Returns how many there were.
 */
long long scene_verdict(struct scene *s);

#endif
