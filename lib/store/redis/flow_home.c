/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: workflows, as they are stored. lua/parts/flow.lua has the other half
 * of this.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/flow.h"

/* In the order of the scripts' KEYS. */
static const char *const suffixes[RFLOW_KEYS] = {
    "meta", "steps", "open", "info",  "waits",
    "next", "held",  "out",  "ended", "on"};

const char rflow_how_letters[] = {[BROKER_AFTER_SUCCESS] = 's',
				  [BROKER_AFTER_FAILURE] = 'f',
				  [BROKER_AFTER_COMPLETE] = 'c'};
const char rflow_outcome_letters[] = {[FLOW_STEP_SUCCEEDED] = 's',
				      [FLOW_STEP_FAILED] = 'f',
				      [FLOW_STEP_SKIPPED] = 'k'};
static const char role_letters[] = {[FLOW_STEP] = '-',
				    [FLOW_ON_SUCCESS] = 's',
				    [FLOW_ON_FAILURE] = 'f',
				    [FLOW_ON_COMPLETE] = 'c'};

/* --- names ----------------------------------------------------------------- */

/* Each with a NUL behind; the slices point into what buf_take() gives. */
static int
take_names(struct buf *names, char **ret, struct slice **keys, size_t n)
{
	const char *p;
	size_t i;

	if (names->failed) {
		buf_done(names);
		return -1;
	}
	p = *ret = buf_take(names);
	for (i = 0; i < n; i++, p += strlen(p) + 1)
		*keys[i] = slice_of(p);
	return 0;
}

/* Queues of another key may be in the same database: so are their workflows. */
int
rflow_home_init(struct rflow_home *h, const struct rbroker *b,
		struct slice flow)
{
	struct slice *keys[RFLOW_KEYS];
	struct buf names = BUF_INIT;
	size_t i;

	*h = (struct rflow_home){.names = NULL};
	for (i = 0; i < RFLOW_KEYS; i++) {
		buf_addf(&names, "{%s:flow:%.*s}:%s", b->queue_key,
			 (int)flow.len, flow.p, suffixes[i]);
		buf_addc(&names, '\0');
		keys[i] = &h->keys[i];
	}
	h->n_keys = RFLOW_KEYS;
	return take_names(&names, &h->names, keys, RFLOW_KEYS);
}

void
rflow_home_done(struct rflow_home *h)
{
	free(h->names);
}

struct redis_args
rflow_home_keys(const struct rflow_home *h)
{
	return (struct redis_args){h->keys, h->n_keys};
}

int
rflow_lists_init(struct rflow_lists *l, const struct rbroker *b)
{
	struct slice *keys[] = {&l->due, &l->all};
	struct buf names = BUF_INIT;

	*l = (struct rflow_lists){.names = NULL};
	buf_addf(&names, "{%s:flows}:due", b->queue_key);
	buf_addc(&names, '\0');
	buf_addf(&names, "{%s:flows}:all", b->queue_key);
	buf_addc(&names, '\0');
	return take_names(&names, &l->names, keys, 2);
}

void
rflow_lists_done(struct rflow_lists *l)
{
	free(l->names);
}

void
rflow_unique(struct buf *out, struct slice flow, struct slice step,
	     int64_t turn)
{
	buf_addf(out, "flow:%.*s:%.*s", (int)flow.len, flow.p, (int)step.len,
		 step.p);
	/* Neither has a space. */
	if (turn > 0)
		buf_addf(out, " %" PRId64, turn);
}

/* --- entries --------------------------------------------------------------- */

char
rflow_role_letter(enum flow_role role)
{
	return role_letters[role];
}

bool
rflow_role_read(char letter, enum flow_role *ret)
{
	size_t i;

	for (i = 0; i < sizeof(role_letters); i++)
		if (role_letters[i] == letter) {
			*ret = (enum flow_role)i;
			return true;
		}
	return false;
}

void
rflow_entry_write(struct buf *out, const struct broker_submit *task)
{
	buf_addf(out, "%s %" PRId32 " %" PRId64 " %" PRId64, task->queue,
		 task->priority, task->delay_ms > 0 ? task->delay_ms : 0,
		 task->at_ms > 0 ? task->at_ms : 0);
}

/* What stands before `end`, and takes it off; false if there is no end. */
static bool
out_part(struct slice *rest, char end, struct slice *ret)
{
	const char *p = memchr(rest->p, end, rest->len);

	if (p == NULL)
		return false;
	*ret = (struct slice){rest->p, (size_t)(p - rest->p)};
	*rest = (struct slice){p + 1, rest->len - ret->len - 1};
	return true;
}

static bool
out_number(struct slice *line, int64_t min, int64_t max, int64_t *ret)
{
	char text[ARG_NUMBER_SIZE + 1], *end;
	struct slice word;

	if (!out_part(line, ' ', &word) || word.len == 0 ||
	    word.len >= sizeof(text))
		return false;
	memcpy(text, word.p, word.len);
	text[word.len] = '\0';
	*ret = strtoll(text, &end, 10);
	return *end == '\0' && *ret >= min && *ret <= max;
}

int
rflow_out_read(struct slice text, struct rflow_out *ret)
{
	struct slice line, after, role;
	struct rflow_out out;
	int64_t priority;

	/* Its last word gets an end, too. */
	if (!out_part(&text, '\n', &out.why) || !out_part(&text, '\n', &line) ||
	    !out_part(&text, '\n', &after))
		return -1;
	line.len++;
	if (!out_part(&line, ' ', &out.queue) ||
	    !task_name_valid(out.queue, TASK_QUEUE_MAX) ||
	    !out_number(&line, INT32_MIN, INT32_MAX, &priority) ||
	    !out_number(&line, 0, BROKER_TIME_MAX_MS, &out.delay_ms) ||
	    !out_number(&line, 0, BROKER_TIME_MAX_MS, &out.at_ms) ||
	    !out_part(&line, ' ', &role) || role.len != 1 ||
	    !rflow_role_read(role.p[0], &out.role) || line.len < 2)
		return -1;
	out.turn = strtoll(line.p, NULL, 10);
	out.priority = (int32_t)priority;
	out.task = text;
	*ret = out;
	return 0;
}

/* --- why a step is skipped --------------------------------------------------- */

static const char *
outcome_words(char letter)
{
	switch (letter) {
	case 's':
		return "succeeded";
	case 'f':
		return "failed";
	default:
		return "was skipped";
	}
}

/* "STEP OUTCOME HOW", or "@". */
void
rflow_explain(struct buf *out, struct slice why)
{
	struct slice step, outcome;

	if (!out_part(&why, ' ', &step) || !out_part(&why, ' ', &outcome) ||
	    outcome.len != 1 || why.len != 1)
		buf_adds(out, "did not run: its workflow was cancelled");
	else
		buf_addf(out,
			 "did not run: task %.*s %s, and this one runs after "
			 "its %s",
			 (int)step.len, step.p, outcome_words(outcome.p[0]),
			 why.p[0] == 'f'
			     ? broker_after_words[BROKER_AFTER_FAILURE]
			     : broker_after_words[BROKER_AFTER_SUCCESS]);
}
