/* SPDX-License-Identifier: MIT */
/*
 * Lists of fires: as they are gathered by a claim or read from the outbox, and
 * as they are returned. The caller gets one thing to free.
 */
#include "schedules/fires.h"
#include "schedules/claim.h"

#include <stdlib.h>
#include <string.h>

/* For NULL: the texts lie in one block, four for each fire, in the order of
 * fires_add(); a missing one would shift the rest. */
static const char *const empty = "";

/* With its NUL, which is where the next one begins. */
static void
add_text(struct fires *f, const char *text)
{
	if (text == NULL)
		text = empty;
	buf_add(&f->texts, text, strlen(text) + 1);
}

int
fires_add(struct fires *f, const struct schedule_fire *fire)
{
	struct schedule_fire *grown;
	/* Most claims are of one fire or some. */
	size_t cap = f->cap == 0 ? 16 : f->cap * 2;

	if (f->list.n == f->cap) {
		grown = reallocarray(f->list.items, cap, sizeof(*grown));
		if (grown == NULL) {
			f->texts.failed = true;
			return -1;
		}
		f->list.items = grown;
		f->cap = cap;
	}
	f->list.items[f->list.n++] = *fire;
	add_text(f, fire->schedule);
	add_text(f, fire->task_id);
	add_text(f, fire->queue);
	add_text(f, fire->body);
	return f->texts.failed ? -1 : 0;
}

static const char *
next_text(const char **p)
{
	const char *text = *p;

	*p += strlen(text) + 1;
	return text;
}

/* Texts are found by walking the block once, so that no places need be kept
 * while it grows. */
int
fires_seal(struct fires *f)
{
	const char *p = f->texts.data;
	size_t i;

	if (f->texts.failed)
		return -1;
	for (i = 0; i < f->list.n; i++) {
		f->list.items[i].schedule = next_text(&p);
		f->list.items[i].task_id = next_text(&p);
		f->list.items[i].queue = next_text(&p);
		f->list.items[i].body = next_text(&p);
	}
	return 0;
}

/* `list` is the first member of what is given away: schedules_fires_free()
 * casts it back. */
struct schedules_fires *
fires_take(struct fires *f)
{
	struct fires *taken = malloc(sizeof(*taken));

	if (taken == NULL)
		return NULL;
	*taken = *f;
	*f = (struct fires){.cap = 0};
	return &taken->list;
}

void
fires_done(struct fires *f)
{
	buf_done(&f->texts);
	free(f->list.items);
	*f = (struct fires){.cap = 0};
}

void
schedules_fires_free(struct schedules_fires *list)
{
	struct fires *f = (struct fires *)list;

	if (f == NULL)
		return;
	fires_done(f);
	free(f);
}
