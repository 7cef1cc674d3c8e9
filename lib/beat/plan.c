/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a schedule at a moment. The heart of decide.c, apart from it
 * so that it can be tested without clock and database.
 *
 * Two passes: survey() counts the fires that wait, for a policy has to know which
 * one is the last; plan_make() then judges one after the other.
 */
#include "beat/plan.h"

#include <string.h>

#include "beat/rule.h"

#define RUN SCHEDULE_N_REASONS /* there is no reason not to */

/* The fires that wait. */
struct backlog {
	int64_t n;
	bool more;   /* than were counted */
	bool missed; /* nobody was there for them */
};

/* What follows a fire: of a rule that was changed meanwhile nothing does, until
 * the moment of the change. One in the future was made by a clock that was
 * ahead, and counts for nothing. */
static int64_t
next_fire(const struct schedule *s, const struct rule *r, int64_t fire,
	  int64_t now_us)
{
	const bool counts =
	    fire < s->rule_us && s->rule_us <= now_us + PLAN_EDIT_US;

	return rule_next(r, counts ? s->rule_us : fire);
}

/* Whether fires were missed, the first one decides: it has waited longest. */
static struct backlog
survey(const struct schedule *s, const struct rule *r, int64_t now_us)
{
	struct backlog b = {.n = 0};
	int64_t fire = s->next_run_us, due;

	while (fire != 0 && (due = rule_due(r, fire)) <= now_us) {
		if (b.n == PLAN_SCAN_MAX) {
			b.more = true;
			break;
		}
		if (b.n++ == 0)
			b.missed = now_us - due > PLAN_ON_TIME_US;
		fire = next_fire(s, r, fire, now_us);
	}
	return b;
}

/* The misfire policy on the i-th fire of the backlog. */
static enum schedule_reason
judge_missed(const struct schedule *s, const struct backlog *b, int64_t i,
	     int64_t late_us)
{
	const bool last = i + 1 == b->n && !b->more;
	const int64_t patience =
	    s->grace_us != SCHEDULE_UNSET ? s->grace_us : PLAN_ON_TIME_US;

	switch (s->misfire) {
	case SCHEDULE_SKIP:
		return last && late_us <= patience ? RUN : SCHEDULE_MISFIRE;
	case SCHEDULE_ALL:
		return s->max_catchup > 0 && i < b->n - s->max_catchup
			   ? SCHEDULE_CATCHUP
			   : RUN;
	default:
		return last ? RUN : SCHEDULE_MERGED;
	}
}

/* The table of plan.h in its order: grace first, for it holds whatever the
 * policy; overlap last, for only a fire that would run can overlap. */
static enum schedule_reason
judge_fire(const struct schedule *s, const struct backlog *b, int64_t i,
	   int64_t late_us, bool busy)
{
	enum schedule_reason reason = RUN;

	if (s->grace_us != SCHEDULE_UNSET && late_us > s->grace_us)
		return SCHEDULE_LATE;
	if (b->missed)
		reason = judge_missed(s, b, i, late_us);
	if (reason == RUN && s->overlap == SCHEDULE_OVERLAP_SKIP && busy)
		return SCHEDULE_OVERLAP;
	/* It would be cancelled by the one behind it, before it could run. */
	if (reason == RUN && s->overlap == SCHEDULE_OVERLAP_REPLACE &&
	    (b->more || i + 1 < b->n))
		return SCHEDULE_REPLACED;
	return reason;
}

/* With a limit, no one knows yet whether a fire is among the last ones. */
static bool
must_wait(const struct schedule *s, const struct backlog *b)
{
	return b->more && b->missed && s->misfire == SCHEDULE_ALL &&
	       s->max_catchup > 0 && s->max_catchup < PLAN_SCAN_MAX;
}

/* Counted with the fires of this plan. */
static bool
used_up(const struct schedule *s, const struct plan *p)
{
	return s->max_runs > 0 && p->runs >= s->max_runs;
}

static void
plan_run(struct plan *p, int64_t fire, int64_t due, bool missed)
{
	if (!missed && p->first_due_us == 0)
		p->first_due_us = due;
	p->fires[p->n_fires++] = fire;
	p->last_run_us = fire;
	p->runs++;
}

/* Counts a fire, and notes it beside the one before if they are alike. With no
 * room left it is noted beside the last of its reason. */
static void
plan_skip(struct plan *p, enum schedule_reason reason, int64_t fire)
{
	size_t i = p->n_skips;
	struct schedule_skip *last;

	p->skipped[reason]++;
	if (i == 0 || p->skips[i - 1].reason != reason ||
	    (p->n_fires > 0 &&
	     p->fires[p->n_fires - 1] > p->skips[i - 1].fire_us)) {
		if (i < PLAN_SKIPS_MAX) {
			p->skips[p->n_skips++] =
			    (struct schedule_skip){reason, fire, fire, 1};
			return;
		}
		while (i > 1 && p->skips[i - 1].reason != reason)
			i--;
	}
	last = &p->skips[i - 1];
	last->last_us = fire;
	last->n++;
}

void
plan_make(const struct schedule *s, const struct rule *r, int64_t now_us,
	  bool busy, struct plan *ret)
{
	const struct backlog b = survey(s, r, now_us);
	int64_t fire = s->next_run_us, i, due;
	enum schedule_reason reason;

	memset(ret, 0, offsetof(struct plan, fires));
	ret->last_run_us = s->last_run_us;
	ret->runs = s->runs;
	for (i = 0; i < b.n && !used_up(s, ret); i++) {
		due = rule_due(r, fire);
		reason = judge_fire(s, &b, i, now_us - due,
				    busy || ret->n_fires > 0);
		if (reason == RUN &&
		    (ret->n_fires == PLAN_FIRES_MAX || must_wait(s, &b)))
			break;
		if (reason == RUN)
			plan_run(ret, fire, due, b.missed);
		else
			plan_skip(ret, reason, fire);
		fire = next_fire(s, r, fire, now_us);
	}
	ret->next_run_us = used_up(s, ret) ? 0 : fire;
	ret->due_us = rule_due(r, ret->next_run_us);
	if (used_up(s, ret) && ret->n_fires > 0)
		ret->unless_made = (struct schedule_next){
		    .next_run_us = fire, .due_us = rule_due(r, fire)};
}
