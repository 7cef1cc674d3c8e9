/* SPDX-License-Identifier: MIT */
/* Samples on their way to the loop. */
#include "web/samples.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "suite.h"
#include "util/err.h"

static struct samples *samples;
static int wake;

static void
begin(void)
{
	struct err err;

	wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	samples = samples_new(wake, &err);
	ck_assert_ptr_nonnull(samples);
}

/* How often the loop was woken since the last time. */
static uint64_t
woken(void)
{
	uint64_t n;

	return read(wake, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static size_t
taken(void)
{
	struct sample *sample;
	size_t n;

	for (n = 0; (sample = samples_take(samples)) != NULL; n++)
		sample_free(sample);
	return n;
}

static void
put(enum sample_kind kind)
{
	samples_put(samples, sample_new(kind, "t"));
}

START_TEST(states_of_one_turn_wake_the_loop_once)
{
	begin();
	put(SAMPLE_STATE);
	put(SAMPLE_STATE);
	ck_assert_uint_eq(woken(), 2);
	samples_hold(samples);
	put(SAMPLE_STATE);
	put(SAMPLE_STATE);
	ck_assert_uint_eq(woken(), 0);
	/* Another thread's. */
	put(SAMPLE_EVENT);
	ck_assert_uint_eq(woken(), 1);
	samples_release(samples);
	ck_assert_uint_eq(woken(), 1);
	ck_assert_uint_eq(taken(), 5);
	samples_hold(samples);
	samples_release(samples);
	ck_assert_uint_eq(woken(), 0);
	samples_free(samples);
	close(wake);
}
END_TEST

SUITE("web-samples")
{
	TEST(states_of_one_turn_wake_the_loop_once);
}
