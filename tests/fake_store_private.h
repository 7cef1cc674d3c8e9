/* SPDX-License-Identifier: MIT */
/* What the parts of the fake store share: the questions that wait for the loop, and
 * the claims that are not settled. */
#ifndef TESTS_FAKE_STORE_PRIVATE_H
#define TESTS_FAKE_STORE_PRIVATE_H

#include "fake_store.h"

/* The one that there is, and whether it is in reach. */
extern struct fake_store *fake_store_now;
extern bool fake_is_up;

/* A claim, with the bytes that it owns behind it. */
struct fake_claim {
	TAILQ_ENTRY(fake_claim) link;
	struct broker_claim claim;
	char bytes[];
};
TAILQ_HEAD(fake_claims, fake_claim);
/* Those that are not settled. */
extern struct fake_claims fake_claims;
void fake_forget_claim(struct fake_claim *c);

/* Notes an entry. */
void fake_journal(const char *entry);
/* Keeps a copy, with a NUL behind it. */
void fake_keep_text(struct buf *to, struct slice text);

/* A question that is answered in the next turn, or later if it is held; never
 * when who was asked is closed. */
struct fake_question {
	TAILQ_ENTRY(fake_question) link;
	const void *of; /* the broker or backend that was asked */
	bool of_served, of_remove;
	results_record_fn *on_record;
	results_created_fn *on_created;
	broker_value_fn *on_value;
	broker_submitted_fn *on_submitted;
	results_measured_fn *on_measured;
	broker_page_fn *on_page;
	enum broker_location place;
	struct broker_submit *batch;
	struct err *errs;
	size_t n;
	void *arg;
};
TAILQ_HEAD(fake_questions, fake_question);
/* Copies it. */
void fake_ask(struct fake_question question);
/* Those that were put to `of`; all, if it is NULL. */
void fake_drop_questions(const void *of);

#endif
