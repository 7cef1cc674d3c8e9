/* SPDX-License-Identifier: MIT */
/*
 * Crontabs against cron(8) itself: the one of Debian runs through days in seconds
 * (shims/cron_shim.c), and says when it would run each line; schedules that were
 * imported from the same lines have to fire then, and at no other time.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beat/rule.h"
#include "manager/crontabs.h"
#include "suite.h"

#define CRON "/usr/sbin/cron"
#define MINUTE_S 60
#define DAY_S 86400
#define NOON_S (PLANNER_NOON_US / S)
#define JOBS_MAX 64
#define RUNS_MAX 8192

/* A line of a crontab: the words that say when, and when cron ran it. */
struct cron_job {
	char when[128];
	int n;
	int64_t runs_s[RUNS_MAX]; /* full minutes */
};
static struct cron_job jobs[JOBS_MAX];
static int n_jobs;

/* --- lines ------------------------------------------------------------------ */

/* Some run a thousand times in a few days; the others are worth months. */
static bool
is_frequent(const char *when)
{
	const char *hour = strchr(when, ' ');

	return strncmp(when, "@hourly", 7) == 0 ||
	       (when[0] != '@' &&
		(strcspn(when, "*,-/") < strcspn(when, " \t") ||
		 strcspn(hour + 1, "*-/") < strcspn(hour + 1, " \t")));
}

/* One word, or five; with single blanks between. */
static void
add_job(const char *line, bool frequent)
{
	struct cron_job *job = &jobs[n_jobs];
	size_t len = 0, words = *line == '@' ? 1 : 5;

	ck_assert_int_lt(n_jobs, JOBS_MAX);
	for (; words > 0; words--) {
		line += strspn(line, " \t");
		while (*line != '\0' && *line != ' ' && *line != '\t')
			job->when[len++] = *line++;
		job->when[len++] = words > 1 ? ' ' : '\0';
	}
	job->n = 0;
	if (is_frequent(job->when) == frequent)
		n_jobs++;
}

static void
add_jobs(bool frequent)
{
	const char *p, *line;
	size_t i;

	n_jobs = 0;
	for (i = 0; i < CRONTAB_N_STOCK; i++)
		for (p = crontab_stock[i].text;
		     (line = crontab_next_job(&p)) != NULL;)
			add_job(line, frequent);
	for (i = 0; i < CRONTAB_N_DAYS; i++)
		add_job(crontab_days[i], frequent);
}

/* --- cron ------------------------------------------------------------------- */

static const char *
in_root(const char *root, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s%s", root, name);
	return path;
}

static void
make_root(char root[static 64])
{
	static const char *const dirs[] = {"/etc",
					   "/etc/cron.d",
					   "/var",
					   "/var/spool",
					   "/var/spool/cron",
					   "/var/spool/cron/crontabs",
					   "/var/run",
					   "/run"};
	FILE *f;
	size_t i;
	int job;

	strcpy(root, "/tmp/flowrra-cron-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		ck_assert_int_eq(mkdir(in_root(root, dirs[i]), 0755), 0);
	f = fopen(in_root(root, "/etc/crontab"), "w");
	ck_assert_ptr_nonnull(f);
	for (job = 0; job < n_jobs; job++)
		fprintf(f, "%s root job%d\n", jobs[job].when, job);
	ck_assert_int_eq(fclose(f), 0);
	/* It believes no file that others may write to. */
	ck_assert_int_eq(chmod(in_root(root, "/etc/crontab"), 0644), 0);
}

static void
remove_root(const char *root)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0);
}

static void
run_cron(const char *root, int64_t to_s)
{
	char preload[512], env_root[128], from[64], to[64];
	char utc[] = "TZ=UTC";
	char *const env[] = {preload, env_root, from, to, utc, NULL};
	int status;
	pid_t pid;

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s/tests/shims/%s",
		 getenv("BUILD_DIR"), "cron_shim.so");
	snprintf(env_root, sizeof(env_root), "CRON_ROOT=%s", root);
	snprintf(from, sizeof(from), "CRON_FROM=%lld", (long long)NOON_S);
	snprintf(to, sizeof(to), "CRON_TO=%lld", (long long)to_s);
	if ((pid = fork()) == 0) {
		execle(CRON, "cron", "-f", NULL, env);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      CRON " ended with status %x", (unsigned int)status);
}

/* "1795435501 (root) CMD (job3)": a second behind the full minute. */
static void
read_log(const char *root)
{
	FILE *f = fopen(in_root(root, "/log"), "r");
	char line[1024];
	long long at;
	int job;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		ck_assert_msg(strstr(line, "rror") == NULL &&
				  strstr(line, "bad ") == NULL,
			      "%s", line);
		if (sscanf(line, "%lld (root) CMD (job%d)", &at, &job) != 2)
			continue;
		ck_assert(job >= 0 && job < n_jobs);
		ck_assert_int_lt(jobs[job].n, RUNS_MAX);
		jobs[job].runs_s[jobs[job].n++] = at / MINUTE_S * MINUTE_S;
	}
	fclose(f);
}

/* --- what is imported ------------------------------------------------------- */

/* From behind noon up to that time, which cron does not come to. */
static void
ck_fires_as_cron(const struct cron_job *job, int64_t to_s)
{
	struct tz_set *zones = tz_set_new(NULL, NULL);
	struct schedule_fault fault;
	struct schedule_draft draft;
	struct err err = ERR_INIT;
	struct rule rule;
	char line[160];
	int64_t at_us;
	int i;

	snprintf(line, sizeof(line), "%s root job\n", job->when);
	crontab_read("/etc/crontab", true, line);
	ck_assert_msg(crontab.file.n == 1, "%s: %s", line, crontab.refused);
	ck_assert_int_eq(schedule_draft(&crontab.file.entries[0].form, NULL,
					PLANNER_NOON_US, &draft, &fault, &err),
			 0);
	ck_assert_int_eq(rule_read(&draft.schedule, zones, &rule, NULL, &err),
			 0);
	at_us = draft.schedule.next_run_us;
	for (i = 0; at_us != 0 && at_us < to_s * S; i++) {
		ck_assert_msg(i < job->n && job->runs_s[i] * S == at_us,
			      "%s: fires at %lld, and cron runs it at %lld",
			      job->when, (long long)(at_us / S),
			      (long long)(i < job->n ? job->runs_s[i] : 0));
		at_us = rule_next(&rule, at_us);
	}
	ck_assert_msg(i == job->n, "%s: cron runs it at %lld, too", job->when,
		      (long long)(i < job->n ? job->runs_s[i] : 0));
	tz_set_free(zones);
}

/* Lines that run often, for two days; those that do not, until the summer. */
START_TEST(imported_crontabs_fire_when_cron_runs_them)
{
	const int64_t to_s = NOON_S + (_i == 0 ? 2 : 200) * (int64_t)DAY_S;
	char root[64];
	int job, runs = 0;

	if (access(CRON, X_OK) != 0) {
		ck_assert_msg(access("/etc/debian_version", F_OK) != 0,
			      CRON " is missing: run .ci/deps test");
		return; /* other systems have other crons */
	}
	add_jobs(_i == 0);
	ck_assert_int_gt(n_jobs, 7);
	make_root(root);
	run_cron(root, to_s);
	read_log(root);
	remove_root(root);
	for (job = 0; job < n_jobs; job++) {
		ck_fires_as_cron(&jobs[job], to_s);
		runs += jobs[job].n;
	}
	ck_assert_int_gt(runs, 1000);
}
END_TEST

SUITE("crontab-daemon")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(imported_crontabs_fire_when_cron_runs_them, 0, 2);
}
