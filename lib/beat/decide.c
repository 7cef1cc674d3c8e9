/* SPDX-License-Identifier: MIT */
/*
 * Claims: deciding about schedules inside the database's transaction.
 *
 * The second stage of a scheduled task, between the turn that found that
 * something is due and the outbox. The transaction holds the rows: so nobody is
 * asked and nothing is sent in here. A verdict says at first what is stored: what
 * is not decided stays as it is.
 */
#include <string.h>

#include "beat/flow_form.h"
#include "beat/lookup.h"
#include "beat/outage.h"
#include "beat/overlap.h"
#include "beat/rule.h"
#include "beat/state.h"
#include "schedules/claim.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"

/* The same for a zone that this machine lacks, where it cannot be left out of
 * claims: it stands in the rule. Others may have it, and are to find it due. */
#define LACKING_POSTPONE_US INT64_C(1000000)

/* The fire stays the next one: only the moment to do it is later. */
static void
postpone(const struct beat *b, struct schedule_verdict *v, int64_t by_us)
{
	v->next.due_us = b->now_us + by_us;
}

/* The zone of its times: that of the rule goes before its own. */
static struct slice
zone_of(const struct schedule *s)
{
	const struct slice zone = cron_zone(s->rule);

	return zone.p != NULL ? zone : slice_of(s->tz);
}

/* Whether it is not the rule that is wrong, but this machine that lacks the data
 * of a zone. */
static bool
is_lacking(const struct schedule *s, const struct cron_fault *fault)
{
	return s->type == SCHEDULE_CRON && fault->code == CRON_NONE &&
	       tz_name_is_valid(zone_of(s));
}

/* The callee copies the reason when the callback is over. */
static void
set_aside(struct beat *b, const struct schedule *s, struct schedule_verdict *v,
	  const char *why, const char *in_short)
{
	const struct log_subject about = {.schedule = s->id,
					  .task_name = s->task};

	log_about(LOG_LEVEL_warning, &about, "schedule %s cannot fire: %s",
		  s->id, why);
	buf_reset(&b->text);
	buf_adds(&b->text, why);
	v->fault = b->text.failed ? in_short : b->text.data;
}

/* What no edit can mend is tried again, what only an edit can mend sets the
 * schedule aside until then. */
enum decide_rule
decide_rule(struct beat *b, const struct schedule *s, struct rule *ret,
	    struct schedule_verdict *v)
{
	const struct log_subject about = {.schedule = s->id,
					  .task_name = s->task};
	struct err err = ERR_INIT;
	struct cron_fault fault;

	if (rule_read(s, b->zones, ret, &fault, &err) == 0)
		return DECIDE_RULE_READ;
	if (err.code == ERR_SYSTEM) { /* not the schedule's fault */
		log_about(LOG_LEVEL_warning, &about,
			  "schedule %s: %s; retrying", s->id, err.msg);
		postpone(b, v, DECIDE_POSTPONE_US);
		return DECIDE_RULE_UNREADABLE;
	}
	if (is_lacking(s, &fault)) {
		if (lacks_add(b, zone_of(s), &err))
			return DECIDE_RULE_LACKING;
		postpone(b, v, LACKING_POSTPONE_US);
		return DECIDE_RULE_UNREADABLE;
	}
	set_aside(b, s, v, err.msg, "its rule is wrong");
	return DECIDE_RULE_WRONG;
}

/* Left as it is, for others: the next claim leaves it out. */
static void
leave(const struct beat *b, const struct schedule *s,
      struct schedule_verdict *v)
{
	v->unchanged = cron_zone(s->rule).p == NULL;
	if (!v->unchanged)
		postpone(b, v, LACKING_POSTPONE_US);
}

static const char *
queue_of(const struct schedule *s, const struct registered *defaults)
{
	return s->queue[0] != '\0' ? s->queue : defaults->queue;
}

/* What a fire becomes, into b->text: a task, or a workflow. */
static int
encode_fire(struct beat *b, const struct schedule *s,
	    const struct registered *defaults, int64_t fire_us,
	    struct schedule_verdict *v)
{
	char id[SCHEDULE_TASK_ID_SIZE];
	const struct flow_fire flow = {
	    .schedule = s, .id = id, .conf = b->opt.conf, .now_us = b->now_us};
	struct err err = ERR_INIT;

	schedule_fire_id(s->id, schedule_work(s), fire_us, id);
	buf_reset(&b->text);
	if (schedule_work(s) == SCHEDULE_TASK) {
		fire_encode(s, defaults, b->opt.conf, id, b->now_us, &b->text);
		return b->text.failed ? -1 : 0;
	}
	if (flow_form_encode(&b->flow, &flow, &b->text, &err) == 0)
		return 0;
	if (err.code == ERR_DATA)
		set_aside(b, s, v, err.msg, "its workflow is wrong");
	return -1;
}

/* Into the outbox, as they go to the broker: who sends them later needs neither
 * the schedule, which may be gone, nor its task's registration. */
static int
add_fires(struct beat *b, const struct schedule *s,
	  const struct registered *defaults, struct schedule_verdict *v)
{
	struct schedule_fire fire = {.queue = queue_of(s, defaults),
				     .priority = s->priority,
				     .work = schedule_work(s)};
	size_t i;

	for (i = 0; i < b->plan.n_fires; i++) {
		fire.fire_us = b->plan.fires[i];
		if (encode_fire(b, s, defaults, fire.fire_us, v) != 0)
			return -1;
		fire.body = b->text.data;
		if (schedule_fire_add(v, &fire) != 0)
			return -1;
	}
	return 0;
}

