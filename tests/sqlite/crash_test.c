/* SPDX-License-Identifier: MIT */
/*
 * Processes that submit and work are killed, at every write or at random, and
 * every task that was acknowledged is found: finished, or waiting to be run. One that
 * waits for another is never claimed before that has ended, and one that cannot run
 * any more is skipped. The tasks of every other process are a workflow, which ends when
 * they have, and then calls back.
 *
 * FLOWRRA_CRASH_RUNS says how many random runs (100 if unset),
 * FLOWRRA_CRASH_SEED what they begin with.
 */
#include <event2/event.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sqlite/shim.h"
#include "store/flow.h"
#include "store/stage.h"
#include "suite.h"

#define BATCH 6
#define TASKS 42 /* of one process' life */
/* Of a batch, those that wait for others, and the one among them that is skipped. */
#define FIRST_AFTER 4
#define SKIPPED 5
#define ID_SIZE 24

static struct stage w;

/* --- the process that is killed ---------------------------------------- */

/* A claimed task on its way to being done. */
struct run {
	struct results_put put;
	struct broker_settle settle;
	char id[ID_SIZE];
};

struct life {
	struct broker *broker;
	struct results *results;
	struct broker_submit batch[BATCH];
	struct broker_after after[BATCH];
	char blob[32];
	char ids[BATCH][ID_SIZE], bytes[BATCH][64];
	char flow[ID_SIZE]; /* empty: none */
	int out;	    /* ids that were acknowledged */
	int number, submitted, settled;
	bool up, results_up, answered;
};

static void
on_settled(struct broker_settle *settle)
{
	struct life *life = settle->arg;

	life->settled++;
	free(container_of(settle, struct run, settle));
	broker_want(life->broker, 0, 10);
}

static void
on_stored(struct results_put *put)
{
	struct run *run = container_of(put, struct run, put);
	struct life *life = put->arg;

	broker_settle(life->broker, &run->settle);
}

/* Beside the shim, which knows one connection. */
static int
count_rows(const char *sql)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int n = -1;

	if (sqlite3_open_v2(stage_path(&w), &db, SQLITE_OPEN_READWRITE,
			    "unix") != SQLITE_OK ||
	    sqlite3_busy_timeout(db, 5000) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		n = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return n;
}

static void
early(const char *id)
{
	/* The power is off: what is read is what was flushed. */
	while (shim_failures() > 0)
		pause();
	fprintf(stderr, "%s was claimed too early\n", id);
	_exit(4);
}

/* The number of a task tells its place in its batch, and so what it waits for. */
static void
check_not_early(const char *id)
{
	char sql[256];
	int run, number;

	if (sscanf(id, "call-%d", &run) == 1) {
		snprintf(sql, sizeof(sql),
			 "SELECT count(*) FROM flows WHERE id = 'flow-%d' "
			 "AND ended > 0",
			 run);
		if (count_rows(sql) != 1)
			early(id);
	}
	/* That of check_all() has no number. */
	if (sscanf(id, "%d-%d", &run, &number) != 2 ||
	    number % BATCH < FIRST_AFTER)
		return;
	snprintf(sql, sizeof(sql),
		 "SELECT count(*) FROM ids i JOIN results r ON r.number = "
		 "-i.place WHERE i.id IN ('%d-%d', '%d-%d') AND r.final",
		 run, number - FIRST_AFTER, run, number - FIRST_AFTER + 1);
	if (number % BATCH == SKIPPED || count_rows(sql) != 2)
		early(id);
}

static void
on_claim(struct broker_claim *claim, void *arg)
{
	struct life *life = arg;
	struct run *run = calloc(1, sizeof(*run));
	char bytes[64];

	snprintf(bytes, sizeof(bytes), "%.*s", (int)claim->bytes.len,
		 claim->bytes.p);
	ck_assert_int_eq(sscanf(bytes, "{\"id\":\"%23[^\"]", run->id), 1);
	check_not_early(run->id);
	run->settle = (struct broker_settle){.disposition = BROKER_ACK,
					     .claim = claim,
					     .on_done = on_settled,
					     .arg = life};
	run->put = (struct results_put){.id = slice_of(run->id),
					.record = SLICE("done"),
					.final = true,
					.claim = claim,
					.on_done = on_stored,
					.arg = life};
	results_put(life->results, &run->put);
}

static void
on_submitted(struct broker_submit *batch, size_t n, void *arg)
{
	struct life *life = arg;
	size_t i;

	for (i = 0; i < n; i++) {
		if (batch[i].err.code != ERR_NONE)
			continue;
		life->submitted++;
		if (write(life->out, batch[i].id.p, ID_SIZE) != ID_SIZE)
			_exit(3);
	}
}

