/* SPDX-License-Identifier: MIT */
/* Crontabs for tests, and reading them. */
#include "manager/crontabs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct crontab crontab;

static void
on_refuse(void *arg, int line, const char *text)
{
	const size_t len = strlen(crontab.refused);

	snprintf(crontab.refused + len, sizeof(crontab.refused) - len,
		 "%d: %s\n", line, text);
}

static void
on_note(void *arg, int line, const char *text)
{
	const size_t len = strlen(crontab.noted);

	snprintf(crontab.noted + len, sizeof(crontab.noted) - len, "%d: %s\n",
		 line, text);
}

void
crontab_read(const char *path, bool system, const char *text)
{
	struct err err = ERR_INIT;

	schedule_file_done(&crontab.file);
	buf_reset(&crontab.tasks);
	crontab.refused[0] = crontab.noted[0] = '\0';
	crontab.import = (struct schedule_import){.tz = "UTC",
						  .path = path,
						  .system = system,
						  .now_us = PLANNER_NOON_US,
						  .refuse = on_refuse,
						  .note = on_note};
	ck_assert_msg(schedule_read_crontab(&crontab.import, text,
					    &crontab.file, &crontab.tasks,
					    &err) == 0,
		      "%s", err.msg);
	ck_assert(!crontab.tasks.failed);
}

const char *const crontab_days[CRONTAB_N_DAYS] = {
    "0 0 1,15 * 5 x",
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

#define RUN_PARTS(when)                                                        \
	"root\ttest -x /usr/sbin/anacron || { cd / && run-parts --report "     \
	"/etc/cron." when "; }\n"

const struct crontab_file crontab_stock[CRONTAB_N_STOCK] = {
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

const char *
crontab_next_job(const char **p)
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
