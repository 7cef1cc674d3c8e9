/* SPDX-License-Identifier: MIT */
/* All rows of the campaign, in their order in the table. */
#ifndef TESTS_SOAK_ROWS_H
#define TESTS_SOAK_ROWS_H

#include "soak/soak.h"

#define ROWS(X)                                                                \
	X(executor)                                                            \
	X(worker)                                                              \
	X(takeover)                                                            \
	X(limits)                                                              \
	X(limits_clock)                                                        \
	X(greedy)                                                              \
	X(frozen)                                                              \
	X(sigterm)                                                             \
	X(sigterm_hard)                                                        \
	X(sighup)                                                              \
	X(pause)                                                               \
	X(long_pause)                                                          \
	X(slow)                                                                \
	X(half_open)                                                           \
	X(cuts)                                                                \
	X(swallow)                                                             \
	X(redis_killed)                                                        \
	X(broker_away)                                                         \
	X(backend_away)                                                        \
	X(full)                                                                \
	X(readonly)                                                            \
	X(loading)                                                             \
	X(misconf)                                                             \
	X(script_flush)                                                        \
	X(client_kill)                                                         \
	X(password)                                                            \
	X(spool_full)                                                          \
	X(disk_full)                                                           \
	X(clock)                                                               \
	X(redis_clock)                                                         \
	X(failover)                                                            \
	X(cluster_failover)                                                    \
	X(cluster_move)                                                        \
	X(fleet_roll)                                                          \
	X(fleet_twin)                                                          \
	X(fleet_freeze)                                                        \
	X(fleet_log)                                                           \
	X(fleet_short)                                                         \
	X(fleet_executor)                                                      \
	X(fleet_reload)                                                        \
	X(graphs)                                                              \
	X(vanish)                                                              \
	X(handlers)                                                            \
	X(garbage)

#define X(name) extern const struct row row_##name;
ROWS(X)
#undef X

/* How often: in the short form, and in the long one. */
static inline unsigned int
times(const struct scene *s, unsigned int in_short, unsigned int in_long)
{
	return s->thorough ? in_long : in_short;
}

#define ON_BOTH                                                                \
	{                                                                      \
		true, true                                                     \
	}
#define ON_REDIS                                                               \
	{                                                                      \
		true, false                                                    \
	}

#endif
