/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: which tasks have ended.
 *
 *	flowrra:completed  list of ids, the newest first
 *	flowrra:failed     the same of those that failed
 *	flowrra:stats      hash of totals: succeeded, failed
 *
 * What ends in one turn of the loop is noted at its end, in two commands for
 * all of it, which leave in the same write as the records. A note is sent once
 * (its record may be sent again, and then is noted again): it is good for
 * lists and rates, and nothing depends on it.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/results.h"
#include "store/redis/scripts.h"

/* IDs in one command. A script cannot take many more: Lua's unpack() fails at
 * about 8000. */
#define BATCH_MAX 1000
/* The list is cut when it is longer than it has to be by this: one LTRIM for a
 * thousand tasks, and one list in a hundred parts too long. */
#define TRIM_EVERY 1000

/* A note under way. */
struct note {
	struct redis_request request; /* that it begins with */
	struct rresults *results;
	bool failed; /* the tasks in it */
	bool again;  /* it was refused before */
	unsigned int n;
	char ids[]; /* each with a NUL behind */
};

struct slice
rresults_index_list(bool failed)
{
	return failed ? SLICE("flowrra:failed") : SLICE("flowrra:completed");
}

struct slice
rresults_index_field(bool failed)
{
	return failed ? SLICE("failed") : SLICE("succeeded");
}

static void
trim(struct rresults *r, bool failed)
{
	char last[ARG_NUMBER_SIZE];
	const struct slice argv[] = {SLICE("LTRIM"),
				     rresults_index_list(failed), SLICE("0"),
				     arg_number(last, RESULTS_LIST_MAX - 1)};

	redis_command(r->redis, NULL, NULL, 4, argv);
}

/* Two arguments, and behind them the ids, the last of which ended last. */
static void
put_arguments(const struct note *note, struct slice first, struct slice second,
	      struct slice *argv)
{
	const char *id = note->ids;
	unsigned int i;

	argv[0] = first;
	argv[1] = second;
	for (i = 2; i < note->n + 2; i++) {
		argv[i] = slice_of(id);
		id += argv[i].len + 1;
	}
}

static void
send_commands(struct note *note, struct slice *argv)
{
	struct rresults *r = note->results;
	char number[ARG_NUMBER_SIZE];
	const struct slice count[] = {
	    SLICE("HINCRBY"), slice_of(RRESULTS_STATS),
	    rresults_index_field(note->failed), arg_number(number, note->n)};

	put_arguments(note, SLICE("LPUSH"), rresults_index_list(note->failed),
		      argv);
	redis_command(r->redis, NULL, NULL, 4, count);
	rresults_command(&note->request,
			 (struct redis_args){argv, 2 + note->n});
}

static void
send_script(struct note *note, struct slice *args)
{
	const struct slice keys[] = {rresults_index_list(note->failed),
				     slice_of(RRESULTS_STATS)};
	char most[ARG_NUMBER_SIZE];

	put_arguments(note, rresults_index_field(note->failed),
		      arg_number(most, RESULTS_LIST_MAX), args);
	rresults_eval(&note->request, &rscripts[SCRIPT_INDEX], REDIS_ARGS(keys),
		      (struct redis_args){args, 2 + note->n});
}

/* Sends it, or frees it. */
static void
send_to_server(struct note *note)
{
	/* Not an array for as many as there can be: mostly it is one. */
	struct slice *args = reallocarray(NULL, note->n + 2, sizeof(*args));

	if (args == NULL)
		free(note);
	else if (note->again || note->results->full)
		send_script(note, args);
	else
		send_commands(note, args);
	free(args);
}

static void
rindex_on_noted(struct redis_request *request, const struct redis_reply *reply)
{
	struct note *note = container_of(request, struct note, request);
	const enum redis_fault fault = redis_fault(reply);

	/* It became full just now, or has forgotten its scripts. */
	if ((fault == REDIS_FAULT_FULL || fault == REDIS_FAULT_SCRIPT) &&
	    !note->again) {
		note->again = true;
		send_to_server(note);
		return;
	}
	if (redis_reply_integer(reply) > RESULTS_LIST_MAX + TRIM_EVERY)
		trim(note->results, note->failed);
	free(note);
}

static void
send_note(struct rresults *r, bool failed)
{
	struct ended *ended = &r->ended[failed];
	struct note *note = malloc(sizeof(*note) + ended->ids.len);

	if (note != NULL && !ended->ids.failed) {
		*note = (struct note){.request = {.queue = r->requests,
						  .on_reply = rindex_on_noted},
				      .results = r,
				      .failed = failed,
				      .n = ended->n};
		memcpy(note->ids, ended->ids.data, ended->ids.len);
		send_to_server(note);
	} else {
		free(note);
	}
	buf_reset(&ended->ids);
	ended->n = 0;
}

static void
on_turn_is_over(evutil_socket_t fd, short what, void *arg)
{
	struct rresults *r = arg;

	if (r->ended[false].n > 0)
		send_note(r, false);
	if (r->ended[true].n > 0)
		send_note(r, true);
}

void
rresults_index(struct rresults *r, const struct results_put *put)
{
	struct ended *ended = &r->ended[put->failed];

	/* With its NUL, which no id has. */
	buf_add(&ended->ids, put->id.p, put->id.len);
	buf_addc(&ended->ids, '\0');
	if (++ended->n == BATCH_MAX)
		send_note(r, put->failed);
	else if (ended->n == 1) /* else it is on its way */
		event_active(r->turn_is_over, EV_TIMEOUT, 0);
}

int
rresults_index_open(struct rresults *r, struct err *err)
{
	r->turn_is_over = evtimer_new(r->opt.base, on_turn_is_over, r);
	return r->turn_is_over != NULL ? 0 : err_nomem(err);
}

void
rresults_index_close(struct rresults *r)
{
	if (r->turn_is_over != NULL)
		event_free(r->turn_is_over);
	buf_done(&r->ended[false].ids);
	buf_done(&r->ended[true].ids);
}
