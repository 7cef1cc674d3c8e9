/* SPDX-License-Identifier: MIT */
/* The time zone of schedules for which nobody says one, and "local". Both become
 * a name here, before anything is stored: a schedule fires by its own zone, not
 * by what a configuration or a machine says later. */
#include "manager/schedule_zone.h"

#include <string.h>

#include "cron/cron.h"
#include "util/conf.h"
#include "util/err.h"

#define LOCAL "local"

int
zone_complete(struct zone_words *words, const char **tz, struct err *err)
{
	if (*tz == NULL || strcmp(*tz, LOCAL) != 0)
		return 0;
	if (words->local[0] == '\0' &&
	    tz_local_name(NULL, words->local, err) != 0)
		return -1;
	*tz = words->local;
	return 0;
}

/* Checked here, so that the message names the place where it is wrong. */
static int
check_zone(const char *zone, struct err *err)
{
	struct tz_set *zones = tz_set_new(NULL, err);
	const int result =
	    zones != NULL && tz_find(zones, slice_of(zone), err) != NULL ? 0
									 : -1;

	tz_set_free(zones);
	return result;
}

int
zone_default(const struct conf *conf, struct zone_words *words,
	     const char **ret, struct err *err)
{
	*ret = conf->scheduler.timezone;
	if ((*ret)[0] == '\0') {
		*ret = NULL;
		return 0;
	}
	if (zone_complete(words, ret, err) != 0 || check_zone(*ret, err) != 0)
		return err_prefix(err, "[scheduler] timezone");
	return 0;
}

int
zone_check(const char *rule, const char *tz, struct err *err)
{
	const struct slice own = cron_zone(rule);

	if (own.p == NULL || tz == NULL || tz[0] == '\0' ||
	    slice_eq(own, slice_of(tz)))
		return 0;
	return err_set(err, ERR_DATA,
		       "the expression already has a time zone, %.*s; remove "
		       "one of the two",
		       (int)own.len, own.p);
}

int
zone_choose(const struct conf *conf, struct zone_words *words, const char *rule,
	    const char **tz, struct err *err)
{
	if (*tz != NULL && (*tz)[0] != '\0')
		return zone_complete(words, tz, err);
	/* The one before an expression goes before all. */
	return cron_zone(rule).p != NULL ? 0
					 : zone_default(conf, words, tz, err);
}