/* Beside the outbox, for people. */
static int
note_skipped(const struct plan *p, struct schedule_verdict *v)
{
	size_t i;

	for (i = 0; i < p->n_skips; i++)
		if (schedule_skip_add(v, &p->skips[i]) != 0)
			return -1;
	return 0;
}

/* People look for the reason why a task did not run. */
static void
log_skipped(const struct schedule *s, const struct plan *p)
{
	const struct log_subject about = {.schedule = s->id,
					  .task_name = s->task};
	int i;

	for (i = 0; i < SCHEDULE_N_REASONS; i++)
		if (p->skipped[i] > 0)
			log_about(
			    LOG_LEVEL_info, &about,
			    "schedule %s: %lld not run: %s", s->id,
			    (long long)p->skipped[i],
			    schedule_reason_text((enum schedule_reason)i));
}

/* Makes the plan the verdict. */
static void
apply(struct beat *b, const struct schedule *s, const struct rule *r,
      const struct registered *defaults, struct schedule_verdict *v)
{
	const struct plan *p = &b->plan;

	/* Out of memory: the claim fails as a whole; or it was set aside. */
	if (add_fires(b, s, defaults, v) != 0 || note_skipped(p, v) != 0)
		return;
	v->next.next_run_us = p->next_run_us;
	v->next.due_us = p->due_us;
	v->next.tz_data = rule_needs_zone(r) ? b->tz_data : "";
	v->unless_made = p->unless_made;
	v->last_run_us = p->last_run_us;
	v->runs = p->runs;
	memcpy(v->skipped, p->skipped, sizeof(v->skipped));
	if (p->first_due_us != 0 && p->first_due_us < b->first_due_us)
		b->first_due_us = p->first_due_us;
	log_skipped(s, p);
}

/* Only a fire that becomes a task has another one cancelled, and waits for it. */
static void
apply_unless(struct beat *b, const struct schedule *s, const struct rule *r,
	     const struct registered *defaults, enum overlap_last last,
	     struct schedule_verdict *v)
{
	const int64_t wait_us =
	    overlap_wait(b, s, r, queue_of(s, defaults), last);

	if (wait_us > 0)
		postpone(b, v, wait_us);
	else
		apply(b, s, r, defaults, v);
}

/* What is registered of its task, or of those of all steps. */
static enum lookup_state
ask_defaults(struct beat *b, const struct schedule *s, struct registered *ret)
{
	enum lookup_state all = LOOKUP_KNOWN, one;
	size_t i;

	if (schedule_work(s) == SCHEDULE_TASK)
		return lookup_defaults(b->lookup, s->task, ret);
	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < b->flow.n; i++) {
		one = lookup_defaults(b->lookup, b->flow.steps[i].name,
				      &b->flow.steps[i].defaults);
		if (one != LOOKUP_KNOWN && all != LOOKUP_FAILED)
			all = one;
	}
	return all;
}

/* False: it is set aside. */
static bool
read_flow(struct beat *b, const struct schedule *s, struct schedule_verdict *v)
{
	struct err err = ERR_INIT;

	flow_form_done(&b->flow);
	if (schedule_work(s) == SCHEDULE_TASK ||
	    flow_form_read(&b->flow, s->workflow, &err) == 0)
		return true;
	err_prefix(&err, "its workflow");
	set_aside(b, s, v, err.msg, "its workflow is wrong");
	return false;
}

/* Both questions are noted before either is waited for, so that one more claim
 * has both answers. */
static void
on_due(const struct schedule *s, struct schedule_verdict *v, void *arg)
{
	struct beat *b = arg;
	enum overlap_last last_task;
	struct registered defaults;
	enum lookup_state task, last;
	enum decide_rule read;
	struct rule rule;

	if ((read = decide_rule(b, s, &rule, v)) != DECIDE_RULE_READ) {
		if (read == DECIDE_RULE_LACKING)
			leave(b, s, v);
		return;
	}
	if (!read_flow(b, s, v))
		return;
	task = ask_defaults(b, s, &defaults);
	last = overlap_ask(b, s, &last_task);
	if (task == LOOKUP_FAILED || last == LOOKUP_FAILED) {
		postpone(b, v, DECIDE_POSTPONE_US);
	} else if (task == LOOKUP_NOTED || last == LOOKUP_NOTED) {
		v->unchanged = true;
	} else if (outage_of_queue(b->outage, queue_of(s, &defaults))) {
		postpone(b, v, DECIDE_POSTPONE_US);
	} else {
		plan_make(s, &rule, b->now_us, last_task != OVERLAP_NONE,
			  &b->plan);
		apply_unless(b, s, &rule, &defaults, last_task, v);
	}
}

int
decide_due(struct beat *b, struct decided *ret, struct err *err)
{
	struct schedules_claim claim = {.lacks = lacks_text(b),
					.limit = CLAIM_MAX,
					.decide = on_due,
					.arg = b};
	const int64_t begin_us = clock_mono_us();
	struct schedules_claimed got;

	b->first_due_us = NEVER;
	b->now_us = claim.now_us = watch_now_us(b);
	if (schedules_claim(b->db, &claim, &got, err) != 0)
		return -1;
	log_debug("%zu schedules claimed in %lld us", got.n,
		  (long long)(clock_mono_us() - begin_us));
	*ret = (struct decided){.n = got.n, .fires = got.fires};
	return 0;
}
