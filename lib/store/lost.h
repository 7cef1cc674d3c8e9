/* SPDX-License-Identifier: MIT */
/*
 * Tasks that may be lost: their records say that they have not ended, but no place
 * of their queue has them. A server was restored from an old copy, say, or a list
 * was deleted; nobody will ever end those records.
 *
 * Housekeeping looks at all records, some each time, and asks for each that is not
 * final whether its task is anywhere: waiting, delayed, set aside, in flight (of
 * any worker, dead ones too) or dead. All places are read in one step of the store,
 * so a task that moves at that moment is in one of them. A task that is nowhere is
 * a suspect: it may only be on its way (its record is stored before it is queued,
 * its last record before it is settled, and a person's command takes it out before
 * it ends it). It is lost if it is still nowhere after lost_ms, and its record is
 * to the byte what it was, which is checked in the same step that ends the record.
 *
 * What is then still somewhere, nobody could see: with a program that keeps it to
 * itself, or in a copy that is restored later. So such an end is not final: the
 * record of one that runs or ends after all takes its place (RESULT_LOST).
 *
 * Suspects are kept in memory: with another worker, which does it then, the wait
 * begins once more. Late is better than wrong.
 */
#ifndef STORE_LOST_H
#define STORE_LOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "util/buf.h"

/* Further ones wait until there is room. */
#define LOST_MAX 5000
/* Of a record: a SHA-1 in hex, with its NUL. */
#define LOST_DIGEST_SIZE 41

struct lost_suspect {
	STAILQ_ENTRY(lost_suspect) link;
	int64_t since_ms; /* monotonic */
	char digest[LOST_DIGEST_SIZE];
	char id[];
};

/* Zeroed by who keeps it, and then lost_init(). The oldest comes first. */
struct lost_suspects {
	STAILQ_HEAD(, lost_suspect) list;
	unsigned int n;
};

void lost_init(struct lost_suspects *s);
void lost_done(struct lost_suspects *s);
/* Takes note of one, unless it is there. */
void lost_add(struct lost_suspects *s, struct slice id,
	      const char digest[LOST_DIGEST_SIZE]);
/* Adds the ids of those that have been suspects for so long, the oldest first, each
 * with a NUL behind; at most so many. They stay until lost_drop_first(). Returns
 * how many; ids->failed may be set. */
unsigned int lost_add_due(const struct lost_suspects *s, int64_t ms,
			  unsigned int most, struct buf *ids);
void lost_drop_first(struct lost_suspects *s);
/* The one of that id, or NULL. */
const struct lost_suspect *lost_find(const struct lost_suspects *s,
				     struct slice id);
static inline bool
lost_is_full(const struct lost_suspects *s)
{
	return s->n >= LOST_MAX;
}

#endif
