/* SPDX-License-Identifier: MIT */
/*
 * A program, from state to state: its number, its end, and how it waits for
 * what is short.
 */
#include "spawn/spawner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/limits.h"
#include "util/timer.h"

/* While something is short, and no program of ours ends: others may have given
 * it back. A person does not notice it, and four tries a second cost nothing. */
#define SHORT_MS 250

/* --- numbers ------------------------------------------------------------- */

int
program_take_number(struct spawner *s, struct spawn *p)
{
	struct spawn **more;
	size_t cap;

	while (s->free_from < s->cap && s->table[s->free_from] != NULL)
		s->free_from++;
	if (s->free_from == s->cap) {
		cap = s->cap ? s->cap * 2 : 64;
		more = reallocarray(s->table, cap, sizeof(void *));
		if (more == NULL)
			return -1;
		memset(more + s->cap, 0, (cap - s->cap) * sizeof(void *));
		s->table = more;
		s->cap = cap;
	}
	p->number = (uint32_t)s->free_from;
	s->table[p->number] = p;
	return 0;
}

static void
program_give_number(struct spawner *s, const struct spawn *p)
{
	s->table[p->number] = NULL;
	if (p->number < s->free_from)
		s->free_from = p->number;
}

/* --- the end of a program ------------------------------------------------ */

void
program_drop_input(struct spawn *p)
{
	buf_done(&p->input);
	if (p->input_fd >= 0)
		close(p->input_fd);
	p->input_fd = -1;
}

void
program_free(struct spawn *p)
{
	output_close(p, 0);
	output_close(p, 1);
	buf_done(&p->orders);
	program_drop_input(p);
	free(p->program);
	free(p);
}

void
program_end(struct spawn *p)
{
	struct spawner *s = p->spawner;

	if (p->state == ASKED)
		s->asked--;
	/* It may have given back what others wait for. */
	s->is_short = false;
	if (p->state != WAITING)
		program_give_number(s, p);
	TAILQ_REMOVE(p->state == WAITING ? &s->waiting : &s->started, p, link);
	TAILQ_INSERT_TAIL(&s->over, p, link);
	p->state = OVER;
	timer_fire(s->turn);
}

/* Linux takes 32 pages in one argument or variable (MAX_ARG_STRLEN), and of all
 * of them a quarter of the limit on the stack, 6 MiB at most (execve(2)). */
static void
program_explain_size(char *text, size_t size)
{
	const long page = sysconf(_SC_PAGESIZE);

	snprintf(text, size,
		 " (the kernel takes %ld KiB in one argument or variable, and "
		 "%ld KiB in all; let the command read them from its standard "
		 "input, which has the task as JSON)",
		 32 * page / 1024, sysconf(_SC_ARG_MAX) / 1024);
}

void
program_fail(struct spawn *p, const char *step, int sys)
{
	char size[256] = "";

	if (sys == E2BIG)
		program_explain_size(size, sizeof(size));
	snprintf(p->why, sizeof(p->why), "cannot start %s: could not %s: %s%s",
		 p->program, step, strerrordesc_np(sys), size);
	p->end = (struct spawn_end){.why = p->why, .sys = sys};
	program_end(p);
}

void
program_tell_ends(struct spawner *s)
{
	struct spawn *p;

	while ((p = TAILQ_FIRST(&s->over)) != NULL) {
		TAILQ_REMOVE(&s->over, p, link);
		/* First: callers expect no output after the end. Not when the
		 * end came: the pipe may hold what was written before. */
		output_drain_program(p);
		p->on_end(p->arg, &p->end);
		program_free(p);
	}
}

/* --- what is short ------------------------------------------------------- */

static size_t
program_count_waiting(const struct spawner *s)
{
	const struct spawn *p;
	size_t n = 0;

	TAILQ_FOREACH (p, &s->waiting, link)
		n++;
	return n;
}

/* `step` completes "could not". */
static void
program_tell_short(struct spawner *s, struct spawn *p, const char *step,
		   int sys)
{
	char limit[LIMITS_TEXT_MAX], why[ERR_MSG_MAX];

	if (p->on_short == NULL || !limits_warning_due(sys))
		return;
	limits_explain(sys, limit);
	snprintf(why, sizeof(why),
		 "%zu commands wait until others end; could not %s for %s: %s: "
		 "%s",
		 program_count_waiting(s), step, p->program,
		 strerrordesc_np(sys), limit);
	p->on_short(p->arg, why);
}

/* Back among those that wait, in the order in which they came: others that were
 * asked for with it may have come back before. */
static void
program_wait_again(struct spawn *p)
{
	struct spawner *s = p->spawner;
	struct spawn *next = TAILQ_FIRST(&s->waiting);

	if (p->state != WAITING) {
		s->asked--;
		program_give_number(s, p);
		TAILQ_REMOVE(&s->started, p, link);
		while (next != NULL && next->serial < p->serial)
			next = TAILQ_NEXT(next, link);
		if (next != NULL)
			TAILQ_INSERT_BEFORE(next, p, link);
		else
			TAILQ_INSERT_TAIL(&s->waiting, p, link);
		p->state = WAITING;
	}
	output_close(p, 0);
	output_close(p, 1);
}

void
program_not_begun(struct spawn *p, const char *step, int sys)
{
	struct spawner *s = p->spawner;

	if (!limits_is_short(sys)) {
		program_fail(p, step, sys);
		return;
	}
	program_wait_again(p);
	if (p->signalled || p->withdrawn) {
		program_fail(p, "begin before it was told to end", ECANCELED);
		return;
	}
	s->asked_max = 1;
	s->is_short = true;
	s->shorts++;
	timer_set_ms(s->again, SHORT_MS);
	program_tell_short(s, p, step, sys);
}

void
spawner_on_again(void *arg)
{
	struct spawner *s = arg;

	s->is_short = false;
	timer_fire(s->turn);
}
