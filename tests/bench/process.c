/* SPDX-License-Identifier: MIT */
/* A submission as a process. */
#include "process.h"

#include <err.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "options.h"
#include "program.h"

/* Turns of each, in a round: enough that what else goes on meets all alike. */
#define TURNS 3

struct submitter {
	const char *name; /* of the program; NULL: one of ours */
	enum metric metric, ratio;
	const char *const *argv;
	const char *const *settle; /* run after a turn, not measured */
	double total_s;
	long n;
	/* One process runs all of a turn, with a line of input each, and waits for
	 * them: no ratio. The argv is the end of a line for the shell. */
	bool at_once;
	bool
	    personal; /* of the embedded database alone: it has one of its own */
};

static const char *const nq_argv[] = {"nq", "true", NULL};
static const char *const nq_settle[] = {"nq", "-w", NULL};
static const char *const tsp_argv[] = {"tsp", "true", NULL};
static const char *const tsp_settle[] = {"tsp", "-w", NULL};

/* A worker of the user's own store. It is ended by a stop order. */
#define OWN_ID "bench:own"
static const char *const run_argv[] = {
    "bin/flowrractl", "run", "-o", "worker.id=" OWN_ID, "--", "true", NULL};
static const char *const run_settle[] = {"bin/flowrractl", "wait", "--user",
					 "--queue",	   "run",  NULL};
static const char *const own_stop[] = {"bin/flowrractl", "worker", "stop",
				       "--user",	 OWN_ID,   NULL};

/* Only what is installed takes part; that it does not is said once. */
static bool
takes_part(const struct submitter *s, bool embedded)
{
	static char told[64];
	char *path;

	if (s->personal && !embedded)
		return false;
	if (s->name == NULL)
		return true;
	if ((path = program_find(s->name)) == NULL &&
	    strstr(told, s->name) == NULL) {
		strcat(strcat(told, " "), s->name);
		printf("%s is not installed, and left out\n", s->name);
	}
	free(path);
	return path != NULL;
}

/* Where the others keep their jobs: in our directory, which is removed. */
static void
set_places(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/nq", files.dir);
	setenv("NQDIR", path, 1);
	snprintf(path, sizeof(path), "%s/tsp", files.dir);
	setenv("TS_SOCKET", path, 1);
	setenv("TMPDIR", files.dir, 1);
	setenv("XDG_STATE_HOME", files.dir, 1);
	setenv("XDG_CONFIG_HOME", files.dir, 1);
	/* No service manager: its worker would outlive us. */
	setenv("XDG_RUNTIME_DIR", files.dir, 1);
}

static double
run_once(const struct submitter *s, const char *const *argv)
{
	return s->name == NULL ? program_run(argv, NULL, NULL)
			       : program_run_system(argv);
}

static double
run_at_once(const struct submitter *s, long n)
{
	char line[4200];
	const char *const argv[] = {"sh", "-c", line, NULL};

	snprintf(line, sizeof(line), "seq %ld | %s", n, s->argv[0]);
	return program_run_system(argv);
}

static void
take_turn(struct submitter *s, long n)
{
	long i;

	if (s->at_once)
		s->total_s += run_at_once(s, n);
	for (i = 0; i < n && !s->at_once; i++)
		s->total_s += run_once(s, s->argv);
	s->n += n;
	if (s->settle != NULL)
		run_once(s, s->settle);
}

/* The other connection of the floor's file: as with a worker, who ends is not the
 * last to leave it. */
static sqlite3 *
hold_open(const char *path)
{
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db,
			 "PRAGMA journal_mode = WAL; SELECT count(*) FROM "
			 "sqlite_schema",
			 NULL, NULL, NULL) != SQLITE_OK)
		errx(1, "%s: %s", path, sqlite3_errmsg(db));
	return db;
}

static void
report_submitters(const struct submitter *all, size_t n, struct table *t)
{
	const double ours = (double)all[0].n / all[0].total_s;
	double rate;
	size_t i;

	for (i = 0; i < n; i++) {
		if (all[i].n == 0)
			continue;
		rate = (double)all[i].n / all[i].total_s;
		table_add(t, all[i].metric, rate);
		if (i > 0 && !all[i].at_once)
			table_add(t, all[i].ratio, ours / rate);
	}
}

