/* SPDX-License-Identifier: MIT */
/* The names of all stores of a configuration, which a scheduler uses. */
#include <stdlib.h>

#include "beat/beat.h"
#include "schedules/schedules.h"
#include "store/store.h"
#include "util/conf.h"

int
beat_store_names(const struct conf *conf, char *names[], struct err *err)
{
	if (stores_names(conf, names, err) != 0)
		return -1;
	names[CONF_STORE_SCHEDULES] =
	    schedules_url_name(conf->scheduler.database_url, err);
	if (names[CONF_STORE_SCHEDULES] != NULL)
		return 0;
	free(names[CONF_STORE_BROKER]);
	free(names[CONF_STORE_BACKEND]);
	return -1;
}
