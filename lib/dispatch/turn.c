/* SPDX-License-Identifier: MIT */
/*
 * What all files of the dispatcher ask of it: another turn, whether it stops,
 * how long records live. What happens in a turn is in dispatch.c.
 */
#include "dispatch/state.h"

void
dispatch_turn(struct dispatch *d)
{
	if (d->turn_comes)
		return;
	event_active(d->turn, EV_TIMEOUT, 0);
	d->turn_comes = true;
}

bool
dispatch_is_stopping(const struct dispatch *d)
{
	return d->phase != PHASE_RUNNING;
}

int64_t
dispatch_ttl_s(const struct dispatch *d)
{
	return (d->conf->backend.ttl + 999999) / 1000000;
}
