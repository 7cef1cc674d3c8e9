/* SPDX-License-Identifier: MIT */
/* What the rows about failovers share: a master whose replica lags. */
#ifndef TESTS_SOAK_REPLICAS_H
#define TESTS_SOAK_REPLICAS_H

#include "soak/soak.h"

struct redis_server;

/* How a master ends. */
enum way { WAY_KILL, WAY_STOP, WAY_ASK, WAY_COUNT };

/* Submits tasks that are claimed while the replica lags, and still run when it is
 * the master. It has them as delayed. */
void replicas_submit_long(struct scene *s);
/* The link to the replica is cut, and what the master does from now on is lost with
 * it. (A replica that is only stopped has it in its kernel.) */
void replicas_lag(struct scene *s, struct redis_server *master);
/* Kills it, or stops it, with a replica that lags. */
void replicas_break(struct scene *s, struct redis_server *master, enum way way);
/* It runs again, and may have replicas. */
void replicas_mend(struct redis_server *master, enum way way);

#endif
