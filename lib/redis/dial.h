/* SPDX-License-Identifier: MIT */
/*
 * Reaching a server: resolve its name, and try its addresses one by one.
 */
#ifndef REDIS_DIAL_H
#define REDIS_DIAL_H

#include <stdint.h>

struct err;
struct event_base;
struct redis_dial;
struct redis_url;

/* A connected socket that is the receiver's, or -1 and why. */
typedef void redis_dialed_fn(int fd, const struct err *err, void *arg);

/*
 * Starts; the name is resolved each time. `on_dialed` is called once, from
 * the loop and never from in here, `timeout_ms` later at the latest (resolving
 * not counted). NULL with *err when that is impossible.
 */
struct redis_dial *redis_dial_new(struct event_base *base,
				  const struct redis_url *url,
				  int64_t timeout_ms,
				  redis_dialed_fn *on_dialed, void *arg,
				  struct err *err);
/* Gives up; on_dialed is not called any more. Safe inside on_dialed. */
void redis_dial_free(struct redis_dial *d);

#endif
