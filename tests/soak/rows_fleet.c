/* SPDX-License-Identifier: MIT */
/*
 * A fleet: three workers with different modules on the same queues, under a load
 * of all their tasks. Whatever becomes of one of them, nothing is lost, run
 * twice without a reason, falsely recorded, or kept silent.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <flowrra/client.h>

#include "soak/fleet.h"
#include "soak/rows.h"

/* Loads its configuration again, and says that of it. */
static void
reload_worker(struct scene *s, unsigned int i, const char *text)
{
	const size_t before = fleet_count_logged(s->workers[i], text);

	worker_forget_notified(s->workers[i]);
	worker_signal(s->workers[i], SIGHUP);
	worker_notified(s->workers[i], "RELOADING=1");
	worker_notified(s->workers[i], "READY=1");
	fleet_await_logged(s, s->workers[i], text, before);
}

/* --- a deploy that rolls ------------------------------------------------- */

/* Each worker gets the modules of the next. In between, tasks have no worker
 * that knows them. */
static void
fleet_rolls(struct scene *s)
{
	unsigned int round, i;

	fleet_start(s, NULL);
	for (round = 1; round <= times(s, 3, 60); round++) {
		for (i = 0; i < ROLES; i++) {
			scene_sleep_between(s, 100, 500);
			worker_stop(s->workers[i]);
			s->tally->faults++;
			ck_assert_uint_eq(
			    fleet_count_logged(s->workers[i], "stopping"),
			    round);
			scene_configure(
			    s, i,
			    fleet_modules((enum role)((i + round) % ROLES)));
			worker_restart(s->workers[i]);
		}
		verdict_note_records(s);
	}
	fleet_end(s);
}

const struct row row_fleet_roll = {.name = "fleet-roll",
				   .group = "fleet",
				   .fault = "fleet: a deploy that rolls",
				   .brokers = ON_BOTH,
				   .runs = {1, 10},
				   .run = fleet_rolls};

/* --- twins --------------------------------------------------------------- */

/* Tasks of `ms` milliseconds for the workers that have the ledger, before others. */
static void
occupy_ledgers(struct scene *s, unsigned int n, const char *ms)
{
	struct flowrra_request first = FLOWRRA_REQUEST_INIT;

	first.priority = -9;
	for (; n > 0; n--)
		scene_submit(s, n % 4 == 0 ? "ledger_cpu" : "ledger", ms,
			     &first);
}

#define TWIN "exec flowrrad --config worker-1.conf"

/* It ends with 77, and says whose the id is. */
static void
refuse_twin(struct scene *s, const char *options)
{
	s->tally->faults++;
	ck_complains(run(s->world, TWIN " %s", options), 77, "soak:1");
	scene_look(s);
}

/* It has the id of a worker that says nothing for longer than a heartbeat lives;
 * who comes back too late ends. */
static void
replace_frozen(struct scene *s, unsigned int round)
{
	struct worker *first = s->workers[ROLE_LEDGER], *twin;
	struct frozen frozen;
	int64_t begin;

	occupy_ledgers(s, 4, "12000");
	scene_sleep(500);
	fleet_freeze(s, first, &frozen);
	twin = worker_start(s->world,
			    world_text(s->world,
				       TWIN " -o worker.state_dir=%s/heir-%u",
				       world_dir(s->world), round));
	scene_sleep_between(s, 0, 1000);
	verdict_note_records(s);
	fleet_blame_frozen(s, &frozen);
	begin = now_ms();
	worker_signal(first, SIGCONT);
	ck_assert_int_eq(worker_end(first), 77);
	scene_recovered(s, now_ms() - begin);
	ck_assert(worker_logged(first, "another process has the worker ID"));
	s->workers[ROLE_LEDGER] = twin;
}

static void
twins_come(struct scene *s)
{
	unsigned int i;

	fleet_start(s, NULL);
	for (i = 0; i < times(s, 1, 3); i++) {
		scene_sleep_between(s, 100, 1000);
		/* From the same state directory, where both have it. */
		if (i == 0)
			refuse_twin(s, "-o worker.modules=demo");
		refuse_twin(s, world_text(s->world,
					  "-o worker.state_dir=%s/twin-%u",
					  world_dir(s->world), i));
		if (s->broker == SOAK_REDIS)
			replace_frozen(s, i);
		verdict_note_records(s);
	}
	fleet_end(s);
}