static void
take_turns(struct submitter *all, size_t n, bool embedded,
	   void (*await)(long n))
{
	const long each = opt.ctl / TURNS > 0 ? opt.ctl / TURNS : 1;
	size_t i;
	int turn;

	for (turn = 0; turn < TURNS; turn++)
		for (i = 0; i < n; i++) {
			if (!takes_part(&all[i], embedded))
				continue;
			take_turn(&all[i], each);
			if (i == 0)
				await(all[i].n);
		}
}

/* What is only known when it runs. */
static char place[4096], each_line[4200];
static const char *ctl_argv[6], *floor_argv[3];
static const char *const each_argv[] = {each_line};
static const char *const xargs_argv[] = {"xargs -n 1 true"};
static const char *const parallel_argv[] = {"parallel true"};

/* In the order in which they take turns. */
enum who { CTL, FLOOR, NQ, TSP, RUN, RUN_EACH, XARGS, PARALLEL, N_WHO };
static const struct submitter submitters[N_WHO] = {
    [CTL] = {.metric = METRIC_ctl_per_s, .argv = ctl_argv},
    [FLOOR] = {.metric = METRIC_ctl_floor_per_s,
	       .ratio = METRIC_ctl_floor_ratio,
	       .argv = floor_argv},
    [NQ] = {.name = "nq",
	    .metric = METRIC_nq_per_s,
	    .ratio = METRIC_nq_ratio,
	    .argv = nq_argv,
	    .settle = nq_settle},
    [TSP] = {.name = "tsp",
	     .metric = METRIC_tsp_per_s,
	     .ratio = METRIC_tsp_ratio,
	     .argv = tsp_argv,
	     .settle = tsp_settle},
    [RUN] = {.metric = METRIC_run_per_s,
	     .ratio = METRIC_run_ratio,
	     .argv = run_argv,
	     .settle = run_settle,
	     .personal = true},
    [RUN_EACH] = {.metric = METRIC_each_per_s,
		  .argv = each_argv,
		  .at_once = true,
		  .personal = true},
    [XARGS] = {.name = "xargs",
	       .metric = METRIC_xargs_per_s,
	       .argv = xargs_argv,
	       .at_once = true},
    [PARALLEL] = {.name = "parallel",
		  .metric = METRIC_parallel_per_s,
		  .argv = parallel_argv,
		  .at_once = true},
};

static void
fill_argvs(const struct system *s, bool embedded)
{
	const char *const ctl[] = {"bin/flowrractl", "--config", files.conf,
				   "submit",	     opt.task,	 NULL};
	char *path = program_path("bin/flowrractl");

	memcpy(ctl_argv, ctl, sizeof(ctl));
	floor_argv[0] =
	    embedded ? "tests/bench/sqlite_floor" : "tests/bench/redis_floor";
	floor_argv[1] = place;
	snprintf(each_line, sizeof(each_line),
		 "%.3900s run -o worker.id=" OWN_ID " --each --wait -- true {}",
		 path);
	free(path);
	if (embedded) {
		snprintf(place, sizeof(place), "%s/floor.db", files.dir);
		return;
	}
	/* unix:// and the path, with what else it says behind a "?". */
	snprintf(place, sizeof(place), "%s", strchr(s->url, '/') + 2);
	place[strcspn(place, "?")] = '\0';
}

void
process_measure(const struct system *s, struct table *t, void (*await)(long n))
{
	const bool embedded = strncmp(s->url, "sqlite://", 9) == 0;
	struct submitter all[N_WHO];
	sqlite3 *held;

	memcpy(all, submitters, sizeof(all));
	set_places();
	fill_argvs(s, embedded);
	held = embedded ? hold_open(place) : NULL;
	take_turns(all, N_WHO, embedded, await);
	report_submitters(all, N_WHO, t);
	sqlite3_close(held);
	if (all[TSP].n > 0)
		program_run_system((const char *const[]){"tsp", "-K", NULL});
	if (all[RUN].n > 0)
		program_run(own_stop, NULL, NULL);
}

void
process_measure_alone(struct table *t)
{
	const char *const argv[] = {"bin/flowrractl", "--config", files.conf,
				    "submit",	      opt.task,	  NULL};
	struct submitter ours = {.argv = argv};
	const double with =
	    t->values[METRIC_ctl_per_s][t->rounds[METRIC_ctl_per_s] - 1];
	double rate;

	take_turn(&ours, opt.ctl);
	rate = (double)ours.n / ours.total_s;
	table_add(t, METRIC_submit_ctl_per_s, rate);
	table_add(t, METRIC_ctl_alone_ratio, rate / with);
}
