/* SPDX-License-Identifier: MIT */
/* The time zones of schedules that people make, as they are stored. */
#ifndef MANAGER_SCHEDULE_ZONE_H
#define MANAGER_SCHEDULE_ZONE_H

#include "cron/tz.h"

struct conf;
struct err;

/* Where names lie that are nobody else's; begin with zeroes. It lasts as long as
 * what is done with them. */
struct zone_words {
	char local[TZ_NAME_MAX + 1];
};

/* Makes "local" the name of this machine's zone. ERR_DATA: it has none. */
int zone_complete(struct zone_words *words, const char **tz, struct err *err);
/* That an expression with a zone of its own has not another one beside it (ERR_DATA);
 * `tz` may be NULL. */
int zone_check(const char *rule, const char *tz, struct err *err);
/* The zone of schedules for which none is said ([scheduler] timezone); NULL: it
 * is not configured. */
int zone_default(const struct conf *conf, struct zone_words *words,
		 const char **ret, struct err *err);
/* The zone of a new rule: the one that is given, else the default, unless the
 * expression has its own; `conf` may be NULL if it is one of these. *tz stays NULL
 * where it is UTC. */
int zone_choose(const struct conf *conf, struct zone_words *words,
		const char *rule, const char **tz, struct err *err);

#endif
