/* SPDX-License-Identifier: MIT */
/* The servers behind it all: what they are, and how long they take. */
#ifndef MANAGER_SERVER_H
#define MANAGER_SERVER_H

#include <jansson.h>

struct flowrra_client;

/*
 * {"version": of this program,
 *  "broker": {"url", "up", "server": "Redis 7.0.15", "clock_skew", "rtt",
 *	       "error"},
 *  "backend": {"url", "up", "rtt", "error", "same": it is the broker's store}}
 * URLs are without passwords; rtt and clock_skew (the server's clock less ours)
 * are in seconds. What is out of reach has "up": false, an error, and null for
 * all that is not known. NULL without memory.
 */
json_t *server_facts(struct flowrra_client *c);

/* How long the broker takes to answer, in seconds; negative: it does not. */
double server_broker_rtt(struct flowrra_client *c);

#endif
