/* SPDX-License-Identifier: MIT */
/* Crontabs: those of a stock Debian, and what cron(8) understands. What they
 * fire is compared with a reading of cron's own rules, written again here. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "beat/rule.h"
#include "manager/crontabs.h"
#include "suite.h"
#include "util/conf.h"
#include "util/conf_task.h"

#define DAY_US (86400 * S)

/* --- cron's own rules ------------------------------------------------------ */

/* What entry.c of cron(8) keeps of a line. */
struct cron_entry {
	bool minute[60], hour[24], day[32], month[13], weekday[8];
	bool day_star, weekday_star;
};

static int
cron_number(const char **p, const char *const *names, int first)
{
	int i;

	for (i = 0; isalpha((unsigned char)**p) && names[i] != NULL; i++)
		if (strncasecmp(*p, names[i], 3) == 0) {
			*p += 3;
			return first + i;
		}
	return (int)strtol(*p, (char **)(uintptr_t)p, 10);
}

static const char *const no_names[] = {NULL};
static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may",
					  "jun", "jul", "aug", "sep", "oct",
					  "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed",
					"thu", "fri", "sat", NULL};

/* get_list() and get_range(). */
static const char *
cron_list(const char *p, bool *set, int low, int high, const char *const *names,
	  int first)
{
	int from, to, step;

	for (p += strspn(p, " \t");; p++) {
		step = 1;
		if (*p == '*') {
			from = low;
			to = high;
			p++;
		} else {
			from = to = cron_number(&p, names, first);
			if (*p == '-') {
				p++;
				to = cron_number(&p, names, first);
			}
		}
		if (*p == '/')
			step = (int)strtol(p + 1, (char **)(uintptr_t)&p, 10);
		for (; from <= to; from += step)
			set[from] = true;
		if (*p != ',')
			return p;
	}
}

static struct cron_entry
cron_entry_of(const char *line)
{
	static const char *const nicknames[][2] = {
	    {"@yearly", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
	    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},
	    {"@hourly", "0 * * * *"},
	};
	struct cron_entry e = {.day_star = false};
	const char *p = line;
	size_t i;

	for (i = 0; i < sizeof(nicknames) / sizeof(nicknames[0]); i++)
		if (strncmp(line, nicknames[i][0], strlen(nicknames[i][0])) ==
		    0)
			p = nicknames[i][1];
	p = cron_list(p, e.minute, 0, 59, no_names, 0);
	p = cron_list(p, e.hour, 0, 23, no_names, 0);
	p += strspn(p, " \t");
	e.day_star = *p == '*';
	p = cron_list(p, e.day, 1, 31, no_names, 0);
	p = cron_list(p, e.month, 1, 12, month_names, 1);
	p += strspn(p, " \t");
	e.weekday_star = *p == '*';
	cron_list(p, e.weekday, 0, 7, day_names, 0);
	e.weekday[0] = e.weekday[0] || e.weekday[7];
	return e;
}

/* find_jobs(): with a star in one of the day fields both have to match. */
static bool
cron_runs(const struct cron_entry *e, int64_t at_us)
{
	const time_t at = (time_t)(at_us / S);
	struct tm tm;
	bool day, weekday;

	gmtime_r(&at, &tm);
	day = e->day[tm.tm_mday];
	weekday = e->weekday[tm.tm_wday];
	return e->minute[tm.tm_min] && e->hour[tm.tm_hour] &&
	       e->month[tm.tm_mon + 1] &&
	       (e->day_star || e->weekday_star ? day && weekday
					       : day || weekday);
}

