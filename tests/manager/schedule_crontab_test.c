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
#include "manager/planner.h"
#include "manager/schedule_import.h"
#include "suite.h"
#include "util/conf.h"
#include "util/conf_task.h"

#define DAY_US (86400 * S)

static struct schedule_import import;
static struct schedule_file file;
static struct buf tasks;
static char refused[2048], noted[2048];

static void
on_refuse(void *arg, int line, const char *text)
{
	const size_t len = strlen(refused);

	snprintf(refused + len, sizeof(refused) - len, "%d: %s\n", line, text);
}

static void
on_note(void *arg, int line, const char *text)
{
	const size_t len = strlen(noted);

	snprintf(noted + len, sizeof(noted) - len, "%d: %s\n", line, text);
}

static void
read_crontab(const char *path, bool system, const char *text)
{
	struct err err = ERR_INIT;

	schedule_file_done(&file);
	buf_reset(&tasks);
	refused[0] = noted[0] = '\0';
	import = (struct schedule_import){.tz = "UTC",
					  .path = path,
					  .system = system,
					  .now_us = PLANNER_NOON_US,
					  .refuse = on_refuse,
					  .note = on_note};
	ck_assert_msg(
	    schedule_read_crontab(&import, text, &file, &tasks, &err) == 0,
	    "%s", err.msg);
	ck_assert(!tasks.failed);
}

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

#define RUN_PARTS(when)                                                        \
	"root\ttest -x /usr/sbin/anacron || { cd / && run-parts --report "     \
	"/etc/cron." when "; }\n"

static const struct {
	const char *path, *text;
} stock[] = {
    {"/etc/crontab",
     "# /etc/crontab: system-wide crontab\n"
     "# Unlike any other crontab you don't have to run the `crontab'\n"
     "SHELL=/bin/sh\n"
     "# You can also override PATH, but by default, newer versions inherit it\n"
     "#PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin\n"
     "\n"
     "# Example of job definition:\n"
     "# .---------------- minute (0 - 59)\n"
     "# *  *  *  *  * user-name command to be executed\n"
     "17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n"
     "25 6\t* * *\t" RUN_PARTS("daily") "47 6\t* * 7\t" RUN_PARTS(
	 "weekly") "52 6\t1 * *\t" RUN_PARTS("monthly") "#\n"},
    {"/etc/cron.d/anacron",
     "# /etc/cron.d/anacron: crontab entries for the anacron package\n\n"
     "SHELL=/bin/sh\n"
     "PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin\n\n"
     "30 7-23 * * *\troot\t[ -x /etc/init.d/anacron ] && if [ ! -d "
     "/run/systemd/system ]; then /usr/sbin/invoke-rc.d anacron start "
     ">/dev/null; fi\n"},
    {"/etc/cron.d/e2scrub_all",
     "30 3 * * 0 root test -e /run/systemd/system || SERVICE_MODE=1 "
     "/usr/lib/x86_64-linux-gnu/e2fsprogs/e2scrub_all_cron\n"
     "10 3 * * * root test -e /run/systemd/system || SERVICE_MODE=1 "
     "/sbin/e2scrub_all -A -r\n"},
    {"/etc/cron.d/php",
     "# /etc/cron.d/php@PHP_VERSION@: crontab fragment for PHP\n"
     "#  This purges session files in session.save_path older than X,\n"
     "# Look for and purge old sessions every 30 minutes\n"
     "09,39 *     * * *     root   [ -x /usr/lib/php/sessionclean ] && if [ ! "
     "-d /run/systemd/system ]; then /usr/lib/php/sessionclean; fi\n"},
    {"/etc/cron.d/sysstat",
     "# The first element of the path is a directory where the debian-sa1\n"
     "PATH=/usr/lib/sysstat:/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin\n\n"
     "# Activity reports every 10 minutes everyday\n"
     "5-55/10 * * * * root command -v debian-sa1 > /dev/null && debian-sa1 1 "
     "1\n\n# Additional run at 23:59 to rotate the statistics file\n"
     "59 23 * * * root command -v debian-sa1 > /dev/null && debian-sa1 60 2\n"},
    {"/etc/cron.d/certbot",
     "# /etc/cron.d/certbot: crontab entries for the certbot package\n#\n"
     "SHELL=/bin/sh\n"
     "PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin\n\n"
     "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d "
     "/run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q "
     "renew --no-random-sleep-on-renew\n"},
    {"/etc/cron.d/mdadm",
     "# cron.d/mdadm -- schedules periodic redundancy checks of MD devices\n#\n"
     "# By default, run at 00:57 on every Sunday\n"
     "57 0 * * 0 root if [ -x /usr/share/mdadm/checkarray ] && [ $(date "
     "+\\%d) -le 7 ]; then /usr/share/mdadm/checkarray --cron --all --idle "
     "--quiet; fi\n"},
    {"/etc/cron.d/zfsutils-linux",
     "PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin\n\n"
     "# TRIM the first Sunday of every month.\n"
     "24 0 1-7 * * root if [ $(date +\\%w) -eq 0 ] && [ -x "
     "/usr/lib/zfs-linux/trim ]; then /usr/lib/zfs-linux/trim; fi\n\n"
     "24 0 8-14 * * root if [ $(date +\\%w) -eq 0 ] && [ -x "
     "/usr/lib/zfs-linux/scrub ]; then /usr/lib/zfs-linux/scrub; fi\n"},
    {"/etc/cron.d/munin",
     "MAILTO=root\n\n"
     "*/5 * * * *     munin if [ -x /usr/bin/munin-cron ]; then "
     "/usr/bin/munin-cron; fi\n"
     "14 10 * * *     munin if [ -x /usr/share/munin/munin-limits ]; then "
     "/usr/share/munin/munin-limits --force --contact nagios --contact "
     "old-nagios; fi\n"},
    {"/etc/cron.d/popularity-contest",
     "SHELL=/bin/sh\n"
     "13 13 * * *   root   test -x /etc/cron.daily/popularity-contest && "
     "/etc/cron.daily/popularity-contest --crond\n"},
    {"/etc/cron.d/logrotate",
     "@daily root test -x /usr/sbin/logrotate && /usr/sbin/logrotate "
     "/etc/logrotate.conf\n"},
};

