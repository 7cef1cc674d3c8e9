/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: final records for which the server looks at what is there
 * (see records.c). Those of one turn of the loop go in one call of the script:
 * one command to read for the server, and one reply for us. What is left is
 * the work on each record, about twice that of SET and PUBLISH. In a Cluster each
 * goes alone, to its own node.
 *
 * All that a call needs lies in memory that is there before: whatever was added
 * is answered, if only with NULL when the connection is gone.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/fence.h"
#include "store/redis/results.h"
#include "store/redis/scripts.h"

/* A call must not hold the server for long: bytes to write, and bytes of old
 * records of other programs, which have to be decoded (1 MiB: about 5 ms). */
#define BYTES_MAX (256u << 10)
#define LOOK_MAX "1048576"
/* Until memory is asked for once more. */
#define AGAIN_MS 250
/* Arguments before those of the records, and of each. */
#define HEAD 2
#define EACH 6

/* A call under way. */
struct rfinals_call {
	struct redis_request request; /* that it begins with */
	struct rresults *results;
	unsigned int n;
	struct rfinal finals[];
};

/* The arguments of a call, which lie here and in r->key. */
struct rfinals_args {
	struct slice keys[2 * RFINALS_MAX], args[HEAD + EACH * RFINALS_MAX];
	unsigned int n_keys;
	size_t at[3 * RFINALS_MAX + 1]; /* where in r->key the names begin */
	char count[ARG_NUMBER_SIZE], ttls[RFINALS_MAX][ARG_NUMBER_SIZE],
	    marks[RFINALS_MAX][ARG_NUMBER_SIZE];
};

/*
 * While the server is not full, the script goes without its line of flags,
 * which only Redis 7 and later know: the text is the same, from its second line
 * on.
 */
static const struct redis_script *
rfinals_script(struct rresults *r)
{
	const struct redis_script *full = &rscripts[SCRIPT_STORE];

	if (r->full)
		return full;
	r->store = rscripts_bare(SCRIPT_STORE);
	return &r->store;
}

/* One buffer for all names, which moves as it grows. */
static void
rfinals_name(struct rresults *r, struct rfinals_args *a)
{
	const struct results_put *put;
	unsigned int i;

	buf_reset(&r->key);
	for (i = 0; i < r->finals.n; i++) {
		put = r->finals.due[i].put;
		a->at[3 * i] = r->key.len;
		buf_adds(&r->key, ARG_RECORD);
		buf_add(&r->key, put->id.p, put->id.len);
		a->at[3 * i + 1] = r->key.len;
		buf_adds(&r->key, RRESULTS_COMPLETE);
		buf_add(&r->key, put->id.p, put->id.len);
		a->at[3 * i + 2] = r->key.len;
		rresults_reply_channel(&r->key, put);
	}
	a->at[3 * i] = r->key.len;
}

static struct slice
rfinals_named(const struct rresults *r, const struct rfinals_args *a, size_t i)
{
	return (struct slice){r->key.data + a->at[i], a->at[i + 1] - a->at[i]};
}

/* Which of the keys is the mark, from 1 on: most records of a turn share it. */
static unsigned int
rfinals_mark(struct rfinals_args *a, unsigned int n,
	     const struct results_put *put)
{
	const struct slice key = rclaim_mark_key(put->claim);
	unsigned int i;

	for (i = n; i < a->n_keys && !slice_eq(a->keys[i], key); i++)
		;
	if (i == a->n_keys)
		a->keys[a->n_keys++] = key;
	return i + 1;
}

static void
rfinals_arguments(struct rresults *r, struct rfinals_args *a)
{
	const unsigned int n = r->finals.n;
	const struct results_put *put;
	struct slice *arg = a->args + HEAD;
	unsigned int i;

	a->args[0] = arg_number(a->count, n);
	a->args[1] = SLICE(LOOK_MAX);
	a->n_keys = n;
	for (i = 0; i < n; i++, arg += EACH) {
		put = r->finals.due[i].put;
		a->keys[i] = rfinals_named(r, a, 3 * (size_t)i);
		arg[0] = put->record;
		arg[1] = arg_number(a->ttls[i], put->ttl_s);
		arg[2] = rfinals_named(r, a, 3 * (size_t)i + 1);
		arg[3] = rfinals_named(r, a, 3 * (size_t)i + 2);
		arg[4] = SLICE("0");
		arg[5] = SLICE("");
		if (!rresults_is_fenced(r, put))
			continue;
		arg[4] = arg_number(a->marks[i], rfinals_mark(a, n, put));
		arg[5] = rclaim_mark(put->claim);
	}
}

