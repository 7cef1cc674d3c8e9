/* SPDX-License-Identifier: MIT */
/* What the verbs about schedules have in common. Schedules live in a database,
 * not at the broker: these verbs work while broker and backend are down, but
 * for those that submit a task or check its name. */
#include "schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cron/cron.h"
#include "manager/schedule.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "verb.h"

struct schedules *
open_schedules(struct ctl *ctl, bool reads, int *ret_status)
{
	struct schedules_options options = {.reads = reads};
	struct schedules *s = NULL;
	struct err err = ERR_INIT;
	const struct conf *conf = ctl_conf(ctl, true, &err);

	if (conf != NULL &&
	    conf_check_client(conf, CONF_STORE_SCHEDULES, &err) == 0) {
		options.url = conf->scheduler.database_url;
		s = schedules_open(&options, &err);
	}
	if (s == NULL)
		*ret_status = complain_of_err(ctl, &err);
	return s;
}

int
reach_schedules(struct ctl *ctl, bool reads, struct schedules **ret)
{
	int status = ctl_reach_schedules(ctl);

	*ret = NULL;
	if (status == 0 && ctl->gateway == NULL)
		*ret = open_schedules(ctl, reads, &status);
	return status;
}

int
schedule_time(struct ctl *ctl, struct schedules *db, int64_t *ret_us)
{
	struct err err = ERR_INIT;
	int64_t off_us;

	if (schedules_now(db, ret_us, &off_us, &err) != 0)
		return complain_of_err(ctl, &err);
	if (off_us != 0)
		complain(ctl,
			 "this machine's clock is %.1f s %s that of the "
			 "database, which counts; set it right",
			 (double)(off_us < 0 ? -off_us : off_us) / 1e6,
			 off_us < 0 ? "behind" : "ahead of");
	return 0;
}

int
choose_zone(struct ctl *ctl, struct zone_words *words, const char *rule,
	    const char **tz, struct err *err)
{
	const bool given =
	    (*tz != NULL && (*tz)[0] != '\0') || cron_zone(rule).p != NULL;
	const struct conf *conf = given ? NULL : ctl_conf(ctl, false, err);

	return given || conf != NULL ? zone_choose(conf, words, rule, tz, err)
				     : -1;
}

int
complain_of_rule(struct ctl *ctl, const char *text,
		 const struct cron_fault *fault, const struct err *err)
{
	char shown[201];
	size_t i, len = strlen(text);
	const int status = complain_of_err(ctl, err);

	if (fault->code == CRON_NONE || fault->column == 0 ||
	    ctl->globals.quiet || len >= sizeof(shown))
		return status;
	/* The expression, indented, and below it an arrow at the column that is
	 * wrong. Beyond 200 bytes a terminal would wrap the line and the arrow
	 * would point nowhere. */
	memcpy(shown, text, len + 1);
	mask_controls(shown);
	fprintf(stderr, "  %s\n  %*s^", shown, (int)fault->column - 1, "");
	for (i = 1; i < fault->len; i++)
		fputc('~', stderr);
	fputc('\n', stderr);
	return status;
}

int
complain_of_schedule(struct ctl *ctl, const char *rule,
		     const struct schedule_fault *fault, const struct err *err)
{
	struct err more = *err;

	if (fault->forcible)
		err_set(&more, err->code,
			"%s (use --force to store the schedule anyway)",
			err->msg);
	return complain_of_rule(ctl, rule != NULL ? rule : "", &fault->cron,
				&more);
}

void
warn_of_rule(struct ctl *ctl, const char *text)
{
	struct cron cron;

	/* Periods and times are no expressions. */
	if (cron_parse(text, NULL, &cron, NULL, NULL) == 0 &&
	    cron_doubts_weekdays(&cron))
		complain(ctl,
			 "\"%.100s\": weekdays count from 0, Sunday, not "
			 "from 1 as in Quartz; write names, such as "
			 "MON-FRI or FRIL, to be sure",
			 text);
}