/* All runs of a year, and of no more than some thousands. */
static void
ck_runs_as_cron(const struct schedule_form *form, const char *line)
{
	const struct cron_entry e = cron_entry_of(line);
	struct tz_set *zones = tz_set_new(NULL, NULL);
	int64_t at = PLANNER_NOON_US, next;
	struct schedule_fault fault;
	struct schedule_draft draft;
	struct err err = ERR_INIT;
	struct rule rule;
	int n = 0;

	ck_assert_int_eq(
	    schedule_draft(form, NULL, PLANNER_NOON_US, &draft, &fault, &err),
	    0);
	ck_assert_int_eq(rule_read(&draft.schedule, zones, &rule, NULL, &err),
			 0);
	next = draft.schedule.next_run_us;
	for (at += 60 * S; at < PLANNER_NOON_US + 400 * DAY_US && n < 3000;
	     at += 60 * S) {
		if (!cron_runs(&e, at))
			continue;
		ck_assert_msg(next == at, "%s: %lld s instead of %lld", line,
			      (long long)(next / S), (long long)(at / S));
		next = rule_next(&rule, next);
		n++;
	}
	ck_assert_msg(n > 0, "%s: never", line);
	tz_set_free(zones);
}

/* --- stock crontabs -------------------------------------------------------- */

/* Writes the sections into a file and loads it as a worker does. */
static struct conf *
load_sections(char path[64])
{
	struct err err = ERR_INIT;
	struct conf *conf;
	int fd;

	strcpy(path, "/tmp/flowrra-crontab-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_eq(write(fd, crontab.tasks.data, crontab.tasks.len),
			 (ssize_t)crontab.tasks.len);
	close(fd);
	ck_assert_msg(conf_load(path, NULL, &conf, &err) == 0, "%s", err.msg);
	unlink(path);
	return conf;
}

START_TEST(stock_crontabs_run_when_cron_runs_them)
{
	const char *p, *line, *task;
	char path[64];
	struct conf *conf;
	size_t i, n;

	for (i = 0; i < CRONTAB_N_STOCK; i++) {
		crontab_read(crontab_stock[i].path, true,
			     crontab_stock[i].text);
		ck_assert_str_eq(crontab.refused, "");
		p = crontab_stock[i].text;
		for (n = 0; (line = crontab_next_job(&p)) != NULL; n++) {
			ck_assert_uint_lt(n, crontab.file.n);
			ck_runs_as_cron(&crontab.file.entries[n].form, line);
		}
		ck_assert_uint_eq(n, crontab.file.n);
		conf = load_sections(path);
		ck_assert_uint_eq(conf->n_tasks, n);
		for (n = 0; n < crontab.file.n; n++) {
			task = crontab.file.entries[n].form.task;
			ck_assert_str_eq(conf->tasks[n]->name, task);
			ck_assert_str_eq(conf->tasks[n]->user,
					 i == 8 ? "munin" : "root");
			ck_assert_int_eq(conf->tasks[n]->max_retries, 0);
		}
		conf_free(conf);
	}
	ck_assert_str_eq(crontab.noted, "");
	crontab_read(crontab_stock[8].path, true, crontab_stock[8].text);
	ck_assert_ptr_nonnull(strstr(crontab.noted, "1: MAILTO is not taken"));
}
END_TEST

START_TEST(day_fields_match_as_in_cron)
{
	size_t i;

	for (i = 0; i < CRONTAB_N_DAYS; i++) {
		crontab_read("mine", false, crontab_days[i]);
		ck_assert_msg(crontab.file.n == 1, "%s: %s", crontab_days[i],
			      crontab.refused);
		ck_runs_as_cron(&crontab.file.entries[0].form, crontab_days[i]);
	}
}
END_TEST

START_TEST(what_cannot_be_taken_is_named_with_its_line)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
	    {"@reboot root echo", "no start of the machine"},
	    {"@every 5m root echo", "no such nickname"},
	    {"0 25 * * * root echo", "write 0 to 23"},
	    {"0 9 * * root", "no such name"},
	    {"5/10 * * * * root echo", "write a range"},
	    {"0,5/10 * * * * root echo", "write a range"},
	    {"0~30 * * * * root echo", "random"},
	    {"H * * * * root echo", "no such name"},
	    {"0 0 L * * root echo", "no such name"},
	    {"0 0 ? * * root echo", "no such sign"},
	    {"0 0 * * 1#2 root echo", "no such sign"},
	    {"0 0 30 2 * root echo", "never fires"},
	    {"0 0 * * * root", "missing"},
	    {"0 0 * * *", "missing"},
	    {"0 0 *", "fewer than five"},
	    {"0 0 * * * root echo \x01", "control"},
	};
	char text[256];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "# one\n\n%s\n0 9 * * * root ok\n",
			 cases[i].line);
		crontab_read("/etc/crontab", true, text);
		ck_assert_msg(strncmp(crontab.refused, "3: ", 3) == 0 &&
				  strstr(crontab.refused, cases[i].why) != NULL,
			      "%s: %s", cases[i].line, crontab.refused);
		ck_assert_uint_eq(crontab.import.refused, 1);
		/* The others are taken, and only they have a section. */
		ck_assert_uint_eq(crontab.file.n, 1);
		ck_assert_ptr_null(strstr(crontab.tasks.data, ":3\n"));
	}
}
END_TEST

