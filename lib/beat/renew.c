/* SPDX-License-Identifier: MIT */
/*
 * Next runs that are to be computed again: since the data of time zones has
 * changed, or since they may have been computed by a clock that was wrong.
 *
 * A clock that is ahead for a moment moves schedules on: their next runs are
 * then further away than their rules allow, and until that time nothing would
 * fire. So at the start, and when the clock was set, all schedules are looked
 * at, a piece in each turn. What lies too far away is pulled back to the first
 * fire from now on that is not in the outbox. Only pieces in which something is
 * wrong are locked.
 */
#include "beat/state.h"

#include <string.h>

#include "beat/rule.h"
#include "schedules/claim.h"
#include "util/err.h"
#include "util/log.h"

#define US_PER_S INT64_C(1000000)
/* Fires in the outbox that are asked for at a time, and how often. */
#define MADE_MAX 1000
#define MADE_PIECES 100

void
renew_begin(struct beat *b)
{
	b->renew.active = true;
	b->renew.after[0] = '\0';
	b->renew.pulled = 0;
}

/* A moment before which no fire is to be done that follows: of what was due
 * before, only a fire that its jitter holds back is still to come. Its time is
 * looked for in steps, since a jitter may be long and a period short. */
static int64_t
look_back(const struct beat *b, const struct schedule *s, const struct rule *r)
{
	int64_t back_us = US_PER_S, fire;

	if (s->jitter_us <= 0)
		return b->now_us;
	while (back_us < s->jitter_us &&
	       ((fire = rule_next(r, b->now_us - back_us)) == 0 ||
		fire > b->now_us))
		back_us *= 2;
	return b->now_us - (back_us < s->jitter_us ? back_us : s->jitter_us);
}

/* The first fire that is still to be done, by the rule and the clock alone;
 * what may have been made and is forgotten is left out. A last run counts for
 * nothing: one in the future was made by a clock that was ahead. */
static int64_t
first_ahead(const struct beat *b, const struct schedule *s,
	    const struct rule *r)
{
	int64_t from_us = look_back(b, s, r), fire;

	if (from_us < s->updated_us &&
	    s->updated_us <= b->now_us + PLAN_EDIT_US)
		from_us = s->updated_us;
	if (from_us < b->renew.pruned_us - 1)
		from_us = b->renew.pruned_us - 1;
	fire = rule_next(r, from_us);
	while (fire != 0 && rule_due(r, fire) <= b->now_us)
		fire = rule_next(r, fire);
	return fire;
}

/* The first from `fire` on that is not in the outbox: those that are there will
 * not be made again. */
static int64_t
first_unmade(const struct rule *r, const struct schedule_verdict *v,
	     int64_t fire)
{
	int64_t made[MADE_MAX];
	size_t i, n, pieces = 0;

	do {
		n = fire != 0 ? schedule_made(v, fire, made, MADE_MAX) : 0;
		for (i = 0; i < n; i++) {
			if (fire == 0 || made[i] > fire)
				return fire;
			if (made[i] == fire)
				fire = rule_next(r, fire);
		}
	} while (n == MADE_MAX && ++pieces < MADE_PIECES);
	return fire;
}

/* --- clocks ------------------------------------------------------------ */

/* When its fire is to be done, unless that lies further away than it can: as
 * postponed by a clock that was ahead. */
static int64_t
due_in_reach(const struct beat *b, const struct schedule *s,
	     const struct rule *r)
{
	const int64_t due_us = rule_due(r, s->next_run_us);

	return s->due_us > due_us && s->due_us > b->now_us + DECIDE_POSTPONE_US
		   ? due_us
		   : s->due_us;
}

/* Whether there is a fire between now and the next run; what has run out
 * because a clock was ahead has none any more. */
static bool
is_too_far(const struct beat *b, const struct schedule *s, const struct rule *r)
{
	int64_t ahead;

	if ((s->due_us != 0 && s->due_us <= b->now_us) ||
	    (s->max_runs > 0 && s->runs >= s->max_runs))
		return false;
	if (s->next_run_us != 0 && due_in_reach(b, s, r) != s->due_us)
		return true;
	if (s->next_run_us != 0 && s->next_run_us <= b->now_us)
		return false;
	ahead = first_ahead(b, s, r);
	return ahead != 0 && (s->next_run_us == 0 || ahead < s->next_run_us);
}

static void
on_pull(const struct schedule *s, struct schedule_verdict *v, void *arg)
{
	struct beat *b = arg;
	struct err err = ERR_INIT;
	struct rule rule;
	int64_t fire;

	v->unchanged = true;
	if (rule_read(s, b->zones, &rule, NULL, &err) != 0 ||
	    !is_too_far(b, s, &rule))
		return;
	if (s->next_run_us != 0)
		v->next.due_us = due_in_reach(b, s, &rule);
	if (s->next_run_us == 0 || s->next_run_us > b->now_us) {
		fire = first_unmade(&rule, v, first_ahead(b, s, &rule));
		if (fire != 0 &&
		    (s->next_run_us == 0 || fire < s->next_run_us)) {
			v->next.next_run_us = fire;
			v->next.due_us = rule_due(&rule, fire);
			v->next.tz_data =
			    rule_needs_zone(&rule) ? b->tz_data : "";
		}
	}
	v->unchanged = v->next.next_run_us == s->next_run_us &&
		       v->next.due_us == s->due_us;
	if (!v->unchanged)
		b->renew.pulled++;
}

