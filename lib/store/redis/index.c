/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: which tasks have ended.
 *
 *	flowrra:completed  list of ids, the newest first
 *	flowrra:failed     the same of those that failed
 *	flowrra:stats      hash of totals: succeeded, failed
 *
 * In a Cluster, "{flowrra:index}:completed" and so on, so that they are together.
 *
 * What has ended is noted with the next records that are sent, or soon after, in
 * two commands for all of it, so that notes hardly cost a write of their own: for
 * one task after another, they would delay the next one. Who stores records
 * otherwise, or is about to end, may be gone soon, and notes at once. A note is
 * sent once
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

/* For how long a note waits for records to go with: no person notices. */
#define NOTE_WAIT_MS 1

/* A note under way. */
struct note {
	struct redis_request request; /* that it begins with */
	struct rresults *results;
	bool failed; /* the tasks in it */
	bool again;  /* it was refused before */
	unsigned int n;
	char ids[]; /* each with a NUL behind */
};

static void
trim(struct rresults *r, bool failed)
{
	char last[ARG_NUMBER_SIZE];
	const struct slice argv[] = {
	    SLICE("LTRIM"), arg_index_list(r->cluster, failed), SLICE("0"),
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
	    SLICE("HINCRBY"), arg_index_totals(r->cluster),
	    arg_index_field(note->failed), arg_number(number, note->n)};

	put_arguments(note, SLICE("LPUSH"),
		      arg_index_list(r->cluster, note->failed), argv);
	redis_command(r->redis, NULL, NULL, 4, count);
	rresults_command(&note->request,
			 (struct redis_args){argv, 2 + note->n});
}

static void
send_script(struct note *note, struct slice *args)
{
	const struct slice keys[] = {
	    arg_index_list(note->results->cluster, note->failed),
	    arg_index_totals(note->results->cluster)};
	char most[ARG_NUMBER_SIZE];

	put_arguments(note, arg_index_field(note->failed),
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

void
rresults_index_flush(struct rresults *r)
{
	if (r->ended[false].n > 0)
		send_note(r, false);
	if (r->ended[true].n > 0)
		send_note(r, true);
}

static void
rindex_on_waited(evutil_socket_t fd, short what, void *arg)
{
	rresults_index_flush(arg);
}

void
rresults_index(struct rresults *r, const struct results_put *put)
{
	const struct timeval wait = {.tv_usec = NOTE_WAIT_MS * 1000};
	struct ended *ended = &r->ended[put->failed];

	/* With its NUL, which no id has. */
	buf_add(&ended->ids, put->id.p, put->id.len);
	buf_addc(&ended->ids, '\0');
	if (++ended->n == BATCH_MAX)
		send_note(r, put->failed);
	else if (r->hurry || put->claim == NULL)
		event_active(r->note_timer, EV_TIMEOUT, 0);
	else if (ended->n == 1) /* else it is on its way */
		evtimer_add(r->note_timer, &wait);
}

void
rresults_index_hurry(struct results *results)
{
	struct rresults *r = (struct rresults *)results;

	r->hurry = true;
	rresults_index_flush(r);
}

int
rresults_index_open(struct rresults *r, struct err *err)
{
	r->note_timer = evtimer_new(r->opt.base, rindex_on_waited, r);
	return r->note_timer != NULL ? 0 : err_nomem(err);
}

void
rresults_index_close(struct rresults *r)
{
	if (r->note_timer != NULL)
		event_free(r->note_timer);
	buf_done(&r->ended[false].ids);
	buf_done(&r->ended[true].ids);
}
