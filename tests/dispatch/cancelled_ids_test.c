/* SPDX-License-Identifier: MIT */
#include "dispatch/cancelled_ids.h"

#include <stdio.h>

#include "core/task.h"
#include "suite.h"
#include "util/clock.h"

static int64_t now_us = INT64_C(1795434788846827);

static int64_t
fixed_us(void)
{
	return now_us;
}

static struct cancelled_ids *
begin(void)
{
	static const struct clock_source source = {.mono_us = fixed_us,
						   .wall_us = fixed_us};
	struct cancelled_ids *e = cancelled_ids_new();

	ck_assert_ptr_nonnull(e);
	clock_replace(&source);
	return e;
}

static bool
taken(struct cancelled_ids *e, const char *id)
{
	return cancelled_ids_take(e, &(struct task){.id = id});
}

START_TEST(an_order_meets_its_task_once)
{
	struct cancelled_ids *e = begin();

	ck_assert(!taken(e, "a"));
	cancelled_ids_add(e, SLICE("a"));
	cancelled_ids_add(e, SLICE("b"));
	cancelled_ids_add(e, SLICE("a"));
	ck_assert(!taken(e, "c"));
	ck_assert(taken(e, "a"));
	ck_assert(!taken(e, "a"));
	ck_assert(taken(e, "b"));
	cancelled_ids_free(e);
}
END_TEST

START_TEST(an_order_is_kept_for_ten_seconds)
{
	struct cancelled_ids *e = begin();

	cancelled_ids_add(e, SLICE("a"));
	now_us += 6000000;
	cancelled_ids_add(e, SLICE("b"));
	now_us += 5000000;
	ck_assert(!taken(e, "a"));
	ck_assert(taken(e, "b"));
	cancelled_ids_free(e);
}
END_TEST

START_TEST(an_order_that_is_given_again_is_kept_as_long_again)
{
	struct cancelled_ids *e = begin();

	cancelled_ids_add(e, SLICE("a"));
	now_us += 6000000;
	cancelled_ids_add(e, SLICE("a"));
	now_us += 6000000;
	ck_assert(taken(e, "a"));
	cancelled_ids_free(e);
}
END_TEST

START_TEST(a_task_that_was_submitted_later_is_another)
{
	struct task task = {.id = "a", .submitted_us = now_us};
	struct cancelled_ids *e = begin();

	cancelled_ids_add(e, SLICE("a"));
	ck_assert(cancelled_ids_take(e, &task));
	cancelled_ids_add(e, SLICE("a"));
	task.submitted_us++;
	ck_assert(!cancelled_ids_take(e, &task));
	cancelled_ids_free(e);
}
END_TEST

START_TEST(the_oldest_of_too_many_orders_goes)
{
	struct cancelled_ids *e = begin();
	char id[16];
	int i;

	for (i = 0; i < CANCELLED_IDS_MAX + 1; i++) {
		snprintf(id, sizeof(id), "%d", i);
		cancelled_ids_add(e, slice_of(id));
	}
	ck_assert(!taken(e, "0"));
	for (i = 1; i < CANCELLED_IDS_MAX + 1; i++) {
		snprintf(id, sizeof(id), "%d", i);
		ck_assert(taken(e, id));
	}
	cancelled_ids_free(e);
	cancelled_ids_free(NULL);
}
END_TEST

SUITE("cancelled-ids")
{
	TEST(an_order_meets_its_task_once);
	TEST(an_order_is_kept_for_ten_seconds);
	TEST(an_order_that_is_given_again_is_kept_as_long_again);
	TEST(a_task_that_was_submitted_later_is_another);
	TEST(the_oldest_of_too_many_orders_goes);
}