static void
submit_batch(struct life *life, int run)
{
	size_t i;

	for (i = 0; i < BATCH; i++) {
		memset(life->ids[i], 0, ID_SIZE);
		snprintf(life->ids[i], ID_SIZE, "%d-%d", run, life->number++);
		snprintf(life->bytes[i], sizeof(life->bytes[i]),
			 "{\"id\":\"%s\",\"name\":\"n\"}", life->ids[i]);
		/* The record of some is made of their bytes. */
		life->batch[i] =
		    (struct broker_submit){.queue = "io",
					   .id = slice_of(life->ids[i]),
					   .bytes = slice_of(life->bytes[i]),
					   .derived = i >= BATCH / 2,
					   .priority = (int)i % 2,
					   .delay_ms = i == 3,
					   .record = SLICE("pending"),
					   .flow = slice_of(life->flow)};
	}
	/* Two lives have the same. */
	snprintf(life->blob, sizeof(life->blob), "{\"%d\":\"\"}", run / 2);
	life->batch[2].blob_name = life->batch[2].blob = slice_of(life->blob);
	life->after[0] =
	    (struct broker_after){slice_of(life->ids[0]), BROKER_AFTER_SUCCESS};
	life->after[1] = (struct broker_after){slice_of(life->ids[1]),
					       BROKER_AFTER_COMPLETE};
	life->batch[FIRST_AFTER].after = life->after;
	life->batch[FIRST_AFTER].n_after = 2;
	life->after[2] = (struct broker_after){slice_of(life->ids[FIRST_AFTER]),
					       BROKER_AFTER_FAILURE};
	life->batch[SKIPPED].after = &life->after[2];
	life->batch[SKIPPED].n_after = 1;
	broker_submit(life->broker, life->batch, BATCH, on_submitted, life);
}

/* --- the workflow of a process ------------------------------------------ */

static void
on_answered(struct slice value, const struct err *err, void *arg)
{
	if (err != NULL)
		_exit(5);
	((struct life *)arg)->answered = true;
}

static void
on_called_back(struct broker_submit *batch, size_t n, void *arg)
{
	on_answered(batch[0].id,
		    batch[0].err.code != ERR_NONE ? &batch[0].err : NULL, arg);
}

static void
begin_flow(struct life *life, int run)
{
	const struct flow_begin begin = {
	    .id = slice_of(life->flow), .whole = run % 4 == 1, .life_s = 3600};
	struct broker_submit *task = &life->batch[0];

	broker_flow_begin(life->broker, &begin, on_answered, life);
	UNTIL(&w, life->answered);
	life->answered = false;
	snprintf(life->ids[0], ID_SIZE, "call-%d", run);
	snprintf(life->bytes[0], sizeof(life->bytes[0]),
		 "{\"id\":\"%s\",\"name\":\"n\"}", life->ids[0]);
	*task = (struct broker_submit){.queue = "io",
				       .id = slice_of(life->ids[0]),
				       .bytes = slice_of(life->bytes[0]),
				       .flow = slice_of(life->flow),
				       .role = FLOW_ON_COMPLETE};
	broker_submit(life->broker, task, 1, on_called_back, life);
	UNTIL(&w, life->answered);
}

static void
seal_flow(struct life *life)
{
	life->answered = false;
	broker_flow_seal(life->broker, slice_of(life->flow), on_answered, life);
	UNTIL(&w, life->answered);
}

/* --- a life ----------------------------------------------------------------- */

static void
on_state(bool up, bool final, const struct err *why, void *arg)
{
	(void) final;
	*(bool *)arg = up;
}

static void
on_broker_state(bool up, bool final, const struct err *why, void *arg)
{
	on_state(up, final, why, &((struct life *)arg)->up);
}

static void
on_results_state(bool up, bool final, const struct err *why, void *arg)
{
	on_state(up, final, why, &((struct life *)arg)->results_up);
}

static void
on_idle(void *arg)
{
}

/* Lives until it has done all, or is killed. */
static void
live(int run, int out)
{
	struct life life = {.out = out};
	struct broker_options options = w.options;
	const struct results_options results = {.base = w.base,
						.url = w.url,
						.timeout_ms = 5000,
						.on_state = on_results_state,
						.arg = &life};
	int sent;

	options.worker = "host:w";
	options.token = "token";
	options.predecessor = "";
	options.with_results = true;
	options.on_claim = on_claim;
	options.on_idle = on_idle;
	options.on_state = on_broker_state;
	options.arg = &life;
	life.broker = broker_open(&options, NULL);
	life.results = results_open(&results, NULL);
	UNTIL(&w, life.up && life.results_up);
	broker_want(life.broker, 0, 10);
	if (run % 2)
		snprintf(life.flow, sizeof(life.flow), "flow-%d", run);
	if (life.flow[0] != '\0')
		begin_flow(&life, run);
	for (sent = 0; sent < TASKS; sent += BATCH) {
		submit_batch(&life, run);
		UNTIL(&w, life.submitted == sent + BATCH);
	}
	if (life.flow[0] != '\0')
		seal_flow(&life);
	UNTIL(&w,
	      life.settled >= TASKS / BATCH * SKIPPED + (life.flow[0] != '\0'));
	results_close(life.results);
	broker_close(life.broker);
}

