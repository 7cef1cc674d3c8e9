/* SPDX-License-Identifier: MIT */
/* How often: failed logins of a network and of a user, and changes of a user. */
#include <stdio.h>

#include "suite.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/access.h"

static struct access_limits *limits;
static int64_t now_us = 1000000000;

static int64_t
limits_now(void)
{
	return now_us;
}

static void
limits_begin(void)
{
	static const struct clock_source clock = {.mono_us = limits_now};
	struct err err;

	clock_replace(&clock);
	ck_assert_ptr_nonnull(limits = access_limits_new(&err));
}

static void
limits_end(void)
{
	clock_replace(NULL);
	access_limits_free(limits);
}

START_TEST(after_five_failed_logins_an_address_waits_twice_as_long_each_time)
{
	int i;

	for (i = 0; i < 4; i++)
		access_login_failed(limits, "192.0.2.1", NULL);
	ck_assert_int_eq(access_login_wait(limits, "192.0.2.1", NULL), 0);
	access_login_failed(limits, "192.0.2.1", NULL);
	ck_assert_int_eq(access_login_wait(limits, "192.0.2.1", NULL), 60);
	ck_assert_int_eq(access_login_wait(limits, "192.0.2.2", NULL), 0);
	now_us += 61000000;
	ck_assert_int_eq(access_login_wait(limits, "192.0.2.1", NULL), 0);
	access_login_failed(limits, "192.0.2.1", NULL);
	ck_assert_int_eq(access_login_wait(limits, "192.0.2.1", NULL), 120);
	for (i = 0; i < 20; i++)
		access_login_failed(limits, "192.0.2.1", NULL);
	ck_assert_int_eq(access_login_wait(limits, "192.0.2.1", NULL), 3600);
	access_login_succeeded(limits, "192.0.2.1", NULL);
	ck_assert_int_eq(access_login_wait(limits, "192.0.2.1", NULL), 0);
}
END_TEST

START_TEST(failed_logins_that_are_minutes_apart_are_not_counted_together)
{
	int i;

	for (i = 0; i < 20; i++) {
		access_login_failed(limits, "192.0.2.1", NULL);
		now_us += 20000000;
		ck_assert_int_eq(access_login_wait(limits, "192.0.2.1", NULL),
				 0);
	}
}
END_TEST

START_TEST(the_addresses_of_one_ipv6_subscriber_are_counted_together)
{
	char peer[64];
	int i;

	for (i = 0; i < 5; i++) {
		snprintf(peer, sizeof(peer), "2001:db8:0:1::%x", i);
		access_login_failed(limits, peer, NULL);
	}
	ck_assert_int_gt(
	    access_login_wait(limits, "2001:db8:0:1:9:9:9:9", NULL), 0);
	ck_assert_int_eq(access_login_wait(limits, "2001:db8:0:2::1", NULL), 0);
	for (i = 0; i < 5; i++)
		access_login_failed(limits, "::ffff:192.0.2.77", NULL);
	ck_assert_int_gt(access_login_wait(limits, "192.0.2.77", NULL), 0);
}
END_TEST

START_TEST(guesses_at_one_user_from_many_addresses_are_counted_together)
{
	char peer[32];
	int i;

	access_login_succeeded(limits, "192.0.2.1", "alice");
	for (i = 0; i < 20; i++) {
		snprintf(peer, sizeof(peer), "198.51.100.%d", i);
		ck_assert_int_eq(access_login_wait(limits, peer, "alice"), 0);
		access_login_failed(limits, peer, "alice");
	}
	ck_assert_int_eq(access_login_wait(limits, "203.0.113.1", "alice"), 60);
	/* Others, and alice where she works, are not kept out. */
	ck_assert_int_eq(access_login_wait(limits, "203.0.113.1", "bob"), 0);
	ck_assert_int_eq(access_login_wait(limits, "203.0.113.1", NULL), 0);
	ck_assert_int_eq(access_login_wait(limits, "192.0.2.1", "alice"), 0);
	access_login_failed(limits, "203.0.113.1", "alice");
	ck_assert_int_eq(access_login_wait(limits, "203.0.113.1", "alice"), 60);
	/* That she is in does not end it: guesses would go on behind her. */
	access_login_succeeded(limits, "192.0.2.1", "alice");
	ck_assert_int_eq(access_login_wait(limits, "203.0.113.1", "alice"), 60);
	now_us += 61000000;
	ck_assert_int_eq(access_login_wait(limits, "203.0.113.1", "alice"), 0);
}
END_TEST

