/* SPDX-License-Identifier: MIT */
/* One-shot timers. */
#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <stdint.h>

#include "suite.h"
#include "util/clock.h"
#include "util/timer.h"

struct seen {
	struct event_base *base;
	struct timer *timer;
	unsigned int n;
	bool pending; /* within the callback */
	bool again;   /* set it once more, from the callback */
};

static void
seen_on_due(void *arg)
{
	struct seen *seen = arg;

	seen->n++;
	seen->pending = timer_pending(seen->timer);
	if (seen->again)
		timer_set_ms(seen->timer, 1);
	seen->again = false;
}

static void
seen_make(struct seen *seen)
{
	*seen = (struct seen){.base = event_base_new()};
	seen->timer = timer_new(seen->base, seen_on_due, seen);
	ck_assert_ptr_nonnull(seen->timer);
}

/* Runs the loop until no timer is pending. */
static void
seen_run(struct seen *seen)
{
	event_base_dispatch(seen->base);
}

static void
seen_drop(struct seen *seen)
{
	timer_free(seen->timer);
	event_base_free(seen->base);
}

START_TEST(a_timer_is_due_once)
{
	int64_t begin = clock_mono_us();
	struct seen seen;

	seen_make(&seen);
	ck_assert(!timer_pending(seen.timer));
	ck_assert_int_eq(timer_set_ms(seen.timer, 20), 0);
	ck_assert(timer_pending(seen.timer));
	seen_run(&seen);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert(!seen.pending);
	ck_assert(!timer_pending(seen.timer));
	/* libevent's clock may be one of coarse ticks. */
	ck_assert_int_ge(clock_mono_us() - begin, 10000);
	seen_drop(&seen);
}
END_TEST

START_TEST(a_later_setting_replaces_the_first)
{
	struct seen seen;

	seen_make(&seen);
	timer_set_ms(seen.timer, 3600 * 1000);
	timer_set_us(seen.timer, 500);
	seen_run(&seen);
	ck_assert_uint_eq(seen.n, 1);
	seen_drop(&seen);
}
END_TEST

START_TEST(what_is_long_past_is_due_in_the_next_turn)
{
	static const int64_t past[] = {0, -1, INT64_MIN};
	struct seen seen;

	seen_make(&seen);
	timer_set_ms(seen.timer, past[_i]);
	ck_assert_uint_eq(seen.n, 0);
	seen_run(&seen);
	ck_assert_uint_eq(seen.n, 1);
	timer_set_us(seen.timer, past[_i]);
	seen_run(&seen);
	ck_assert_uint_eq(seen.n, 2);
	seen_drop(&seen);
}
END_TEST

START_TEST(the_longest_time_does_not_overflow)
{
	struct seen seen;

	seen_make(&seen);
	timer_set_ms(seen.timer, INT64_MAX);
	event_base_loop(seen.base, EVLOOP_NONBLOCK);
	timer_set_us(seen.timer, INT64_MAX);
	event_base_loop(seen.base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(seen.n, 0);
	ck_assert(timer_pending(seen.timer));
	seen_drop(&seen);
}
END_TEST

START_TEST(a_cancelled_timer_is_never_due)
{
	struct seen seen;

	seen_make(&seen);
	timer_cancel(seen.timer);
	timer_set_ms(seen.timer, 1);
	timer_cancel(seen.timer);
	timer_fire(seen.timer);
	timer_cancel(seen.timer);
	ck_assert(!timer_pending(seen.timer));
	seen_run(&seen);
	ck_assert_uint_eq(seen.n, 0);
	seen_drop(&seen);
}
END_TEST

START_TEST(several_fires_are_one_call)
{
	struct seen seen;

	seen_make(&seen);
	timer_set_ms(seen.timer, 3600 * 1000);
	timer_fire(seen.timer);
	timer_fire(seen.timer);
	ck_assert(timer_pending(seen.timer));
	ck_assert_uint_eq(seen.n, 0);
	seen_run(&seen);
	ck_assert_uint_eq(seen.n, 1);
	seen_drop(&seen);
}
END_TEST

START_TEST(a_callback_may_set_its_timer_again)
{
	struct seen seen;

	seen_make(&seen);
	seen.again = true;
	timer_fire(seen.timer);
	seen_run(&seen);
	ck_assert_uint_eq(seen.n, 2);
	seen_drop(&seen);
}
END_TEST

static void
free_on_due(void *arg)
{
	struct timer **timer = arg;

	timer_free(*timer);
	*timer = NULL;
}

START_TEST(a_callback_may_free_its_timer)
{
	struct event_base *base = event_base_new();
	struct timer *timer = timer_new(base, free_on_due, &timer);

	timer_set_ms(timer, 1);
	event_base_dispatch(base);
	ck_assert_ptr_null(timer);
	event_base_free(base);
	timer_free(NULL);
}
END_TEST

static void *
fire_from_thread(void *arg)
{
	timer_fire(arg);
	return NULL;
}

START_TEST(another_thread_may_fire_it)
{
	struct seen seen;
	pthread_t thread;

	evthread_use_pthreads();
	seen_make(&seen);
	/* Keeps the loop there until then, and fails the test if it stays. */
	timer_set_ms(seen.timer, 3600 * 1000);
	ck_assert_int_eq(
	    pthread_create(&thread, NULL, fire_from_thread, seen.timer), 0);
	seen_run(&seen);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(seen.n, 1);
	seen_drop(&seen);
}
END_TEST

SUITE("timer")
{
	TEST(a_timer_is_due_once);
	TEST(a_later_setting_replaces_the_first);
	TEST_LOOP(what_is_long_past_is_due_in_the_next_turn, 0, 3);
	TEST(the_longest_time_does_not_overflow);
	TEST(a_cancelled_timer_is_never_due);
	TEST(several_fires_are_one_call);
	TEST(a_callback_may_set_its_timer_again);
	TEST(a_callback_may_free_its_timer);
	TEST(another_thread_may_fire_it);
}