const struct row row_fleet_twin = {.name = "fleet-twin",
				   .group = "fleet",
				   .fault = "fleet: a second worker of one id",
				   .brokers = ON_BOTH,
				   .runs = {0, 10},
				   /* kill_grace, and some. */
				   .limit_ms = 5000,
				   .run = twins_come};

/* --- freezes ------------------------------------------------------------- */

/* Begun here, or taken over and begun there. */
static unsigned int
count_twice(struct scene *s)
{
	size_t i, n = ledger_count(s->ledger);
	unsigned int twice = 0;

	for (i = 0; i < n; i++)
		twice += (ledger_task_at(s->ledger, i)->traits &
			  TRAIT_RETRIES) == 0 &&
			 ledger_task_at(s->ledger, i)->n > 1;
	return twice;
}

/* That tasks of its own were another's when it came back. */
static bool
tells_of_lost(struct worker *k)
{
	return worker_logged(k, "another worker has taken it over") ||
	       worker_logged(k, "has another final record already");
}

/* The verbs show which workers say nothing, and what cannot run. */
static void
expect_named(struct scene *s)
{
	const struct run *r =
	    run(s->world, "exec flowrractl -c worker-0.conf workers");

	ck_assert_msg(strstr(r->out, "soak:1\tdead") != NULL, "%s", r->out);
	ck_assert_msg(strstr(r->out, "soak:2\tdead") != NULL, "%s", r->out);
	r = run(s->world, "exec flowrractl -c worker-0.conf health");
	ck_assert_int_eq(r->status, 69);
	ck_assert_msg(strstr(r->out, "no living worker has task "
				     "\"ledger_command\"") != NULL,
		      "%s", r->out);
}

/*
 * On Redis, who says nothing for two lives of a heartbeat is dead: its tasks are
 * taken over, and when it comes back it must drop them. In the embedded database
 * it is alive as long as it holds its lock.
 */
static void
fleet_freezes(struct scene *s)
{
	struct frozen frozen, other;
	unsigned int i;

	fleet_start(s, &(struct fleet_options){.standby = true});
	for (i = 0; i < times(s, 1, 5); i++) {
		/* More than one worker can run: the one to freeze has some. */
		occupy_ledgers(s, 16, "3000");
		scene_sleep_between(s, 500, 1500);
		fleet_freeze(s, s->workers[ROLE_LEDGER], &frozen);
		fleet_freeze(s, s->workers[ROLE_COMMANDS], &other);
		scene_sleep_between(s, 25000, 28000);
		expect_named(s);
		verdict_note_records(s);
		if (s->broker == SOAK_REDIS) {
			fleet_blame_frozen(s, &frozen);
			fleet_blame_frozen(s, &other);
		}
		worker_signal(s->workers[ROLE_LEDGER], SIGCONT);
		worker_signal(s->workers[ROLE_COMMANDS], SIGCONT);
		scene_sleep_between(s, 1000, 2000);
		if (s->broker == SOAK_REDIS) {
			ck_assert_uint_gt(count_twice(s), 0);
			verdict_note_records(s);
			SCENE_WAIT_WITHIN(
			    s, PATIENCE_MS,
			    tells_of_lost(s->workers[ROLE_LEDGER]));
		}
	}
	fleet_end(s);
}

const struct row row_fleet_freeze = {.name = "fleet-freeze",
				     .group = "fleet",
				     .fault = "fleet: SIGSTOP beyond two lives",
				     .brokers = ON_BOTH,
				     .runs = {0, 5},
				     .run = fleet_freezes};

/* --- logs that nobody reads ---------------------------------------------- */

#define FLOODS 4
#define STALLED(n) "mkfifo log-" #n "; exec 2<>log-" #n "; "

/* Tasks that print for their lives. */
static void
flood_log(struct scene *s)
{
	unsigned int i;

	for (i = 0; i < FLOODS; i++)
		scene_submit(s, "misbehave", "\"flood\"", NULL);
}

