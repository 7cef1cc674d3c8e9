/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what the user may not do.
 *
 * Redis refuses a command that is not allowed when it is used, which may be
 * weeks later, in the middle of a script, or where nobody reads the answer. So
 * a worker asks when it comes to a server, and the doctor when it examines one.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/rights.h"

struct right {
	enum { EVERYBODY, WORKER, CLIENT, OPTIONAL } who;
	enum { QUEUES, RECORDS, BOTH } where;
	const char *example;
	const char *without;
};

static const struct right rights[] = {
#define RIGHT(who, where, example, without) {who, where, example, without},
#include "store/redis/rights.def"
#undef RIGHT
};
#define N_RIGHTS (sizeof(rights) / sizeof(rights[0]))
/* Words in an example, with those of a subcommand. */
#define WORDS_MAX 8

/* What stands for a word of an example; `x` is the part that may be anything,
 * "*" in a pattern. */
static void
add_word(const struct rrights *of, struct buf *out, struct slice word,
	 const char *x)
{
	if (slice_eq(word, SLICE("Q")))
		buf_addf(out, "%s:%s", of->queue_key, x);
	else if (slice_eq(word, SLICE("B")))
		buf_addf(out, "{%s:%s}:%s", of->queue_key, x, x);
	else if (slice_eq(word, SLICE("N")))
		buf_adds(out, of->queues_key);
	else if (slice_eq(word, SLICE("F")))
		buf_addf(out, "flowrra:%s", x);
	else
		buf_add(out, word.p, word.len);
}

/* The next word, behind a space or the bar of a subcommand; empty at the end. */
static struct slice
next_word(const char **rest)
{
	struct slice word = {*rest, strcspn(*rest, " |")};

	*rest += word.len + ((*rest)[word.len] != '\0');
	return word;
}

struct rrights
rrights_of_broker(const struct rbroker *b, bool all)
{
	return (struct rrights){.user = b->url.user,
				.queues = true,
				.records = b->opt.with_results,
				.all = all,
				.queue_key = b->queue_key,
				.queues_key = b->queues_key};
}

static bool
rrights_needs(const struct rrights *of, const struct right *right)
{
	if (right->who == OPTIONAL || (!of->all && right->who == CLIENT))
		return false;
	return (of->queues && right->where != RECORDS) ||
	       (of->records && right->where != QUEUES);
}

struct redis_args
rrights_args(const struct rrights *of)
{
	const size_t most = N_RIGHTS * (2 + WORDS_MAX);
	struct redis_args args = {NULL, 0};
	struct buf text = BUF_INIT;
	struct slice *v, word;
	size_t i, n, words, at, count = 0;
	char *copy;

	for (i = 0; i < N_RIGHTS; i++) {
		const char *rest = rights[i].example;

		if (!rrights_needs(of, &rights[i]))
			continue;
		for (words = 0; next_word(&rest).len > 0; words++)
			;
		buf_addf(&text, "%zu%c%zu%c", i, '\0', words, '\0');
		rest = rights[i].example;
		while ((word = next_word(&rest)).len > 0) {
			add_word(of, &text, word, "x");
			buf_addc(&text, '\0');
		}
		count += 2 + words;
	}
	if (text.failed || count > most ||
	    (v = malloc(count * sizeof(*v) + text.len)) == NULL) {
		buf_done(&text);
		return args;
	}
	copy = memcpy(v + count, text.data, text.len);
	for (n = 0, at = 0; n < count; n++, at += strlen(copy + at) + 1)
		v[n] = slice_of(copy + at);
	buf_done(&text);
	return (struct redis_args){v, count};
}

size_t
rrights_missing(const struct redis_reply *reply)
{
	if (redis_fault(reply) == REDIS_FAULT_REFUSED)
		return 1;
	/* More than there are is an answer of no script of ours. */
	return redis_reply_count(reply) <= N_RIGHTS ? redis_reply_count(reply)
						    : N_RIGHTS;
}

