/* SPDX-License-Identifier: MIT */
/* Tasks that may be lost. */
#include "store/lost.h"

#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

void
lost_init(struct lost_suspects *s)
{
	STAILQ_INIT(&s->list);
	s->n = 0;
}

void
lost_done(struct lost_suspects *s)
{
	while (s->n > 0)
		lost_drop_first(s);
}

/* They are few, but after a disaster; then the list is full soon. */
const struct lost_suspect *
lost_find(const struct lost_suspects *s, struct slice id)
{
	const struct lost_suspect *suspect;

	STAILQ_FOREACH (suspect, &s->list, link)
		if (slice_eq(slice_of(suspect->id), id))
			return suspect;
	return NULL;
}

/* What there is no memory for is found once more. */
void
lost_add(struct lost_suspects *s, struct slice id,
	 const char digest[LOST_DIGEST_SIZE])
{
	struct lost_suspect *suspect;

	if (lost_is_full(s) || lost_find(s, id) != NULL ||
	    (suspect = calloc(1, sizeof(*suspect) + id.len + 1)) == NULL)
		return;
	suspect->since_ms = clock_mono_ms();
	memcpy(suspect->digest, digest, LOST_DIGEST_SIZE);
	memcpy(suspect->id, id.p, id.len);
	STAILQ_INSERT_TAIL(&s->list, suspect, link);
	s->n++;
}

unsigned int
lost_add_due(const struct lost_suspects *s, int64_t ms, unsigned int most,
	     struct buf *ids)
{
	const int64_t now_ms = clock_mono_ms();
	const struct lost_suspect *suspect;
	unsigned int n = 0;

	STAILQ_FOREACH (suspect, &s->list, link) {
		if (n == most || now_ms - suspect->since_ms < ms)
			break;
		buf_add(ids, suspect->id, strlen(suspect->id) + 1);
		n++;
	}
	return n;
}

void
lost_drop_first(struct lost_suspects *s)
{
	struct lost_suspect *first = STAILQ_FIRST(&s->list);

	STAILQ_REMOVE_HEAD(&s->list, link);
	s->n--;
	free(first);
}