/* Takes no lock. Its fault tells of a schedule that it is of no use to read. */
static bool
any_too_far(const struct beat *b, const struct schedules_list *list)
{
	struct err err = ERR_INIT;
	struct rule rule;
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->items[i].fault[0] == '\0' &&
		    rule_read(&list->items[i], b->zones, &rule, NULL, &err) ==
			0 &&
		    is_too_far(b, &list->items[i], &rule))
			return true;
	return false;
}

static int
pull_piece(struct beat *b, struct err *err)
{
	const struct schedules_claim claim = {.all = true,
					      .after = b->renew.after,
					      .now_us = b->now_us,
					      .limit = CLAIM_MAX,
					      .decide = on_pull,
					      .arg = b};
	struct schedules_claimed got;

	if (schedules_claim(b->db, &claim, &got, err) != 0)
		return -1;
	schedules_fires_free(got.fires);
	return 0;
}

/* The claim finds all that the list has: it leaves out only what has a fault. */
int
renew_turn(struct beat *b, struct err *err)
{
	const struct schedules_filter filter = {
	    .only_enabled = true, .after = b->renew.after, .limit = CLAIM_MAX};
	const size_t before = b->renew.pulled;
	struct schedules_list *list;
	int result = 0;

	b->now_us = watch_now_us(b);
	if (schedules_pruned(b->db, &b->renew.pruned_us, err) != 0 ||
	    schedules_list(b->db, &filter, &list, err) != 0)
		return -1;
	if (any_too_far(b, list))
		result = pull_piece(b, err);
	if (result == 0) {
		b->renew.active = list->n == CLAIM_MAX;
		if (b->renew.active)
			*stpncpy(b->renew.after, list->items[list->n - 1].id,
				 SCHEDULE_ID_MAX) = '\0';
	}
	schedules_list_free(list);
	if (b->renew.pulled > before)
		beat_forget_due(b);
	if (result == 0 && !b->renew.active && b->renew.pulled > 0)
		log_notice("next runs of %zu schedules were further away than "
			   "their rules allow, and were computed again",
			   b->renew.pulled);
	return result;
}

/* --- time zones -------------------------------------------------------- */

/* Without any data, there is a version all the same: what needs a zone is left
 * to others then. */
int
renew_zones(struct beat *b, struct err *err)
{
	char version[TZ_VERSION_SIZE] = "none";
	struct err why = ERR_INIT;
	struct tz_set *zones;
	const bool there = tz_version(NULL, version, &why) == 0;

	if (!there)
		strcpy(version, "none");
	/* Zones are read when they are used, and kept: so the set is replaced
	 * as a whole, and only if the data changed. */
	if (b->zones != NULL && strcmp(version, b->tz_data) == 0)
		return 0;
	if ((zones = tz_set_new(NULL, err)) == NULL)
		return -1;
	if (!there)
		log_warning("%s", why.msg);
	else if (b->zones != NULL)
		log_notice("time zone data is now %s, was %s", version,
			   b->tz_data);
	tz_set_free(b->zones);
	b->zones = zones;
	memcpy(b->tz_data, version, sizeof(version));
	b->rezone = there;
	if (b->lacks.len > 0)
		b->at.lacks = 0;
	return 0;
}

/* What was due under the old data is due; all else follows the new. A zone that
 * this machine does not have is another one's to follow. */
static void
on_rezone(const struct schedule *s, struct schedule_verdict *v, void *arg)
{
	struct beat *b = arg;
	struct rule rule;

	const enum decide_rule read = decide_rule(b, s, &rule, v);
	int64_t from_us = b->now_us;

	v->unchanged = read == DECIDE_RULE_LACKING;
	if (read != DECIDE_RULE_READ)
		return;
	if (from_us < b->renew.pruned_us - 1)
		from_us = b->renew.pruned_us - 1;
	v->next.tz_data = rule_needs_zone(&rule) ? b->tz_data : "";
	if (s->next_run_us <= b->now_us)
		return;
	v->next.next_run_us = first_unmade(&rule, v, rule_next(&rule, from_us));
	v->next.due_us = rule_due(&rule, v->next.next_run_us);
}

int
renew_zoned(struct beat *b, struct err *err)
{
	char after[SCHEDULE_ID_MAX + 1] = "";
	struct schedules_claim claim = {.tz_data = b->tz_data,
					.limit = CLAIM_MAX,
					.decide = on_rezone,
					.arg = b};
	struct schedules_claimed got;
	size_t n = 0;

	if (schedules_pruned(b->db, &b->renew.pruned_us, err) != 0)
		return -1;
	do {
		b->now_us = claim.now_us = watch_now_us(b);
		if (schedules_claim(b->db, &claim, &got, err) != 0)
			return -1;
		schedules_fires_free(got.fires);
		memcpy(after, got.last, sizeof(after));
		claim.after = after;
		n += got.n;
	} while (got.n >= CLAIM_MAX);
	if (n > 0)
		log_notice("next runs of %zu schedules computed with time zone "
			   "data %s",
			   n, b->tz_data);
	b->rezone = false;
	beat_forget_due(b);
	return 0;
}