/* The lines that are jobs, in their order. */
static const char *
next_job(const char **p)
{
	const char *line;

	while (**p != '\0') {
		line = *p;
		*p += strcspn(*p, "\n");
		*p += **p == '\n';
		if (strchr("*@", *line) != NULL ||
		    isdigit((unsigned char)*line))
			return line;
	}
	return NULL;
}

/* Writes the sections into a file and loads it as a worker does. */
static struct conf *
load_sections(char path[64])
{
	struct err err = ERR_INIT;
	struct conf *conf;
	int fd;

	strcpy(path, "/tmp/flowrra-crontab-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_eq(write(fd, tasks.data, tasks.len), (ssize_t)tasks.len);
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

	for (i = 0; i < sizeof(stock) / sizeof(stock[0]); i++) {
		read_crontab(stock[i].path, true, stock[i].text);
		ck_assert_str_eq(refused, "");
		p = stock[i].text;
		for (n = 0; (line = next_job(&p)) != NULL; n++) {
			ck_assert_uint_lt(n, file.n);
			ck_runs_as_cron(&file.entries[n].form, line);
		}
		ck_assert_uint_eq(n, file.n);
		conf = load_sections(path);
		ck_assert_uint_eq(conf->n_tasks, n);
		for (n = 0; n < file.n; n++) {
			task = file.entries[n].form.task;
			ck_assert_str_eq(conf->tasks[n]->name, task);
			ck_assert_str_eq(conf->tasks[n]->user,
					 i == 8 ? "munin" : "root");
			ck_assert_int_eq(conf->tasks[n]->max_retries, 0);
		}
		conf_free(conf);
	}
	ck_assert_str_eq(noted, "");
	read_crontab(stock[8].path, true, stock[8].text);
	ck_assert_ptr_nonnull(strstr(noted, "1: MAILTO is not taken"));
}
END_TEST

START_TEST(day_fields_match_as_in_cron)
{
	static const char *const lines[] = {"0 0 1,15 * 5 x",
					    "0 0 */2 * 1 x",
					    "0 0 1 * */2 x",
					    "0 0 * * 1-5 x",
					    "15 3 * JAN-mar sun x",
					    "0 12 31 * * x",
					    "0 0 13 * fri x",
					    "5 4 * * 7 x",
					    "0 0 1-7 * 0 x",
					    "@weekly x",
					    "@monthly x",
					    "@hourly x",
					    "*/7 0-23/5 2-20/3 1,6,12 * x"};
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		read_crontab("mine", false, lines[i]);
		ck_assert_msg(file.n == 1, "%s: %s", lines[i], refused);
		ck_runs_as_cron(&file.entries[0].form, lines[i]);
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
		read_crontab("/etc/crontab", true, text);
		ck_assert_msg(strncmp(refused, "3: ", 3) == 0 &&
				  strstr(refused, cases[i].why) != NULL,
			      "%s: %s", cases[i].line, refused);
		ck_assert_uint_eq(import.refused, 1);
		/* The others are taken, and only they have a section. */
		ck_assert_uint_eq(file.n, 1);
		ck_assert_ptr_null(strstr(tasks.data, ":3\n"));
	}
}
END_TEST

