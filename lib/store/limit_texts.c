/* SPDX-License-Identifier: MIT */
/* What the stores' changes of limits share: a change as texts, and their order. */
#include "store/limit_texts.h"

#include <stdlib.h>

int
limit_texts_write(struct limit_texts *t,
		  const struct broker_limit_change *change, struct err *err)
{
	limit_scope_write(&change->rule, &t->scope);
	if (!change->unset)
		limit_rule_write(&change->rule, &t->rule);
	buf_add(&t->by, change->by.p, change->by.len);
	return t->scope.failed || t->rule.failed || t->by.failed
		   ? err_nomem(err)
		   : 0;
}

int
limit_texts_declare(struct limit_texts *t,
		    const struct broker_declaration *declaration,
		    struct err *err)
{
	const struct broker_limit_change change = {.rule = declaration->rule,
						   .by = declaration->by,
						   .unset =
						       declaration->restores};

	limit_texts_write(t, &change, NULL);
	if (!declaration->restores)
		limit_rule_sign(&t->rule, declaration->worker);
	return t->scope.failed || t->rule.failed || t->by.failed
		   ? err_nomem(err)
		   : 0;
}

void
limit_texts_done(struct limit_texts *t)
{
	buf_done(&t->scope);
	buf_done(&t->rule);
	buf_done(&t->by);
}

int
limits_set_full(struct err *err, const char *queue)
{
	return err_set(err, ERR_FULL,
		       "queue %s has %d limits, and cannot have more", queue,
		       LIMIT_RULES_MAX);
}

static int
limits_compare(const void *a, const void *b)
{
	const struct limit_rule *x = &((const struct broker_limit *)a)->rule,
				*y = &((const struct broker_limit *)b)->rule;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return slice_cmp(x->key, y->key);
}

void
limits_sort(struct broker_limit *limits, size_t n)
{
	qsort(limits, n, sizeof(*limits), limits_compare);
}
