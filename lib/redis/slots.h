/* SPDX-License-Identifier: MIT */
/*
 * The slots of a Redis Cluster: which one a key is in, and which node has it.
 *
 * A key is in one of 16384 slots, by a sum of its bytes, or of those between
 * its first '{' and the next '}' if there are any. Each slot belongs to one
 * master; the nodes say to which (CLUSTER SLOTS).
 */
#ifndef REDIS_SLOTS_H
#define REDIS_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis/url.h"
#include "util/buf.h"
#include "util/err.h"

struct redis_reply;

#define REDIS_SLOTS 16384

unsigned int redis_slot_of(struct slice key);

struct redis_slots {
	struct redis_host *nodes; /* masters */
	size_t n_nodes;
	size_t n_covered;	      /* slots that have one */
	uint16_t owners[REDIS_SLOTS]; /* of each slot, from 1 on; 0: none */
};

void redis_slots_done(struct redis_slots *slots);
/* The master of a slot; NULL: nobody has it. */
const struct redis_host *redis_slots_owner(const struct redis_slots *slots,
					   unsigned int slot);
/*
 * Reads the answer to CLUSTER SLOTS; a node that does not know its own address is
 * `asked`. 0, or -1 with *err (nonsense, or no master at all), and *ret is as it
 * was.
 */
int redis_slots_read(const struct redis_reply *reply,
		     const struct redis_host *asked, struct redis_slots *ret,
		     struct err *err);
/* A slot is at another node, which a server has said. 0, or -1: no memory. */
int redis_slots_move(struct redis_slots *slots, unsigned int slot,
		     const struct redis_host *node);

/*
 * The error of a command whose key is elsewhere: "MOVED 3999 host:port", or ASK.
 * Fills *ret_slot and *ret_node (free its host), of which the host is `asked`'s if
 * the server does not say one. false: it is not such an error.
 */
bool redis_slots_redirected(const struct redis_reply *reply,
			    const struct redis_host *asked,
			    unsigned int *ret_slot,
			    struct redis_host *ret_node);

bool redis_host_same(const struct redis_host *a, const struct redis_host *b);

#endif
