/* SPDX-License-Identifier: MIT */
/* What was measured: the list of all quantities, and median, minimum and
 * maximum of their rounds, as a table and as JSON. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <jansson.h>
#include <stddef.h>

/* X(key, decimals, unit, what it is) */
#define METRICS(X)                                                             \
	X(submit_single_per_s, 0, "tasks/s", "submitted one at a time")        \
	X(floor_single_per_s, 0, "rows/s", "... SQLite: a row, flushed")       \
	X(of_floor_single, 2, "", "... one at a time, of that")                \
	X(submit_bare_per_s, 0, "tasks/s", "... floor: the bare commands")     \
	X(submit_ratio, 2, "", "... of the floor, the more the better")        \
	X(ctl_per_s, 0, "tasks/s", "flowrractl submit, one a process")         \
	X(ctl_floor_per_s, 0, "tasks/s", "... floor: C, with one row or push") \
	X(ctl_floor_ratio, 2, "", "... of the floor, the more the better")     \
	X(nq_per_s, 0, "tasks/s", "nq, one a process")                         \
	X(nq_ratio, 2, "", "... flowrractl submit of that")                    \
	X(tsp_per_s, 0, "tasks/s", "tsp (task-spooler), one a process")        \
	X(tsp_ratio, 2, "", "... flowrractl submit of that")                   \
	X(run_per_s, 0, "tasks/s", "flowrractl run, one a process")            \
	X(run_ratio, 2, "", "... flowrractl submit of that")                   \
	X(each_per_s, 0, "tasks/s", "flowrractl run --each --wait")            \
	X(xargs_per_s, 0, "tasks/s", "xargs -n 1, which queues nothing")       \
	X(parallel_per_s, 0, "tasks/s", "parallel, which queues nothing")      \
	X(submit_ctl_per_s, 0, "tasks/s",                                      \
	  "flowrractl submit without a worker")                                \
	X(ctl_alone_ratio, 2, "", "... of that with one")                      \
	X(submit_bulk_per_s, 0, "tasks/s", "flowrractl submit --stdin")        \
	X(floor_bulk_per_s, 0, "rows/s", "... SQLite: 512 rows, flushed")      \
	X(of_floor_bulk, 2, "", "... --stdin, of that")                        \
	X(drain_per_s, 0, "tasks/s", "drained: first start to last end")       \
	X(drain_stored_per_s, 0, "tasks/s", "... to the last result seen")     \
	X(floor_drain_per_s, 0, "tasks/s", "... our statements alone")         \
	X(of_floor_drain, 2, "", "... drained, of that")                       \
	X(start_ms_p50, 3, "ms", "submit to start, p50")                       \
	X(start_ms_p95, 3, "ms", "submit to start, p95")                       \
	X(start_ms_p99, 3, "ms", "submit to start, p99")                       \
	X(result_ms_p50, 3, "ms", "submit to result seen, p50")                \
	X(result_ms_p95, 3, "ms", "submit to result seen, p95")                \
	X(result_ms_p99, 3, "ms", "submit to result seen, p99")                \
	X(bare_start_ms_p50, 3, "ms", "floor: the bare chain, start p50")      \
	X(bare_result_ms_p50, 3, "ms", "floor: ... result p50")                \
	X(start_ratio, 2, "", "start p50 of its floor, the less the better")   \
	X(result_ratio, 2, "", "result p50 of its floor")                      \
	X(late_ticks, 0, "", "submissions that began late")                    \
	X(pss_idle_mib, 1, "MiB", "memory of our processes, idle")             \
	X(pss_drain_mib, 1, "MiB", "memory of our processes, draining")        \
	X(pss_server_mib, 1, "MiB", "memory of the server, draining")          \
	X(cpu_worker_s_per_10k, 3, "CPU s",                                    \
	  "flowrrad, executors; 10000 tasks")                                  \
	X(cpu_flowrrad_s_per_10k, 3, "CPU s", "of that, flowrrad")             \
	X(cpu_redis_s_per_10k, 3, "CPU s", "the server; 10000 tasks")          \
	X(watched_per_s, 0, "tasks/s", "drained with metrics and traces on")   \
	X(watched_s_per_10k, 3, "CPU s", "... flowrrad, executors; 10000")     \
	X(watched_ratio, 3, "", "... of that without, the more the better")

enum metric {
#define X(key, decimals, unit, text) METRIC_##key,
	METRICS(X)
#undef X
	    METRIC_COUNT
};

#define ROUNDS_MAX 100

struct table {
	double values[METRIC_COUNT][ROUNDS_MAX];
	size_t rounds[METRIC_COUNT]; /* how often each was measured */
};

void table_add(struct table *t, enum metric metric, double value);
/* A floor, and what part of it `ours` is, by its last value. */
void table_add_floor(struct table *t, enum metric ours, enum metric floor,
		     enum metric ratio, double value);
void table_print(const struct table *t, const char *title);
/* {key: {"median": …, "min": …, "max": …}, …} */
json_t *table_json(const struct table *t);
/* {key: median, …} */
json_t *table_medians(const struct table *t);

#endif
