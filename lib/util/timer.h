/* SPDX-License-Identifier: MIT */
/*
 * One-shot timers on a libevent loop, with a callback that takes one argument.
 *
 * A timer is either idle or set. When it is due it is idle again, and then
 * on_due(arg) runs on the loop; so the callback may set or free its own timer.
 * After timer_cancel() or timer_free() on the loop's thread the callback does
 * not run.
 *
 * A timer belongs to the loop's thread, but for timer_fire(), which any thread
 * may call if the loop was made with libevent's locks.
 *
 * This lies in lib/util, which has other users of libevent (util/daemon.c):
 * programs that do not use it are not linked with libevent.
 */
#ifndef UTIL_TIMER_H
#define UTIL_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct timer;

/* Makes an idle timer on `base`, which must outlive it. NULL when memory runs
 * out. */
struct timer *timer_new(struct event_base *base, void (*on_due)(void *arg),
			void *arg);
/* Cancels and frees it. NULL is allowed. */
void timer_free(struct timer *t);

/*
 * Sets it to be due after this long, measured from when the loop's turn began;
 * an earlier setting is forgotten. Zero or less: in the next turn. When memory runs out
 * it stays as it was, and -1 is returned.
 */
int timer_set_us(struct timer *t, int64_t us);
int timer_set_ms(struct timer *t, int64_t ms);
/* Makes it due at once: on_due() runs after what is active in the loop now.
 * Any number of calls before that are one. */
void timer_fire(struct timer *t);
/* Makes it idle. */
void timer_cancel(struct timer *t);
/* Whether it is set, or due and on_due() has not begun. */
bool timer_pending(const struct timer *t);

#endif
