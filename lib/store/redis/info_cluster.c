/* SPDX-License-Identifier: MIT */
/* What may be wrong with a Redis Cluster, and with what is taken for none. */
#include <stdio.h>

#include "redis/slots.h"
#include "store/redis/info.h"

/* Of 2, none is a majority without the other. */
#define MASTERS_MIN 3

bool
redis_check_mode(const struct redis_info *i, struct redis_finding *ret)
{
	if (i->nodes.n > 0 ||
	    redis_info_number(i->info, "cluster_enabled") == 0)
		return false;
	ret->error = true;
	snprintf(ret->what, sizeof(ret->what),
		 "is a node of a Redis Cluster, and takes only what is in its "
		 "own slots");
	ret->remedy = "begin the URL with redis+cluster:// (TLS: "
		      "rediss+cluster://)";
	return true;
}

bool
redis_check_away(const struct redis_info *i, struct redis_finding *ret)
{
	const struct redis_node *node = &i->node;

	ret->error = true;
	if (node->host == NULL || node->up)
		return false;
	snprintf(
	    ret->what, sizeof(ret->what),
	    "has a master out of reach, whose queues and records wait: %s%s",
	    node->why, node->why[0] == '\0' ? "it does not answer" : "");
	ret->remedy = "start it, and give it a replica; if it is running, give "
		      "all nodes the same users, and each an address that "
		      "clients can reach (its cluster-announce-ip)";
	return true;
}

static bool
cluster_check_slots(const struct redis_info *i, struct redis_finding *ret)
{
	ret->error = true;
	if (i->nodes.n == 0 || i->nodes.uncovered == 0)
		return false;
	snprintf(
	    ret->what, sizeof(ret->what),
	    "has no master for %zu of %d slots: queues and records in them "
	    "cannot be used, nor others with "
	    "cluster-require-full-coverage",
	    i->nodes.uncovered, REDIS_SLOTS);
	ret->remedy = "repair it: redis-cli --cluster fix";
	return true;
}

/* A failed master is replaced when most of the others agree that it has failed. */
static bool
cluster_check_majority(const struct redis_info *i, struct redis_finding *ret)
{
	ret->error = false;
	if (i->nodes.n == 0 || i->nodes.n >= MASTERS_MIN)
		return false;
	snprintf(ret->what, sizeof(ret->what),
		 "has %zu masters: when one of them fails, the others are no "
		 "majority, which could have a replica take its place",
		 i->nodes.n);
	ret->remedy = "add masters, so that there are 3 at least";
	return true;
}

redis_check_fn *const redis_cluster_checks[] = {cluster_check_slots,
						cluster_check_majority, NULL};
