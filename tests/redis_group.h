/* SPDX-License-Identifier: MIT */
/*
 * A group of private Redis servers for tests: a master, replicas of it, and
 * three Sentinels that watch over them with short times. As with redis_server.h,
 * all of it dies with the test's process, and functions abort the test when they
 * cannot do what they promise.
 */
#ifndef TESTS_REDIS_GROUP_H
#define TESTS_REDIS_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis_server.h"

struct redis_group;

#define REDIS_GROUP_NAME "mymaster"
#define REDIS_GROUP_SENTINELS 3
/* A server that says nothing for so long is down to a Sentinel. */
#define REDIS_GROUP_DOWN_MS 600

struct redis_group_options {
	unsigned int replicas; /* 0: one */
	bool tls;
	const char *password;	       /* of the servers; NULL: none */
	const char *sentinel_password; /* of the Sentinels; NULL: none */
	bool aof;
	bool lone; /* a master without replicas, and one Sentinel: quick */
};

/* Starts all of them, and waits until the replicas have what the master has and
 * the Sentinels know one another. `options` may be NULL. */
struct redis_group *
redis_group_start(const struct redis_group_options *options);
void redis_group_stop(struct redis_group *g);

/* "redis+sentinel://…/mymaster"; and "redis://h1,h2" of the servers alone. Both
 * name all hosts, and are the group's. */
const char *redis_group_url(const struct redis_group *g);
const char *redis_group_list_url(const struct redis_group *g);

size_t redis_group_size(const struct redis_group *g);
struct redis_server *redis_group_server(struct redis_group *g, size_t i);
/* A running server that says that it is a master, other than number `but`; or
 * -1. */
int redis_group_find_master(struct redis_group *g, int but);
/* Waits until there is one, and returns it. */
int redis_group_await_master(struct redis_group *g, int but);
/* Waits until all servers that run follow the master and have all that it has,
 * and all Sentinels know that. */
void redis_group_settle(struct redis_group *g);
/* SENTINEL FAILOVER, again until a Sentinel takes it. */
void redis_group_failover(struct redis_group *g);
/* SIGSTOP and SIGCONT of one Sentinel, or kills it. */
void redis_group_signal_sentinel(struct redis_group *g, size_t i, int sig);
int redis_group_sentinel_port(const struct redis_group *g, size_t i);

#endif