/*
 * The server takes a call or refuses it as a whole, so one record that it never
 * takes (the user lacks the right to its key) would hold back those beside it for
 * ever. Those that wait are sent one by one then.
 */
static void
rfinals_note_refusal(struct rresults *r, const struct redis_reply *reply)
{
	const enum redis_fault fault = redis_fault(reply);

	if (fault == REDIS_FAULT_REFUSED || fault == REDIS_FAULT_OTHER)
		r->finals.alone = r->outbox.count;
}

static void
rfinals_on_reply(struct redis_request *request, const struct redis_reply *reply)
{
	struct rfinals_call *call =
	    container_of(request, struct rfinals_call, request);
	struct rresults *r = call->results;
	const bool answers = redis_reply_count(reply) > 0;
	const struct rfinal *final;
	const struct redis_reply *answer;

	rfinals_note_refusal(r, reply);
	for (final = call->finals; final < call->finals + call->n; final++) {
		answer =
		    answers
			? redis_reply_at(reply, (size_t)(final - call->finals))
			: reply;
		/* The script has stopped before it: it is the next's. */
		if (answers && answer == NULL && rfinals_add(r, *final) == 0)
			continue;
		final->on_reply(r->redis, answer, final->arg);
	}
	free(call);
}

/* 0, or -1 when memory runs out: then all is as it was. */
static int
rfinals_send(struct rresults *r)
{
	const size_t size = r->finals.n * sizeof(r->finals.due[0]);
	struct rfinals_call *call = malloc(sizeof(*call) + size);
	struct rfinals_args a;
	int rc = -1;

	rfinals_name(r, &a);
	if (call == NULL || r->key.failed) {
		free(call);
		return -1;
	}
	rfinals_arguments(r, &a);
	call->request = (struct redis_request){.queue = r->requests,
					       .on_reply = rfinals_on_reply};
	call->results = r;
	call->n = r->finals.n;
	memcpy(call->finals, r->finals.due, size);
	if (redis_state(r->redis) != REDIS_UP) {
		redis_request_later(&call->request);
		rc = 0;
	} else {
		rc = redis_request_eval(
		    &call->request, rfinals_script(r),
		    (struct redis_args){a.keys, a.n_keys},
		    (struct redis_args){a.args, HEAD + EACH * (size_t)call->n});
	}
	if (rc != 0) {
		free(call);
		return -1;
	}
	r->finals.n = 0;
	r->finals.bytes = 0;
	return 0;
}

int
rfinals_flush(struct rresults *r)
{
	const struct timeval again = {.tv_usec = AGAIN_MS * 1000};

	if (r->finals.n == 0)
		return 0;
	if (rfinals_send(r) == 0)
		return 0;
	evtimer_add(r->finals.turn_is_over, &again);
	return -1;
}

int
rfinals_add(struct rresults *r, struct rfinal final)
{
	/* What is full leaves before, not behind, the one that fills it: that is
	 * not among those that are sent before this returns. */
	if ((r->finals.n == (r->cluster ? 1 : RFINALS_MAX) ||
	     r->finals.bytes >= BYTES_MAX ||
	     (r->finals.n > 0 && r->finals.alone > 0)) &&
	    rfinals_flush(r) != 0)
		return -1;
	if (r->finals.alone > 0)
		r->finals.alone--;
	r->finals.due[r->finals.n++] = final;
	r->finals.bytes += final.put->record.len;
	event_active(r->finals.turn_is_over, EV_TIMEOUT, 0);
	return 0;
}

static void
rfinals_on_turn_is_over(evutil_socket_t fd, short what, void *arg)
{
	rfinals_flush(arg);
}

int
rfinals_open(struct rresults *r, struct err *err)
{
	r->finals.turn_is_over =
	    evtimer_new(r->opt.base, rfinals_on_turn_is_over, r);
	return r->finals.turn_is_over != NULL ? 0 : err_nomem(err);
}

void
rfinals_close(struct rresults *r)
{
	if (r->finals.turn_is_over != NULL)
		event_free(r->finals.turn_is_over);
}