START_TEST(a_login_of_ones_own_buys_no_guesses_at_another_user)
{
	int i;

	for (i = 0; i < 20; i++) {
		access_login_failed(limits, "192.0.2.1", "alice");
		access_login_succeeded(limits, "192.0.2.1", "mallory");
	}
	ck_assert_int_gt(access_login_wait(limits, "192.0.2.1", "alice"), 0);
}
END_TEST

START_TEST(a_user_makes_twenty_changes_a_second)
{
	int i, n = 0;

	while (access_write(limits, "a"))
		n++;
	ck_assert_int_eq(n, 40);
	ck_assert(access_write(limits, "b"));
	for (i = 0, n = 0; i < 100; i++) {
		now_us += 10000;
		n += access_write(limits, "a");
	}
	ck_assert_int_ge(n, 19);
	ck_assert_int_le(n, 21);
}
END_TEST

START_TEST(a_submitter_has_a_rate_of_tasks_and_ten_seconds_of_it_at_once)
{
	ck_assert_int_eq(access_submit(limits, "anna", 1001, 100), -1);
	ck_assert_int_eq(access_submit(limits, "anna", 1000, 100), 0);
	ck_assert_int_gt(access_submit(limits, "anna", 250, 100), 2);
	/* Of one user alone, and what was refused costs nothing. */
	ck_assert_int_eq(access_submit(limits, "bert", 1000, 100), 0);
	now_us += 2500000;
	ck_assert_int_eq(access_submit(limits, "anna", 250, 100), 0);
	ck_assert_int_gt(access_submit(limits, "anna", 1, 100), 0);
}
END_TEST

START_TEST(a_submitter_asks_fifty_questions_a_second)
{
	int i;

	for (i = 0; i < 100; i++)
		ck_assert(access_read(limits, "anna"));
	ck_assert(!access_read(limits, "anna"));
	ck_assert(access_read(limits, "bert"));
	now_us += 1000000;
	for (i = 0; i < 50; i++)
		ck_assert(access_read(limits, "anna"));
	ck_assert(!access_read(limits, "anna"));
}
END_TEST

START_TEST(made_up_names_take_no_more_memory_and_forget_nobody_at_work)
{
	char name[32];
	int i;

	for (i = 0; i < 5; i++)
		access_login_failed(limits, "192.0.2.1", NULL);
	for (i = 0; i < 1000; i++) {
		now_us += 1000;
		snprintf(name, sizeof(name), "198.51.100.%d", i);
		access_login_failed(limits, name, NULL);
	}
	ck_assert_int_gt(access_login_wait(limits, "192.0.2.1", NULL), 0);
}
END_TEST

SUITE("web-limits")
{
	tcase_add_checked_fixture(suite_case_, limits_begin, limits_end);
	TEST(after_five_failed_logins_an_address_waits_twice_as_long_each_time);
	TEST(failed_logins_that_are_minutes_apart_are_not_counted_together);
	TEST(the_addresses_of_one_ipv6_subscriber_are_counted_together);
	TEST(guesses_at_one_user_from_many_addresses_are_counted_together);
	TEST(a_login_of_ones_own_buys_no_guesses_at_another_user);
	TEST(a_user_makes_twenty_changes_a_second);
	TEST(a_submitter_has_a_rate_of_tasks_and_ten_seconds_of_it_at_once);
	TEST(a_submitter_asks_fifty_questions_a_second);
	TEST(made_up_names_take_no_more_memory_and_forget_nobody_at_work);
}
