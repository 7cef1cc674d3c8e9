/* SPDX-License-Identifier: MIT */
/*
 * Whether this machine's clock can be believed. What is due is claimed by a
 * clock that was compared with the database's: of two machines that share one
 * database, the one that is ahead would drive all schedules, and one whose
 * clock is wrong for some seconds would use up the fires of years.
 *
 * Between two comparisons the time is read from the clock that nobody can set
 * (CLOCK_BOOTTIME). So a clock that is set after it was looked at, and before
 * the claim, does no harm, and an ordinary claim costs no further round trip.
 */
#include "beat/state.h"

#include <inttypes.h>

#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"

/* Against the clock of the boot, which NTP slews as well: only somebody who
 * sets the clock moves it by so much at once. */
#define SET_US INT64_C(500000)
/* What NTP holds easily between two machines. */
#define OFF_MAX_US INT64_C(1000000)
/* A clock that was wrong is put right within minutes, mostly. */
#define STEADY_US INT64_C(3600000000)

void
watch_init(struct beat *b)
{
	b->clock.ahead_us = clock_wall_us() - clock_boot_us();
	b->clock.set_us = clock_boot_us();
}

int64_t
watch_now_us(const struct beat *b)
{
	return clock_boot_us() + b->clock.ahead_us;
}

int64_t
watch_true_us(const struct beat *b)
{
	return watch_now_us(b) - b->clock.off_us;
}

bool
watch_is_steady(const struct beat *b)
{
	return b->clock.off_us == 0 &&
	       clock_boot_us() - b->clock.set_us >= STEADY_US;
}

void
watch_look(struct beat *b)
{
	const int64_t ahead_us = clock_wall_us() - clock_boot_us();
	const int64_t moved_us = ahead_us - b->clock.ahead_us;

	/* What is slewed is followed. */
	b->clock.ahead_us = ahead_us;
	if (moved_us <= SET_US && moved_us >= -SET_US)
		return;
	log_notice("the clock was set %.1f s %s", clock_length_s(moved_us),
		   moved_us < 0 ? "back" : "forward");
	b->clock.set_us = clock_boot_us();
	b->clock.compared = false;
	beat_forget_due(b);
	renew_begin(b);
}

/* A clock that was wrong is as good as one that was set: the next runs may be
 * of another scheduler whose clock was wrong, too. */
static void
compared(struct beat *b, int64_t off_us)
{
	const bool was_off = b->clock.off_us != 0, is_off = off_us != 0;

	b->clock.off_us = off_us;
	b->clock.compared = true;
	if (was_off == is_off)
		return;
	b->at.beat = 0; /* people are to see it */
	if (is_off) {
		log_warning(
		    "this machine's clock is %.1f s %s that of %s; this "
		    "scheduler claims nothing until they agree to a second",
		    clock_length_s(off_us), off_us < 0 ? "behind" : "ahead of",
		    schedules_name(b->db));
		return;
	}
	log_notice("this machine's clock agrees with that of %s again",
		   schedules_name(b->db));
	b->clock.set_us = clock_boot_us();
	beat_forget_due(b);
	renew_begin(b);
}

int
watch_compare(struct beat *b, struct err *err)
{
	int64_t asked_us, answered_us, theirs_us, off_us = 0;

	/* Before the question, so that it shows if the clock's answer comes
	 * over yet another one. */
	if (schedules_connect(b->db, err) != 0)
		return -1;
	if (b->clock.compared &&
	    b->clock.connection == schedules_connections(b->db))
		return 0;
	b->clock.connection = schedules_connections(b->db);
	asked_us = watch_now_us(b);
	if (schedules_clock(b->db, &theirs_us, err) != 0)
		return -1;
	answered_us = watch_now_us(b);
	/* It was read at some moment between. */
	if (theirs_us != 0 && theirs_us < asked_us)
		off_us = asked_us - theirs_us;
	else if (theirs_us > answered_us)
		off_us = answered_us - theirs_us;
	if (off_us <= OFF_MAX_US && off_us >= -OFF_MAX_US)
		off_us = 0;
	compared(b, off_us);
	return 0;
}
