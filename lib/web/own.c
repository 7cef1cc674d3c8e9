/* SPDX-License-Identifier: MIT */
/*
 * What a submitter may have.
 *
 * A schedule of a submitter has one unfinished task at most, since it skips fires
 * meanwhile: so it counts as one, whether its task is there or not.
 */
#include "web/own.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "schedules/schedules.h"
#include "util/conf.h"
#include "util/err.h"
#include "web/call.h"
#include "web/quota.h"
#include "web/web.h"

#define COUNT_PAGE 500

bool
own_permits(const struct conf *conf, const char *name)
{
	char **patterns = conf_list(conf->web.submit_tasks);
	bool found = false;
	size_t i;

	for (i = 0; patterns != NULL && patterns[i] != NULL && !found; i++)
		found = name != NULL && fnmatch(patterns[i], name, 0) == 0;
	if (patterns != NULL)
		conf_list_free(patterns);
	return found;
}

int
own_refuse_task(struct web_call *call, const char *name, struct err *err)
{
	web_status(call, 403);
	return err_set(err, ERR_REFUSED,
		       "name: \"%.64s\" is not in [web] submit_tasks of the "
		       "server",
		       name != NULL ? name : "");
}

/* --- how many -------------------------------------------------------------- */

/* Those of a prefix stand together. */
int
own_count_schedules(struct web_call *call, struct schedules *db, size_t *ret_n,
		    struct err *err)
{
	const char *prefix = web_own_prefix(call);
	const size_t max = (size_t)web_conf(call)->web.submit_max;
	struct schedules_filter filter = {.after = prefix, .limit = COUNT_PAGE};
	char after[SCHEDULE_ID_MAX + 1];
	struct schedules_list *list;
	bool more = true;
	size_t i;

	*ret_n = 0;
	while (more && *ret_n < max) {
		if (schedules_list(db, &filter, &list, err) != 0)
			return -1;
		for (i = 0; i < list->n && more; i++) {
			more = strncmp(list->items[i].id, prefix,
				       strlen(prefix)) == 0;
			*ret_n += more;
		}
		more = more && list->n == COUNT_PAGE;
		if (more) {
			snprintf(after, sizeof(after), "%s",
				 list->items[list->n - 1].id);
			filter.after = after;
		}
		schedules_list_free(list);
	}
	return 0;
}

void
own_recount_schedules(struct web_call *call, struct schedules *db)
{
	struct web_quota *quota = call->shared->quota;
	struct err why = ERR_INIT;
	size_t n;

	if (quota != NULL && own_count_schedules(call, db, &n, &why) == 0)
		quota_note_schedules(quota, web_own_prefix(call), n);
}

/* While the schedules' database is away, nothing fires. */
int
own_take_task(struct web_call *call, const char *id, struct err *err)
{
	struct web_quota *quota = call->shared->quota;
	const char *prefix = web_own_prefix(call);
	struct err why = ERR_INIT;
	struct schedules *db;

	if (quota == NULL)
		return 0;
	if (quota_wants_schedules(quota, prefix) &&
	    (db = web_schedules(call, &why)) != NULL)
		own_recount_schedules(call, db);
	return quota_take(quota, web_client(call), prefix, id,
			  (size_t)web_conf(call)->web.submit_max, err);
}

int
own_take_schedule(struct web_call *call, struct schedules *db, struct err *err)
{
	struct web_quota *quota = call->shared->quota;
	size_t n;

	if (quota == NULL)
		return 0;
	if (own_count_schedules(call, db, &n, err) != 0)
		return -1;
	return quota_take_schedule(quota, web_client(call),
				   web_own_prefix(call), n,
				   (size_t)web_conf(call)->web.submit_max, err);
}
