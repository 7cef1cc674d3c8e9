/* SPDX-License-Identifier: MIT */
/*
 * Waiting for changes. A handle watches from its first question on, until its
 * connection breaks; the question after that is true, since nobody knows what
 * was missed in between.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "schedules/handle.h"
#include "schedules/row.h"
#include "util/clock.h"
#include "util/err.h"

int
schedules_changed(struct schedules *s, bool *ret, struct err *err)
{
	bool changed;

	if (db_enter(s->db, err) != 0 ||
	    s->db->driver->changed(s->db, &changed, err) != 0)
		return -1;
	s->db->watching = true;
	*ret = changed;
	return 0;
}

int
schedules_fd(const struct schedules *s)
{
	return s->db->watching ? s->db->driver->fd(s->db) : -1;
}

int
schedules_poll_ms(const struct schedules *s)
{
	return s->db->poll_ms;
}

/* The shorter one of two, where -1 is for ever. */
static int64_t
shorter(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* Asks before each nap: what a call has read from its connection does not make
 * the descriptor readable any more. A database that cannot tell ends the nap
 * each poll_ms. */
int
schedules_wait(struct schedules *s, int fd, int64_t timeout_ms,
	       enum schedules_woken *ret, struct err *err)
{
	int64_t end = clock_mono_ms() + timeout_ms, left = timeout_ms, nap;
	struct pollfd p[2] = {{.events = POLLIN}, {.events = POLLIN}};
	bool changed;
	int n;

	for (;;) {
		if (schedules_changed(s, &changed, err) != 0)
			return -1;
		*ret = changed ? SCHEDULES_CHANGED : SCHEDULES_TIMEOUT;
		if (changed || left == 0)
			return 0;
		nap = shorter(left, schedules_poll_ms(s));
		p[0].fd = fd;
		p[1].fd = schedules_fd(s);
		n = poll(p, 2, nap > INT_MAX ? INT_MAX : (int)nap);
		if (n < 0 && errno != EINTR)
			return err_sys(err, ERR_SYSTEM, "poll");
		*ret = p[0].revents != 0 && n > 0 ? SCHEDULES_FD
						  : SCHEDULES_TIMEOUT;
		if (n < 0 || *ret == SCHEDULES_FD)
			return 0;
		if (timeout_ms >= 0) {
			left = end - clock_mono_ms();
			left = left > 0 ? left : 0;
		}
	}
}