/* Whether each task that failed at first has a line there that says so. */
static bool
names_all_failed(struct scene *s, const char *log)
{
	const struct ledger_task *e;
	size_t i, n = ledger_count(s->ledger);

	for (i = 0; i < n; i++) {
		e = ledger_task_at(s->ledger, i);
		if (e->acknowledged && (e->traits & TRAIT_RETRIES) != 0 &&
		    strstr(log, e->id) == NULL)
			return false;
	}
	return true;
}

/* Somebody reads at last: nothing is missing, or a line says how much is. */
static void
read_log(struct scene *s, unsigned int i)
{
	const char *path = world_text(s->world, "read-%u", i), *log;
	const int64_t deadline = now_ms() + PATIENCE_MS;
	unsigned int turn = 0;

	run_start(s->world, "exec cat log-%u >%s", i, path);
	do {
		scene_look(s);
		log = world_read(s->world, path);
		if (strstr(log, "log lines are lost") != NULL ||
		    (strstr(log, "reloaded") != NULL &&
		     (i != ROLE_LEDGER || names_all_failed(s, log))))
			return;
	} while (wait_a_moment(deadline, &turn));
	ck_abort_msg("log %u lacks lines, and does not say so", i);
}

static void
logs_stall(struct scene *s)
{
	unsigned int i, round;
	int64_t begin;

	fleet_start(s, &(struct fleet_options){
			   .worker = "log_level = debug\n",
			   .commands = {STALLED(0), STALLED(1), STALLED(2)}});
	for (round = 0; round < times(s, 1, 10); round++) {
		s->tally->faults += ROLES;
		flood_log(s);
		scene_sleep_between(s, 4000, 6000);
		begin = now_ms();
		for (i = 0; i < ROLES; i++) {
			worker_forget_notified(s->workers[i]);
			worker_signal(s->workers[i], SIGHUP);
			worker_notified(s->workers[i], "RELOADING=1");
			worker_notified(s->workers[i], "READY=1");
		}
		scene_await_start(s, begin);
		verdict_note_records(s);
	}
	load_stop(s);
	SCENE_WAIT_WITHIN(s, 2 * PATIENCE_MS, scene_left(s) == 0);
	for (i = 0; i < ROLES; i++)
		read_log(s, i);
	fleet_end(s);
}

const struct row row_fleet_log = {.name = "fleet-log",
				  .group = "fleet",
				  .fault = "fleet: logs that nobody reads",
				  .brokers = ON_BOTH,
				  .runs = {0, 5},
				  .limit_ms = 5000,
				  .run = logs_stall};

/* --- short limits -------------------------------------------------------- */

/* More commands than there are descriptors for. */
static void
burst_of_commands(struct scene *s)
{
	unsigned int i;

	for (i = 0; i < 100; i++)
		scene_submit(s, "ledger_command", "400", NULL);
	s->tally->faults++;
}

static void
limits_are_short(struct scene *s)
{
	static const char limit[] = "raise LimitNOFILE";
	unsigned int i;

	fleet_start(s, &(struct fleet_options){
			   .commands = {NULL, NULL, "ulimit -n 64; "}});
	for (i = 0; i < times(s, 2, 20); i++) {
		burst_of_commands(s);
		scene_sleep_between(s, 1000, 3000);
		verdict_note_records(s);
	}
	fleet_await_logged(s, s->workers[ROLE_COMMANDS], limit, 0);
	fleet_end(s);
}

const struct row row_fleet_short = {.name = "fleet-short",
				    .group = "fleet",
				    .fault =
					"fleet: 64 files for many commands",
				    .brokers = ON_BOTH,
				    .runs = {0, 5},
				    .run = limits_are_short};

/* --- executors that stop, and that crash --------------------------------- */

/* Any of the worker's, as long as it has a task: who has none is not missed. */
static void
stop_executor(struct scene *s, struct worker *k)
{
	const size_t before = fleet_count_logged(k, "does not answer");
	const int64_t since_us = now_ms() * 1000;
	pid_t children[CHILDREN_MAX], victim;
	size_t n = children_of(worker_pid(k), children);

	if (n == 0)
		return;
	victim = children[rng_between(&s->rng, 0, (int64_t)n - 1)];
	kill(victim, SIGSTOP);
	s->tally->faults++;
	SCENE_WAIT_WITHIN(s, PATIENCE_MS, is_gone(victim));
	ledger_fault_since(s->ledger, victim, CAUSE_STUCK, since_us);
	fleet_await_logged(s, k, "does not answer", before);
}

