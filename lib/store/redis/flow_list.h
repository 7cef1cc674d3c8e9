/* SPDX-License-Identifier: MIT */
/* The Redis broker: what is asked about workflows; see flow_list.c. */
#ifndef STORE_REDIS_FLOW_LIST_H
#define STORE_REDIS_FLOW_LIST_H

#include "store/flow.h"

void rflow_begin(struct broker *b, const struct flow_begin *begin,
		 broker_value_fn *on_value, void *arg);
void rflow_get(struct broker *b, struct slice flow, broker_flows_fn *on_flows,
	       void *arg);
void rflow_list(struct broker *b, struct slice cursor, unsigned int n,
		broker_flows_fn *on_flows, void *arg);
void rflow_steps(struct broker *b, struct slice flow, struct slice cursor,
		 unsigned int n, broker_steps_fn *on_page, void *arg);
void rflow_stale(struct broker *b, broker_names_fn *on_names, void *arg);

#endif
