/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: a worker whose queues are in a Redis Cluster.
 *
 * Each of its queues has a broker of its own, with connections to the node that
 * has the queue, wherever that goes: so one that is out of reach, or has failed
 * over, stalls only the queues on it, and the workers of a queue are known beside
 * it. What is not about one queue is the hub's, which is connected to all nodes:
 * submissions, the registry, orders, housekeeping, and what operators ask. It is
 * the broker that the worker holds; producers and operators have the hub alone.
 */
#ifndef STORE_REDIS_SPREAD_H
#define STORE_REDIS_SPREAD_H

struct broker;
struct broker_options;
struct err;

struct broker *rspread_open(const struct broker_options *options,
			    struct err *err);

#endif
