/* SPDX-License-Identifier: MIT */
/*
 * A private Redis Cluster for tests: masters, and maybe a replica of each. As with
 * redis_server.h, all of it dies with the test's process, and functions abort the
 * test when they cannot do what they promise.
 */
#ifndef TESTS_REDIS_CLUSTER_H
#define TESTS_REDIS_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "redis_server.h"

struct redisReply;
struct redis_test_cluster;

#define REDIS_CLUSTER_MASTERS 3

struct redis_cluster_options {
	bool replicas; /* one of each master: number 3 is that of number 0 */
	bool partial;  /* what is there works while a node is not */
	bool tls;
	const char *password;	 /* NULL: none */
	const char *const *args; /* further settings of each server; or NULL */
};

/* Starts all of them, and waits until they agree. `options` may be NULL. */
struct redis_test_cluster *
redis_cluster_start(const struct redis_cluster_options *options);
void redis_cluster_stop(struct redis_test_cluster *c);

/* "redis+cluster://…", of the masters. */
const char *redis_cluster_url(const struct redis_test_cluster *c);
size_t redis_cluster_size(const struct redis_test_cluster *c);
struct redis_server *redis_cluster_server(struct redis_test_cluster *c,
					  size_t i);
/* Which server has a key's slot, as server `i` sees it; or -1. */
int redis_cluster_owner(struct redis_test_cluster *c, size_t i,
			const char *key);
/* The master that has a key, as the first server that runs sees it. */
struct redis_server *redis_cluster_server_of(struct redis_test_cluster *c,
					     const char *key);
/* Waits until that is another one than server `but`, and returns its number. */
int redis_cluster_await_owner(struct redis_test_cluster *c, const char *key,
			      int but);
/* Waits until all that run agree that all slots are served, and replicas have a
 * link to their masters. */
void redis_cluster_settle(struct redis_test_cluster *c);
/* Moves the slot of a key to another master, key by key. */
void redis_cluster_move(struct redis_test_cluster *c, const char *key,
			size_t to);
/* The first half of that: the slot is at both, and its keys are where they were. */
void redis_cluster_begin_move(struct redis_test_cluster *c, const char *key,
			      size_t to);
void redis_cluster_end_move(struct redis_test_cluster *c, const char *key,
			    size_t to);
/* The port of the master that it follows; 0: it is one itself, or is away. */
int redis_cluster_master_port(struct redis_test_cluster *c, size_t i);
/* CLUSTER FAILOVER of a replica, and waits until it is the master. */
void redis_cluster_failover(struct redis_test_cluster *c, size_t replica);
/* Runs a command at the server that has the key; the reply is freed by the
 * caller. */
struct redisReply *redis_cluster_command(struct redis_test_cluster *c,
					 const char *key, const char *fmt, ...);

#endif
