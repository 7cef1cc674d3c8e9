/* SPDX-License-Identifier: MIT */
/*
 * What the stores of a fuzz target tell: all of it is read, so that what is not
 * there is noticed, and a question that is answered twice ends the target.
 */
#ifndef TESTS_FUZZ_TOLD_H
#define TESTS_FUZZ_TOLD_H

#include <stdbool.h>

#include "store/admin.h"
#include "store/results.h"

#define TOLD_MAX 64
extern struct told {
	unsigned char answers[TOLD_MAX]; /* how often each was answered */
	size_t n;
	char cursor[256]; /* where the last page says that the next begins */
	size_t cursor_len;
} told;

void must(bool condition);
/* The `arg` of one more question. */
void *told_ask(void);
/* Whether all are answered. */
bool told_all(void);
void told_forget(void);
unsigned int told_look(struct slice s);

void told_on_queues(const struct queue_stats *queues, size_t n,
		    const struct err *err, void *arg);
void told_on_workers(const struct worker_info *workers, size_t n,
		     const struct err *err, void *arg);
void told_on_found(const struct queue_found *found, size_t n,
		   const struct err *err, void *arg);
void told_on_page(const struct broker_page *page, const struct err *err,
		  void *arg);
void told_on_value(struct slice value, const struct err *err, void *arg);
void told_on_names(const struct slice *names, size_t n, const struct err *err,
		   void *arg);
void told_on_entries(const struct slice *names, const struct slice *values,
		     size_t n, const struct err *err, void *arg);
void told_on_report(const struct broker_report *report, const struct err *err,
		    void *arg);
void told_on_findings(const struct results_finding *findings, size_t n,
		      const struct err *err, void *arg);
void told_on_requeued(struct broker_requeue *batch, size_t n, void *arg);
void told_on_submitted(struct broker_submit *batch, size_t n, void *arg);
void told_on_list(const struct slice *records, size_t n, struct slice next,
		  const struct err *err, void *arg);
void told_on_counts(const struct results_counts *counts, const struct err *err,
		    void *arg);
void told_on_measured(const struct err *err, void *arg);
void told_on_measures(const struct measure *measures, size_t n,
		      const struct err *err, void *arg);
void told_on_created(struct err *errs, size_t n, void *arg);
void told_on_watched(struct slice record, const struct err *err, void *arg);
void told_on_event(struct slice event, const struct err *err, void *arg);
void told_on_state(bool up, bool final, const struct err *why, void *arg);

#endif
