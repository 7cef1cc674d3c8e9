/* SPDX-License-Identifier: MIT */
/* What may be wrong with the replicas of a Redis server, by what it says of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/info.h"

/* A replica says each second how far it is. */
#define LAG_MAX_S 5

/* A number behind a name in "ip=…,port=…,state=online,offset=14,lag=1". */
static int64_t
replica_number(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at != NULL ? strtoll(at + strlen(name), NULL, 10) : 0;
}

/* Whether it is online, and not far behind. */
static bool
replica_is_near(struct slice text)
{
	char line[256];

	snprintf(line, sizeof(line), "%.*s", (int)text.len, text.p);
	return strstr(line, "state=online") != NULL &&
	       replica_number(line, "lag=") <= LAG_MAX_S;
}

bool
redis_check_replicas(const struct redis_info *i, struct redis_finding *ret)
{
	const int64_t n = redis_info_number(i->info, "connected_slaves");
	int64_t near = 0, k;
	struct slice text;
	char name[32];

	if (redis_info_text(i->info, "connected_slaves").p == NULL)
		return false;
	for (k = 0; k < n; k++) {
		snprintf(name, sizeof(name), "slave%" PRId64, k);
		text = redis_info_text(i->info, name);
		if (text.p == NULL)
			break;
		near += replica_is_near(text);
	}
	ret->error = near < i->replicas;
	if (!ret->error && near == n && (n > 0 || !i->fails_over))
		return false;
	snprintf(ret->what, sizeof(ret->what),
		 "has %" PRId64 " replicas that are up to date, of %" PRId64
		 "%s",
		 near, n,
		 ret->error ? "; [broker] replicas wants more, so that "
			      "submissions are refused"
			    : "");
	ret->remedy = "start its replicas, or look at their logs for why they "
		      "are behind";
	return true;
}

/* Only a server that has the setting tells of it. */
bool
redis_check_cut_off(const struct redis_info *i, struct redis_finding *ret)
{
	ret->error = false;
	if (!i->fails_over ||
	    redis_info_number(i->info, "connected_slaves") < 2 ||
	    redis_info_text(i->info, "min_slaves_good_slaves").p != NULL)
		return false;
	snprintf(ret->what, sizeof(ret->what),
		 "accepts tasks while it is cut off from its replicas, and "
		 "loses them when it comes back");
	ret->remedy = "set min-replicas-to-write 1 on it and on its replicas";
	return true;
}
