/* SPDX-License-Identifier: MIT */
/*
 * Log entries on their way to a thread that may block.
 *
 * Standard error can be a pipe whose reader has stopped, and the journal a
 * socket that is full: a writer sleeps there until somebody reads. A
 * daemon's loop must not, or its heartbeat lapses and another worker runs its
 * tasks again. So it hands its entries to one thread. What has no room is
 * dropped and counted, and the count is logged in its place.
 */
#ifndef UTIL_LOG_QUEUE_H
#define UTIL_LOG_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct log_entry;

/* Writes an entry, in the thread. After `lost` entries it gets NULL, and how
 * many they are. */
typedef void log_queue_write_fn(const struct log_entry *entry,
				unsigned long lost);

/* Starts the thread; -1 with errno. At most once until log_queue_stop(). */
int log_queue_start(log_queue_write_fn *write);

/* Queues a copy. False: there is no thread, and the caller writes it. */
bool log_queue_put(const struct log_entry *entry);

/* Waits until all is written, for at most wait_us (the rest is lost), and ends
 * the thread. Nothing may be put at the same time. */
void log_queue_stop(int64_t wait_us);

#endif
