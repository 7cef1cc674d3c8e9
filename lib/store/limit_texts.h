/* SPDX-License-Identifier: MIT */
/* What the stores' changes of limits share: a change as texts, and their order. */
#ifndef STORE_LIMIT_TEXTS_H
#define STORE_LIMIT_TEXTS_H

#include "store/admin.h"

/* As the stores keep them (core/limit.h). Begins as zeros. */
struct limit_texts {
	struct buf scope;
	struct buf rule; /* empty: it goes */
	struct buf by;	 /* as broker_limit_change.by */
};

/* 0, or -1 with *err. */
int limit_texts_write(struct limit_texts *t,
		      const struct broker_limit_change *change,
		      struct err *err);
/* The rule with its worker, or without a rule if it restores. */
int limit_texts_declare(struct limit_texts *t,
			const struct broker_declaration *declaration,
			struct err *err);
void limit_texts_done(struct limit_texts *t);

/* There are LIMIT_RULES_MAX already. Returns -1. */
int limits_set_full(struct err *err, const char *queue);
/* In the order in which they are shown: by kind, then by key. */
void limits_sort(struct broker_limit *limits, size_t n);

#endif
