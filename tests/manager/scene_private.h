/* SPDX-License-Identifier: MIT */
/* What the parts of the scene share: the data, and how calls are answered. */
#ifndef TESTS_MANAGER_SCENE_PRIVATE_H
#define TESTS_MANAGER_SCENE_PRIVATE_H

#include "manager/scene.h"

/* What a test puts in lives until the end: slices of answers point to it. */
#define SCENE_ITEMS_MAX 4096
#define SCENE_NAMES_MAX 32

struct scene_data {
	/* Tasks at the broker, in the order in which they came. */
	struct scene_item {
		const char *queue; /* the name of one of `queues` */
		enum broker_location place;
		struct broker_item item;
		bool gone;
	} items[SCENE_ITEMS_MAX];
	size_t n_items;
	struct scene_queue {
		const char *name;
		bool paused;
	} queues[SCENE_NAMES_MAX];
	size_t n_queues;
	struct {
		const char *id, *json;
	} records[SCENE_ITEMS_MAX];
	size_t n_records;
	struct worker_info workers[SCENE_NAMES_MAX];
	size_t n_workers;
};
extern struct scene_data scene_data;

/* Copies that live until the end, with a NUL behind them. */
void *scene_keep(const void *p, size_t len);
const char *scene_keep_text(const char *text);

/* --- answers, in the next turn of the loop ------------------------------- */

struct scene_answer {
	/* One of these is called; on_value is a results_record_fn, too. */
	broker_value_fn *on_value;
	broker_queues_fn *on_queues;
	broker_workers_fn *on_workers;
	broker_found_fn *on_found;
	broker_report_fn *on_report;
	broker_names_fn *on_names;
	broker_entries_fn *on_entries;
	results_counts_fn *on_counts;
	results_measures_fn *on_measures;
	enum measure_step step; /* of what was asked for */
	int64_t begin_s;
	broker_deferred_fn *on_turn;
	broker_page_fn *on_page;
	results_page_fn *on_records;
	broker_requeued_fn *on_requeued;
	struct results_put *put;
	const char *event; /* NULL: the listener is told that it listens */
	void *arg;
	struct err err;
	struct slice value; /* the cursor of pages */
	struct queue_stats queues[SCENE_NAMES_MAX];
	struct queue_found found[SCENE_NAMES_MAX];
	struct broker_item items[BROKER_PAGE_MAX];
	struct slice records[RESULTS_PAGE_MAX];
	struct broker_requeue *batch;
	size_t n;
	TAILQ_ENTRY(scene_answer) link;
};
void scene_answers_init(void);
void scene_answers_done(void);
struct scene_answer *scene_answer_later(struct scene_answer init);
/*
 * Notes a call and answers it in the next turn. Returns what is to be filled
 * in; NULL if it fails: then nothing is left to do.
 */
struct scene_answer *scene_called(enum scene_call call, struct slice what,
				  struct scene_answer init);
/* The error of a call that fails, if it has any left. */
const struct err *scene_fault(enum scene_call call);
/* Who listens to events; NULL: nobody any more. */
void scene_listener(const struct results_ear *ear);

/* --- the stores (scene_store.c) ------------------------------------------ */

extern const struct broker_ops scene_broker_ops;
extern const struct results_ops scene_results_ops;

#endif