/* The key or channel that a command is about; empty: about none. */
static struct slice
object_of(const char *example)
{
	const char *name = example, *rest = example;
	struct slice word;

	while ((word = next_word(&rest)).len > 0)
		if (word.p != name && word.len > 0 &&
		    (slice_eq(word, SLICE("Q")) || slice_eq(word, SLICE("B")) ||
		     slice_eq(word, SLICE("N")) || slice_eq(word, SLICE("F")) ||
		     memmem(word.p, word.len, ":", 1) != NULL))
			return word;
	return (struct slice){NULL, 0};
}

static void
add_remedy(const struct rrights *of, struct buf *out, const struct right *right,
	   struct slice object)
{
	const char *p;

	if (object.len > 0) {
		buf_adds(out, memchr(object.p, ':', object.len) ? " &" : " ~");
		if (memchr(object.p, ':', object.len) != NULL)
			buf_adds(out, "flowrra:*");
		else
			add_word(of, out, object, "*");
	}
	buf_adds(out, " +");
	for (p = right->example; *p != ' ' && *p != '\0'; p++)
		buf_addc(out, (char)tolower((unsigned char)*p));
}

/* The first two rights are those that the question itself needs. */
void
rrights_describe(const struct rrights *of, const struct redis_reply *reply,
		 size_t i, struct buf *what, struct buf *remedy)
{
	const bool no_scripts = redis_fault(reply) != REDIS_FAULT_NONE;
	const int64_t index =
	    no_scripts ? 0 : redis_reply_integer(redis_reply_at(reply, i));
	const struct right *right;
	const char *user = of->user != NULL ? of->user : "default";
	struct slice object, name;

	if (index < 0 || (size_t)index >= N_RIGHTS)
		return;
	right = &rights[index];
	/* Of what was not asked about, the answer says nothing. */
	if (!no_scripts && !rrights_needs(of, right))
		return;
	object = object_of(right->example);
	name = (struct slice){right->example, strcspn(right->example, " ")};
	buf_addf(what, "does not allow user %s %.*s", user, (int)name.len,
		 name.p);
	if (no_scripts)
		buf_adds(what, " or SCRIPT|LOAD");
	if (object.len > 0) {
		buf_adds(what, " on ");
		add_word(of, what, object, "*");
	}
	buf_addf(what, ": %s", right->without);
	buf_addf(remedy, "ACL SETUSER %s", user);
	add_remedy(of, remedy, right, object);
	if (no_scripts)
		buf_adds(remedy, " +script|load");
}

void
rrights_warn(const struct rrights *of, const struct redis_reply *reply,
	     const char *server,
	     void (*tell)(const struct err *what, void *arg), void *arg)
{
	const size_t n = rrights_missing(reply);
	struct buf what = BUF_INIT, remedy = BUF_INIT;
	struct err err;
	size_t i;

	for (i = 0; i < n; i++) {
		buf_reset(&what);
		buf_reset(&remedy);
		rrights_describe(of, reply, i, &what, &remedy);
		if (what.failed || remedy.failed || what.len == 0)
			continue;
		err_set(&err, ERR_REFUSED, "%s %.*s; %.*s", server,
			(int)what.len, what.data, (int)remedy.len, remedy.data);
		tell(&err, arg);
	}
	buf_done(&what);
	buf_done(&remedy);
}

static void
rrights_tell_broker(const struct err *what, void *arg)
{
	struct rbroker *b = arg;

	b->opt.on_state(true, false, what, b->opt.arg);
}

static void
rrights_on_answer(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rbroker *b = arg;
	const struct rrights of = rrights_of_broker(b, false);

	rrights_warn(&of, reply, b->url_name, rrights_tell_broker, b);
}

void
rrights_check_worker(struct rbroker *b)
{
	const struct rrights of = rrights_of_broker(b, false);
	const struct redis_args args = rrights_args(&of);

	if (args.v != NULL)
		rbroker_eval(b, SCRIPT_RIGHTS, rrights_on_answer, b, 0, NULL,
			     args.n, args.v);
	free((void *)(uintptr_t)args.v);
}
