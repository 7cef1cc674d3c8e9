/* SPDX-License-Identifier: MIT */
/* Queues as the pages show them. */
#ifndef WEB_QUEUES_H
#define WEB_QUEUES_H

#include <jansson.h>

struct err;
struct web_call;

/* Adds to each element of queues_list(): "age" of the oldest (s), "rate" (ended a
 * minute), "drain" (s until it is empty, about), "spark" (ended in each of the
 * last 5 minutes). null, or empty, is what is not known. */
int queues_add_figures(struct web_call *call, json_t *queues, struct err *err);
/* {"succeeded", "failed", "retried"}: attempts that ended in the last whole
 * minute; null: not known. */
json_t *queues_overall_rates(struct web_call *call);

#endif
