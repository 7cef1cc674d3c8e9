/* SPDX-License-Identifier: MIT */
/*
 * The campaign: runs every row of faults on every broker that it applies to,
 * and prints what came of it.
 *
 *	campaign [--long|--short] [--seed N] [--jobs N] [--broker NAME]
 *	    [--run N] [--list] [ROW|GROUP...]
 *
 * The seed is always the same unless another is given; each run derives its own
 * from it, the row's name, the broker and its number, so that any run can be
 * repeated alone. Exits with 0 if every promise was kept.
 */
#include <check.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "soak/command.h"
#include "soak/rows.h"
#include "soak/table.h"

#define SEED 20261123
#define RUN_S 240
#define LONG_RUN_S 3600

static const struct row *const rows[] = {
#define X(name) &row_##name,
    ROWS(X)
#undef X
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static const char *const broker_names[SOAK_BROKERS] = {
    [SOAK_REDIS] = "redis", [SOAK_SQLITE] = "sqlite"};

static struct {
	uint64_t seed;
	unsigned int jobs;
	bool thorough;
	int broker; /* -1: all */
	int run;    /* -1: all */
	char **rows;
	int n_rows; /* 0: all */
} options = {.seed = SEED, .jobs = 3, .broker = -1, .run = -1};

/* --- one run ------------------------------------------------------------- */

/* What the test of this process is to do. */
static struct job *the_job;

START_TEST(nothing_is_lost)
{
	const struct job *j = the_job;
	struct scene s = {.row = j->row,
			  .broker = j->broker,
			  .thorough = options.thorough,
			  .tally = j->tally,
			  .rng.state = options.seed ^ hash_text(j->row->name) ^
				       (uint64_t)j->broker << 32 ^
				       (uint64_t)j->run << 40};

	j->row->run(&s);
}
END_TEST

/* In a process of its own: an srunner is not made for several at a time. */
__attribute__((noreturn)) static void
run_job(struct job *j)
{
	Suite *suite = suite_create(j->row->name);
	TCase *tcase = tcase_create(j->row->name);
	SRunner *runner = srunner_create(suite);
	TestResult **failures;

	the_job = j;
	tcase_set_timeout(tcase, options.thorough ? LONG_RUN_S : RUN_S);
	tcase_add_test(tcase, nothing_is_lost);
	suite_add_tcase(suite, tcase);
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_SILENT);
	if (srunner_ntests_failed(runner) > 0) {
		failures = srunner_failures(runner);
		snprintf(j->tally->failure, sizeof(j->tally->failure),
			 "%s:%d: %s", tr_lfile(failures[0]),
			 tr_lno(failures[0]), tr_msg(failures[0]));
	}
	_exit(srunner_ntests_failed(runner) > 0);
}

static void
start_job(struct job *j)
{
	const pid_t parent = getpid();

	fflush(NULL);
	j->pid = fork();
	if (j->pid < 0)
		abort();
	if (j->pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	run_job(j);
}

static void
end_job(struct job *jobs, size_t n)
{
	int status;
	pid_t pid = wait(&status);
	size_t i;

	for (i = 0; i < n; i++) {
		if (jobs[i].pid != pid)
			continue;
		jobs[i].failed = status != 0;
		if (jobs[i].failed)
			printf("FAILED: %s --seed %llu --broker %s --run %u%s "
			       "%s\n\t%s\n",
			       "campaign", (unsigned long long)options.seed,
			       broker_names[jobs[i].broker], jobs[i].run,
			       options.thorough ? " --long" : "",
			       jobs[i].row->name, jobs[i].tally->failure);
		return;
	}
}

/* Some run alone, since they measure; the others beside one another. */
static void
run_jobs(struct job *jobs, size_t n, bool alone)
{
	const unsigned int most = alone ? 1 : options.jobs;
	unsigned int running = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (jobs[i].row->alone != alone)
			continue;
		if (running == most) {
			end_job(jobs, n);
			running--;
		}
		start_job(&jobs[i]);
		running++;
	}
	for (; running > 0; running--)
		end_job(jobs, n);
}

