/* SPDX-License-Identifier: MIT */
/*
 * What a Redis server says of itself (INFO), and what is wrong with that.
 */
#ifndef STORE_REDIS_INFO_H
#define STORE_REDIS_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "redis/redis.h"
#include "util/buf.h"

/* The answers to INFO, and to CONFIG GET save and appendfsync; these two are
 * empty (p == NULL) where nobody may ask. */
struct redis_info {
	struct slice info;
	struct slice save, appendfsync;
	int64_t ahead_us; /* its clock, before ours */
	int64_t replicas; /* that submissions need */
	bool fails_over;  /* Sentinels may make another one the master */
	struct redis_nodes
	    nodes; /* of the connection: its URL is a Cluster's … */
	struct redis_node node; /* … and it is this one; host NULL: it is not */
};

/* The value of a field; p == NULL if there is none. */
struct slice redis_info_text(struct slice info, const char *name);
int64_t redis_info_number(struct slice info, const char *name);

/* Something that is wrong: "the server …" is what, what to do the remedy. */
struct redis_finding {
	bool error; /* else a warning */
	char what[256];
	const char *remedy;
};

/* A check; returns whether there is something wrong. */
typedef bool redis_check_fn(const struct redis_info *info,
			    struct redis_finding *ret);

/* It may drop keys to make room. */
bool redis_check_eviction(const struct redis_info *info,
			  struct redis_finding *ret);
/* What a crash of the server loses. */
bool redis_check_persistence(const struct redis_info *info,
			     struct redis_finding *ret);
/* info_replicas.c */
bool redis_check_replicas(const struct redis_info *info,
			  struct redis_finding *ret);
bool redis_check_cut_off(const struct redis_info *info,
			 struct redis_finding *ret);
/* info_cluster.c: the URL is not a Cluster's, but the server is of one. */
bool redis_check_mode(const struct redis_info *info, struct redis_finding *ret);
/* info_cluster.c: it is a master of a Cluster, out of reach. */
bool redis_check_away(const struct redis_info *info, struct redis_finding *ret);
/* Those of a server, which may be one of several; NULL at the end. */
extern redis_check_fn *const redis_checks[];
/* info_cluster.c: those of a Cluster as a whole, which look at `nodes`. */
extern redis_check_fn *const redis_cluster_checks[];

#endif
