/* SPDX-License-Identifier: MIT */
/*
 * A queue with tasks of many priorities, more than a store looks into at once: each
 * is shown, found, counted and taken out once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/admin_scene.h"

/* Priorities from -TOP to TOP, a task of each. */
#define TOP 300
#define N (2 * TOP + 1)

static void
fill(void)
{
	struct broker_submit *tasks = calloc(N, sizeof(*tasks));
	char(*bytes)[24] = calloc(N, sizeof(*bytes));
	int i;

	for (i = 0; i < N; i++) {
		snprintf(bytes[i], sizeof(bytes[i]), "{\"id\":\"p%d\"}",
			 TOP - i);
		tasks[i] = (struct broker_submit){.queue = "io",
						  .id = SLICE("id"),
						  .bytes = slice_of(bytes[i]),
						  .priority = TOP - i};
	}
	party_submit_batch(op.producer, tasks, N);
	free(bytes);
	free(tasks);
}

/* What was told goes on with the priorities that are left: those from `*at` down
 * that `gone` does not name. */
static void
ck_page(int *at, int gone)
{
	char text[24];
	size_t i;

	for (i = 0; i < op.told.n; i++, --*at) {
		if (*at == gone)
			--*at;
		snprintf(text, sizeof(text), "{\"id\":\"p%d\"}", *at);
		ck_assert_str_eq(op.told.texts[i][0], text);
		ck_assert_int_eq(op.told.items[i].priority, *at);
	}
}

/* From the page of the cursor on all are there, once, but the one that has gone. */
static void
ck_pages(const char *first, int at, int gone)
{
	char cursor[sizeof(op.told.next)];

	snprintf(cursor, sizeof(cursor), "%s", first);
	do {
		op_view(op.producer, BROKER_WAITING, cursor, 100);
		ck_page(&at, gone);
		snprintf(cursor, sizeof(cursor), "%s", op.told.next);
	} while (cursor[0] != '\0');
	ck_assert_int_eq(at, -TOP - 1);
}

/* The one that runs last first. A larger number is a lesser priority. */
START_TEST(all_priorities_are_shown_once)
{
	op_open(_i);
	fill();
	ck_pages("", TOP, N);
	op_close();
}
END_TEST

/* That with which the next page would begin. */
START_TEST(a_priority_that_goes_between_two_pages_takes_none_with_it)
{
	char cursor[sizeof(op.told.next)] = "", id[16];
	int at = TOP, gone;

	op_open(_i);
	fill();
	op_view(op.producer, BROKER_WAITING, cursor, 100);
	ck_page(&at, N);
	ck_assert_uint_gt(op.told.n, 0);
	snprintf(cursor, sizeof(cursor), "%s", op.told.next);
	gone = at;
	snprintf(id, sizeof(id), "p%d", gone);
	ck_assert(op_withdraw(op.producer, id));
	ck_pages(cursor, at, gone);
	op_close();
}
END_TEST

START_TEST(all_priorities_are_counted_and_searched)
{
	static const int some[] = {TOP, TOP - 64, 1, 0, -1, -TOP};
	char id[16];
	size_t i;

	op_open(_i);
	fill();
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, N);
	for (i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		snprintf(id, sizeof(id), "p%d", some[i]);
		ck_assert_msg(op_withdraw(op.producer, id), "%s", id);
		ck_assert_msg(!op_withdraw(op.producer, id), "%s, again", id);
	}
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, N - (int)i);
	op_close();
}
END_TEST

START_TEST(all_priorities_are_purged)
{
	size_t n = 0;
	int rounds = 0;

	op_open(_i);
	fill();
	do {
		op_purge(op.producer, BROKER_PAGE_MAX);
		n += op.told.n;
		ck_assert_int_lt(++rounds, N);
	} while (op.told.next[0] != '\0');
	ck_assert_uint_eq(n, N);
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, 0);
	op_close();
}
END_TEST

START_TEST(all_priorities_are_claimed_in_their_order)
{
	char text[24];
	int i;

	op_open(_i);
	fill();
	op_take(op.worker, N);
	for (i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "{\"id\":\"p%d\"}", i - TOP);
		ck_assert_msg(party_has(op.worker, (size_t)i, text), "%d", i);
	}
	op_close();
}
END_TEST

#define CASES(kind)                                                            \
	X(all_priorities_are_shown_once, kind)                                 \
	X(a_priority_that_goes_between_two_pages_takes_none_with_it, kind)     \
	X(all_priorities_are_counted_and_searched, kind)                       \
	X(all_priorities_are_purged, kind)                                     \
	X(all_priorities_are_claimed_in_their_order, kind)
OPERATE_SUITES