/* --- the plan ------------------------------------------------------------ */

static bool
is_wanted(const struct row *row, enum soak_broker broker)
{
	int i;

	if (!row->brokers[broker] ||
	    (options.broker >= 0 && options.broker != (int)broker))
		return false;
	for (i = 0; i < options.n_rows; i++)
		if (strcmp(options.rows[i], row->name) == 0 ||
		    (row->group != NULL &&
		     strcmp(options.rows[i], row->group) == 0))
			return true;
	return options.n_rows == 0;
}

static size_t
plan_row(struct job *jobs, const struct row *row, enum soak_broker broker)
{
	unsigned int i, first = 0, end = row->runs[options.thorough];
	size_t n = 0;

	if (end == 0 && options.n_rows > 0)
		end = 1;
	if (options.run >= 0) {
		first = (unsigned int)options.run;
		end = first + 1;
	}
	for (i = first; i < end; i++)
		jobs[n++] = (struct job){
		    .row = row,
		    .broker = broker,
		    .run = i,
		    .tally =
			mmap(NULL, sizeof(struct tally), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
	return n;
}

#define JOBS_MAX 2000
static size_t
plan(struct job jobs[JOBS_MAX])
{
	enum soak_broker broker;
	size_t n = 0, i;

	for (i = 0; i < N_ROWS; i++)
		for (broker = 0; broker < SOAK_BROKERS; broker++)
			if (is_wanted(rows[i], broker))
				n += plan_row(jobs + n, rows[i], broker);
	return n;
}

/* --- the command line ---------------------------------------------------- */

static void
list_rows(void)
{
	size_t i;

	for (i = 0; i < N_ROWS; i++)
		printf("%-14s %s\n", rows[i]->name, rows[i]->fault);
	exit(EXIT_SUCCESS);
}

static int
broker_named(const char *name)
{
	int i;

	for (i = 0; i < SOAK_BROKERS; i++)
		if (strcmp(broker_names[i], name) == 0)
			return i;
	fprintf(stderr, "campaign: no broker is called %s\n", name);
	exit(64);
}

static void
read_options(int argc, char **argv)
{
	static const struct option known[] = {
	    {"long", no_argument, NULL, 'l'},
	    {"short", no_argument, NULL, 'S'},
	    {"seed", required_argument, NULL, 's'},
	    {"jobs", required_argument, NULL, 'j'},
	    {"broker", required_argument, NULL, 'b'},
	    {"run", required_argument, NULL, 'r'},
	    {"list", no_argument, NULL, 'L'},
	    {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'l':
			options.thorough = true;
			break;
		case 'S':
			options.thorough = false;
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 10);
			break;
		case 'j':
			options.jobs = (unsigned int)atoi(optarg);
			break;
		case 'b':
			options.broker = broker_named(optarg);
			break;
		case 'r':
			options.run = atoi(optarg);
			break;
		case 'L':
			list_rows();
			break;
		default:
			exit(64);
		}
	}
	options.rows = argv + optind;
	options.n_rows = argc - optind;
}

int
main(int argc, char **argv)
{
	static struct job jobs[JOBS_MAX];
	size_t n;

	if (argc == 4 && strcmp(argv[1], COMMAND_OPTION) == 0)
		return command_run(argv[2], argv[3]);
	read_options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	n = plan(jobs);
	if (n == 0) {
		fprintf(stderr, "campaign: nothing to run; see --list\n");
		return 64;
	}
	printf("Soak campaign, %s form: %zu runs, seed %llu\n",
	       options.thorough ? "long" : "short", n,
	       (unsigned long long)options.seed);
	run_jobs(jobs, n, true);
	run_jobs(jobs, n, false);
	table_print(jobs, n, broker_names);
	return table_summary(jobs, n) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
