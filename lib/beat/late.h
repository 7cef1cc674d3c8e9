/* SPDX-License-Identifier: MIT */
/*
 * Fires in the outbox that can be sent only now, and are too late for it: the
 * destination took nothing, or their scheduler died. They are dropped as their
 * schedule says. For lib/beat only.
 */
#ifndef BEAT_LATE_H
#define BEAT_LATE_H

#include <stdbool.h>
#include <stdint.h>

#include "schedules/schedules.h"

struct beat;
struct err;
struct schedule_fire;
struct schedules_fires;

/* Why this fire is not to become a task any more; SCHEDULE_N_REASONS: it is. */
enum schedule_reason late_reason(const struct schedule_fire *fire,
				 int64_t now_us);
/*
 * Drops those of `fires` that are too late and for certain not queued, and
 * takes out those of which that is not known yet: *ret_unknown is set then, and
 * they are to be judged again after the answers to lookup_ask(), if it has
 * questions. `old`: young ones are left as they are. Of many, the rest is left
 * for another time.
 */
int late_drop(struct beat *b, struct schedules_fires *fires, bool old,
	      bool *ret_unknown, struct err *err);

#endif