START_TEST(variables_hold_for_the_lines_below)
{
	crontab_read("mine", false,
		     "0 1 * * * one\n"
		     "PATH = \"/opt/bin:/bin\"\n"
		     "'NAME' = it's ; {x}  \n"
		     "CRON_TZ=Asia/Tokyo\n"
		     "RANDOM_DELAY=45\n"
		     "MAILTO=\"\"\n"
		     "0 1 * * * one\n"
		     "0 2 * * * one\n"
		     "0 2 * * * one\n");
	ck_assert_str_eq(crontab.refused, "");
	ck_assert_str_eq(crontab.noted, "");
	ck_assert_uint_eq(crontab.file.n, 4);
	ck_assert_str_eq(crontab.file.entries[0].form.tz, "UTC");
	ck_assert(crontab.file.entries[0].form.jitter_s == 0);
	ck_assert_str_eq(crontab.file.entries[1].form.tz, "Asia/Tokyo");
	ck_assert(crontab.file.entries[1].form.jitter_s == 2700);
	ck_assert_str_eq(crontab.file.entries[1].form.misfire, "skip");
	ck_assert_str_eq(crontab.file.entries[1].form.description, "one");
	/* Another environment is another task; another time is not. */
	ck_assert_str_ne(crontab.file.entries[0].form.task,
			 crontab.file.entries[1].form.task);
	ck_assert_str_eq(crontab.file.entries[1].form.task,
			 crontab.file.entries[2].form.task);
	/* The same line twice is two runs. */
	ck_assert_str_ne(crontab.file.entries[2].form.id,
			 crontab.file.entries[3].form.id);
	ck_assert_ptr_nonnull(
	    strstr(crontab.tasks.data, "environment = 'PATH=/usr/bin:/bin'\n"));
	ck_assert_ptr_nonnull(
	    strstr(crontab.tasks.data, "environment = 'PATH=/opt/bin:/bin'\n"));
	ck_assert_ptr_nonnull(strstr(
	    crontab.tasks.data, "environment = 'NAME=it'\\''s ''; {x}'\n"));
	ck_assert_ptr_null(strstr(crontab.tasks.data, "CRON_TZ"));
	ck_assert_ptr_null(strstr(crontab.tasks.data, "user ="));
}
END_TEST

START_TEST(names_are_the_same_wherever_a_line_stands)
{
	char id[SCHEDULE_ID_MAX + 1];

	crontab_read("mine", false, "0 1 * * * one\n0 2 * * * two\n");
	strcpy(id, crontab.file.entries[1].form.id);
	crontab_read("mine", false, "# moved\n\n  0  2 * * * two\n");
	ck_assert_str_eq(crontab.file.entries[0].form.id, id);
	crontab_read("mine", false, "0 2 * * * three\n");
	ck_assert_str_ne(crontab.file.entries[0].form.id, id);
}
END_TEST

SUITE("manager-schedule-crontab")
{
	SUITE_TIMEOUT(60);
	TEST(stock_crontabs_run_when_cron_runs_them);
	TEST(day_fields_match_as_in_cron);
	TEST(what_cannot_be_taken_is_named_with_its_line);
	TEST(variables_hold_for_the_lines_below);
	TEST(names_are_the_same_wherever_a_line_stands);
}