START_TEST(variables_hold_for_the_lines_below)
{
	read_crontab("mine", false,
		     "0 1 * * * one\n"
		     "PATH = \"/opt/bin:/bin\"\n"
		     "'NAME' = it's ; {x}  \n"
		     "CRON_TZ=Asia/Tokyo\n"
		     "RANDOM_DELAY=45\n"
		     "MAILTO=\"\"\n"
		     "0 1 * * * one\n"
		     "0 2 * * * one\n"
		     "0 2 * * * one\n");
	ck_assert_str_eq(refused, "");
	ck_assert_str_eq(noted, "");
	ck_assert_uint_eq(file.n, 4);
	ck_assert_str_eq(file.entries[0].form.tz, "UTC");
	ck_assert(file.entries[0].form.jitter_s == 0);
	ck_assert_str_eq(file.entries[1].form.tz, "Asia/Tokyo");
	ck_assert(file.entries[1].form.jitter_s == 2700);
	ck_assert_str_eq(file.entries[1].form.misfire, "skip");
	ck_assert_str_eq(file.entries[1].form.description, "one");
	/* Another environment is another task; another time is not. */
	ck_assert_str_ne(file.entries[0].form.task, file.entries[1].form.task);
	ck_assert_str_eq(file.entries[1].form.task, file.entries[2].form.task);
	/* The same line twice is two runs. */
	ck_assert_str_ne(file.entries[2].form.id, file.entries[3].form.id);
	ck_assert_ptr_nonnull(
	    strstr(tasks.data, "environment = 'PATH=/usr/bin:/bin'\n"));
	ck_assert_ptr_nonnull(
	    strstr(tasks.data, "environment = 'PATH=/opt/bin:/bin'\n"));
	ck_assert_ptr_nonnull(
	    strstr(tasks.data, "environment = 'NAME=it'\\''s ''; {x}'\n"));
	ck_assert_ptr_null(strstr(tasks.data, "CRON_TZ"));
	ck_assert_ptr_null(strstr(tasks.data, "user ="));
}
END_TEST

START_TEST(names_are_the_same_wherever_a_line_stands)
{
	char id[SCHEDULE_ID_MAX + 1];

	read_crontab("mine", false, "0 1 * * * one\n0 2 * * * two\n");
	strcpy(id, file.entries[1].form.id);
	read_crontab("mine", false, "# moved\n\n  0  2 * * * two\n");
	ck_assert_str_eq(file.entries[0].form.id, id);
	read_crontab("mine", false, "0 2 * * * three\n");
	ck_assert_str_ne(file.entries[0].form.id, id);
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