/* --- the one who looks on ---------------------------------------------- */

static char (*acknowledged)[ID_SIZE];
static size_t n_acknowledged;

static void
note(const char id[ID_SIZE])
{
	acknowledged = reallocarray(acknowledged, n_acknowledged + 1, ID_SIZE);
	memcpy(acknowledged[n_acknowledged++], id, ID_SIZE);
}

/*
 * One life: killed by itself at operation `nth` (fault is not SHIM_NONE), or by
 * us when it has acknowledged `patience` tasks. Returns whether it was killed.
 */
static bool
one_life(int run, enum shim_fault fault, int nth, int patience)
{
	char id[ID_SIZE];
	int out[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(out), 0);
	if ((pid = fork()) == 0) {
		event_reinit(w.base);
		close(out[0]);
		if (fault != SHIM_NONE) {
			shim_install();
			shim_fail(fault, nth, 1);
		}
		live(run, out[1]);
		_exit(0);
	}
	close(out[1]);
	while (read(out[0], id, ID_SIZE) == ID_SIZE) {
		note(id);
		if (fault == SHIM_NONE && patience-- == 0)
			kill(pid, SIGKILL);
	}
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL
				      : WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

static bool
is_claimed(const struct party *worker, const char *id)
{
	char bytes[64];
	size_t i;

	snprintf(bytes, sizeof(bytes), "{\"id\":\"%s\",\"name\":\"n\"}", id);
	for (i = 0; i < worker->n_claims; i++)
		if (slice_eq(worker->claims[i]->bytes, slice_of(bytes)))
			return true;
	return false;
}

/* It was skipped, or waits for one that has not ended. */
static bool
is_kept(const char *id, const char *record)
{
	char sql[256];
	int run, number;

	ck_assert_int_eq(sscanf(id, "%d-%d", &run, &number), 2);
	if (strstr(record, "\"reason\":\"skipped\"") != NULL)
		return number % BATCH == SKIPPED;
	snprintf(sql, sizeof(sql),
		 "SELECT count(*) FROM ids i LEFT JOIN results r "
		 "ON r.number = -i.place JOIN waits w "
		 "ON w.number = ifnull(r.task, i.place) WHERE i.id = '%s'",
		 id);
	return stage_sql(&w, sql) > 0;
}

/* What must be 0. */
static const char *const differences[] = {
    /* What counts as waiting waits, and each task is at one place. */
    "SELECT (SELECT sum(size) FROM queues) - (SELECT count(*) FROM waiting) - "
    "(SELECT count(*) FROM delayed)",
    "SELECT (SELECT count(*) FROM tasks) - (SELECT count(*) FROM waiting) - "
    "(SELECT count(*) FROM delayed) - (SELECT count(*) FROM inflight)",
    "SELECT (SELECT sum(delayed) FROM queues) - "
    "(SELECT count(*) FROM delayed)",
    "SELECT (SELECT sum(dead) FROM queues) - (SELECT count(*) FROM dead)",
    /* Each final record has a place of its own, and was counted. */
    "SELECT count(*) FROM results WHERE (final <> 0) <> (number >> 45 <> 0)",
    "SELECT (SELECT succeeded + failed FROM totals) < "
    "(SELECT count(*) FROM results WHERE final)",
    "SELECT max(number & (1 << 45) - 1) > (SELECT succeeded FROM totals) "
    "FROM results WHERE number >> 45 = 1",
    /* Each record is found by its ID, and each ID finds one. */
    "SELECT count(*) FROM results r LEFT JOIN ids i ON i.id = r.id "
    "WHERE i.place IS NOT -r.number",
    "SELECT count(*) FROM ids WHERE place > 0 "
    "AND place NOT IN (SELECT number FROM tasks)",
    "SELECT count(*) FROM ids WHERE place <= 0 "
    "AND -place NOT IN (SELECT number FROM results)",
    /* What is shared is there, and for somebody. */
    "SELECT count(*) FROM blob_uses WHERE blob NOT IN "
    "(SELECT number FROM blobs) OR id NOT IN (SELECT id FROM ids)",
    "SELECT count(*) FROM blobs WHERE number NOT IN "
    "(SELECT blob FROM blob_uses)",
    "SELECT (SELECT count(*) FROM blob_uses) - (SELECT count(*) FROM ids "
    "WHERE id GLOB '*-*' AND substr(id, instr(id, '-') + 1) % 6 = 2)",
    /* What waits has not been told to go on yet, and lies where such tasks do. */
    "SELECT count(*) FROM waits w LEFT JOIN ids i ON i.id = w.after "
    "LEFT JOIN results r ON r.number = -i.place "
    "WHERE (i.id IS NULL AND instr(w.after, ' ') = 0) OR r.final",
    "SELECT (SELECT count(DISTINCT number) FROM waits) - "
    "(SELECT count(*) FROM delayed WHERE due = 253402300799999)",
    /* A workflow knows of each step whether it waits, and how it has ended. */
    "SELECT count(*) FROM flows f WHERE (waiting, released, succeeded, failed, "
    "skipped) <> (SELECT count(*) FILTER (WHERE state = 0), "
    "count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 2), "
    "count(*) FILTER (WHERE state = 3), count(*) FILTER (WHERE state = 4) "
    "FROM steps WHERE flow = f.number AND role = 0)",
    "SELECT (SELECT count(*) FROM steps WHERE state = 0 AND role = 0) - "
    "(SELECT count(DISTINCT number) FROM waits WHERE flow > 0)",
    "SELECT count(*) FROM steps s LEFT JOIN ids i ON i.id = s.id "
    "LEFT JOIN results r ON r.number = -i.place WHERE s.role = 0 "
    "AND (s.state > 1) <> ifnull(r.final, 0)",
    "SELECT count(*) FROM flows WHERE (ended > 0) <> "
    "(state > 0 AND waiting + released = 0)",
    "SELECT count(*) FROM waits w WHERE after LIKE 'seal %' AND EXISTS "
    "(SELECT 1 FROM flows f WHERE f.number = w.flow AND state > 0)",
};

static void
check_integrity(void)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	size_t i;

	ck_assert_int_eq(sqlite3_open(stage_path(&w), &db), 0);
	sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	for (i = 0; i < sizeof(differences) / sizeof(differences[0]); i++)
		ck_assert_msg(stage_sql(&w, differences[i]) == 0, "%s",
			      differences[i]);
}