static void
crash_executor(struct scene *s)
{
	static const struct {
		const char *how, *end;
	} crashes[] = {{"segv", "SIGSEGV"},
		       {"abort", "SIGABRT"},
		       {"exit", "ended its process"}};
	const size_t i = (size_t)rng_between(&s->rng, 0, 2);
	const bool cpu = rng_between(&s->rng, 0, 3) == 0;
	const char *id =
	    scene_submit(s, cpu ? "misbehave_cpu" : "misbehave",
			 world_text(s->world, "\"%s\"", crashes[i].how), NULL);

	s->tally->faults++;
	SCENE_WAIT_WITHIN(
	    s, PATIENCE_MS,
	    scene_is_dead(s, cpu ? "cpu" : "io", id, crashes[i].end));
	ck_assert(worker_logged(s->workers[ROLE_LEDGER], id));
}

/* Tasks of the demo are in the executors that crash, too. */
static void
add_neighbours(struct scene *s)
{
	scene_configure(
	    s, ROLE_LEDGER,
	    world_text(s->world, "modules = demo %s\n",
		       world_built(s->world, "tests/modules/ledger.so")));
	reload_worker(s, ROLE_LEDGER, "reloaded");
}

static void
executors_fail(struct scene *s)
{
	unsigned int i, j;

	fleet_start(s, &(struct fleet_options){
			   .config = "[executor]\nstuck_grace = 2s\n"});
	add_neighbours(s);
	s->may_die = true;
	for (i = 0; i < times(s, 3, 30); i++) {
		scene_sleep_between(s, 0, 500);
		stop_executor(s, s->workers[i % ROLES]);
		for (j = 0; j < 3; j++)
			crash_executor(s);
		verdict_note_records(s);
	}
	fleet_end(s);
}

const struct row row_fleet_executor = {.name = "fleet-executor",
				       .group = "fleet",
				       .fault =
					   "fleet: executors stop, and crash",
				       .brokers = ON_BOTH,
				       .runs = {1, 10},
				       .run = executors_fail};

/* --- reloads that are refused -------------------------------------------- */

/* What a reload refuses, by the worker that it is for, and what it says. */
static const struct broken {
	const char *modules, *reason;
} brokens[] = {
    {"no_entry", "no_entry.so"},
    {"bad_init", "no licence for the moon"},
    {"old_abi", "old_abi.so"},
    {NULL, "comand"},
};
#define N_BROKENS (sizeof(brokens) / sizeof(brokens[0]))

static void
break_worker(struct scene *s, unsigned int i, const struct broken *b)
{
	const char *modules = fleet_modules((enum role)i);
	const size_t before = fleet_count_logged(s->workers[i], b->reason);

	if (b->modules == NULL)
		modules = world_text(
		    s->world, "%s[task mistyped]\ncomand = x\n", modules);
	else
		modules = world_text(
		    s->world, "modules = %s\n%s",
		    world_built(s->world,
				world_text(s->world, "tests/modules/%s.so",
					   b->modules)),
		    i == ROLE_COMMANDS ? modules : "");
	scene_configure(s, i, modules);
	s->tally->faults++;
	reload_worker(s, i, "reload failed");
	fleet_await_logged(s, s->workers[i], b->reason, before);
}

static void
reloads_fail(struct scene *s)
{
	unsigned int round, i;
	int64_t begin;

	fleet_start(s, NULL);
	for (round = 0; round < times(s, 3, 40); round++) {
		for (i = 0; i < ROLES; i++) {
			scene_sleep_between(s, 0, 300);
			break_worker(s, i, &brokens[(round + i) % N_BROKENS]);
		}
		/* All go on with what they had. */
		begin = now_ms();
		scene_await_ends(s, begin, 50);
		for (i = 0; i < ROLES; i++) {
			scene_configure(s, i, fleet_modules((enum role)i));
			reload_worker(s, i, "reloaded");
		}
		verdict_note_records(s);
	}
	fleet_end(s);
}

const struct row row_fleet_reload = {.name = "fleet-reload",
				     .group = "fleet",
				     .fault =
					 "fleet: reloads of broken modules",
				     .brokers = ON_BOTH,
				     .runs = {1, 10},
				     .run = reloads_fail};
