/* SPDX-License-Identifier: MIT */
/*
 * Steps of a list that lies in several queues, each in the order of time: they
 * are merged, the latest first. For delayed and dead tasks.
 */
#ifndef MANAGER_PAGE_MERGE_H
#define MANAGER_PAGE_MERGE_H

#include <jansson.h>

#include "manager/page.h"
#include "store/admin.h"

struct err;
struct flowrra_client;

struct page_merge {
	struct flowrra_client *client;
	enum broker_location place; /* BROKER_DELAYED or BROKER_DEAD */
	const char *queue;	    /* NULL: of all */
	uint64_t hash;
	int64_t after_us, before_us; /* as in struct task_filter */
	bool any;		     /* most items are shown */
	/* The info of one, on the loop; NULL: it is not meant, or *err is set. */
	json_t *(*on_item)(const struct broker_item *item, const char *queue,
			   void *arg, struct err *err);
	void *arg;
};

/* One step, page_answer()'s. `finish` (may be NULL) is given the items that will
 * be shown, all at once, off the loop. */
json_t *page_merge(const struct page_merge *merge, struct page_query *query,
		   int (*finish)(const struct page_merge *merge, json_t *items,
				 struct err *err),
		   struct err *err);

#endif