/* Every task that was acknowledged is finished, or there to be run. */
static void
check_all(void)
{
	struct party *worker = party_open(&w, "host:w");
	struct backend *results = backend_open(&w);
	const char *record;
	size_t i;

	broker_want(worker->broker, 0, 4000);
	party_submit(worker, "last", "{\"id\":\"last\",\"name\":\"n\"}",
		     2000000, 0);
	UNTIL(&w, is_claimed(worker, "last"));
	for (i = 0; i < n_acknowledged; i++) {
		record = backend_get(&w, results, acknowledged[i]);
		ck_assert_msg(record != NULL, "no record of %s",
			      acknowledged[i]);
		if (strcmp(record, "done") != 0)
			ck_assert_msg(is_claimed(worker, acknowledged[i]) ||
					  is_kept(acknowledged[i], record),
				      "%s is lost", acknowledged[i]);
	}
	backend_close(results);
	party_close(worker);
	check_integrity();
}

START_TEST(a_process_cut_at_any_write_loses_nothing)
{
	static const enum shim_fault faults[] = {SHIM_CUT, SHIM_POWER};
	int nth = 1;

	/* What is cut off is chosen above the disk. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	stage_open(&w, KIND_SQLITE);
	/* The file is made by others: else each life would begin with it. */
	party_close(party_open(&w, NULL));
	while (one_life(nth, faults[_i], nth, 0))
		nth++;
	ck_assert_int_gt(nth, 100);
	check_all();
	stage_close(&w);
}
END_TEST

START_TEST(processes_killed_at_random_lose_nothing)
{
	const char *runs = getenv("FLOWRRA_CRASH_RUNS");
	const char *seed = getenv("FLOWRRA_CRASH_SEED");
	int i, n = runs != NULL ? atoi(runs) : 100;
	unsigned int state = seed != NULL ? (unsigned int)atoi(seed) : 20261123;

	printf("crash: %d runs, seed %u\n", n, state);
	stage_open(&w, KIND_SQLITE);
	for (i = 0; i < n; i++) {
		one_life(i, i % 2 ? SHIM_CUT : SHIM_NONE,
			 1 + rand_r(&state) % 200, rand_r(&state) % TASKS);
		if (i % 50 == 49 || i == n - 1)
			check_all();
	}
	stage_close(&w);
}
END_TEST

SUITE("sqlite-crash")
{
	SUITE_TIMEOUT(600);
	TEST_LOOP(a_process_cut_at_any_write_loses_nothing, 0, 2);
	TEST(processes_killed_at_random_lose_nothing);
}
