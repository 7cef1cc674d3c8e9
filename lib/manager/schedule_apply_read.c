/* SPDX-License-Identifier: MIT */
/*
 * What is in the database, for a file of schedules to be compared with.
 *
 * All of it is held while the file is applied: the plans borrow from it. A
 * schedule takes about a kilobyte, so that ten thousand are no trouble.
 */
#include <stdlib.h>
#include <string.h>

#include "manager/schedule_apply_private.h"
#include "util/err.h"

/* Up to so many schedules are asked for by their IDs; beyond, all are read. */
#define FEW 50
#define PAGE 10000

/* The list stays, since all else points into it. */
int
applying_add(struct applying *ap, struct schedules_list *page, struct err *err)
{
	const size_t n = ap->n_there + page->n;
	struct schedules_list **pages =
	    reallocarray(ap->pages, ap->n_pages + 1, sizeof(void *));
	const struct schedule **there;
	size_t i;

	if (pages != NULL)
		ap->pages = pages;
	there = reallocarray(ap->there, n + 1, sizeof(void *));
	if (there != NULL)
		ap->there = there;
	if (pages == NULL || there == NULL) {
		schedules_list_free(page);
		return err_nomem(err);
	}
	ap->pages[ap->n_pages++] = page;
	for (i = 0; i < page->n; i++)
		ap->there[ap->n_there++] = &page->items[i];
	return 0;
}

/* All databases have the same order: that of bytes. */
static int
compare_there(const void *a, const void *b)
{
	return strcmp((*(const struct schedule *const *)a)->id,
		      (*(const struct schedule *const *)b)->id);
}

const struct schedule *
applying_find(const struct applying *ap, const char *id)
{
	const struct schedule key = {.id = id}, *p = &key, *const *found = NULL;

	if (ap->n_there > 0)
		found = bsearch(&p, ap->there, ap->n_there, sizeof(void *),
				compare_there);
	return found != NULL ? *found : NULL;
}

/* Of a small file only its own: there may be a million others. */
static int
read_few(struct applying *ap, struct err *err)
{
	struct schedules_list *page;
	struct err why;
	size_t i;

	for (i = 0; i < ap->file->n; i++) {
		why = (struct err)ERR_INIT;
		if (schedules_get(ap->db, ap->file->entries[i].form.id, &page,
				  &why) == 0) {
			if (applying_add(ap, page, err) != 0)
				return -1;
		} else if (why.code != ERR_NOT_FOUND) {
			return err_set(err, why.code, "%s", why.msg);
		}
	}
	return 0;
}

/* In pages, so that no answer is longer than the database's limit; they are not
 * one moment of it, but each step compares again what it was planned by. */
int
applying_read(struct applying *ap, struct err *err)
{
	struct schedules_filter filter = {.limit = PAGE};
	struct schedules_list *page;
	struct err why = ERR_INIT;
	size_t n = 0;

	if (ap->file->n <= FEW && !ap->a->prune) {
		if (read_few(ap, err) != 0)
			return -1;
	} else {
		do {
			if (schedules_list(ap->db, &filter, &page, &why) != 0) {
				/* A dry run makes no file: there is none. */
				if (ap->a->dry_run && why.code == ERR_NOT_FOUND)
					return 0;
				return err_set(err, why.code, "%s", why.msg);
			}
			if (applying_add(ap, page, err) != 0)
				return -1;
			if ((n = page->n) > 0)
				filter.after = page->items[n - 1].id;
		} while (n == PAGE);
	}
	if (ap->n_there > 0)
		qsort(ap->there, ap->n_there, sizeof(void *), compare_there);
	return 0;
}
