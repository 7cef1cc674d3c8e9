/* SPDX-License-Identifier: MIT */
/*
 * Answers by Idempotency-Key: a list, the newest first, and a digest of user,
 * route and key to find one by.
 *
 * A first request puts in an answer that is not done: so a repetition that
 * comes meanwhile is told to wait, rather than to be run beside it. What the
 * key was used for is compared by a second digest.
 *
 * All is bounded, by number and by bytes; in memory, because what must hold
 * across restarts, a submission, has its task's ID made of the key.
 */
#include "web/replay.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "util/clock.h"
#include "util/err.h"
#include "util/sha.h"
#include "util/uuid.h"
#include "web/call.h"

#define LIFE_US ((int64_t)REPLAY_LIFE_S * 1000000)
/* Ten answers a bucket when there are as many as may be kept. */
#define BUCKETS 1024
/* A longer answer is not kept: the request would be refused as done. */
#define BODY_MAX (256u << 10)

struct replay_answer {
	unsigned char key[SHA256_SIZE];
	unsigned char request[SHA256_SIZE]; /* query and body */
	bool done;
	int64_t at_us; /* of the monotonic clock */
	unsigned int status;
	const char *type;
	struct buf bytes;
	struct web_pairs fields;
	TAILQ_ENTRY(replay_answer) by_age;
	LIST_ENTRY(replay_answer) by_key;
};

struct web_replay {
	pthread_mutex_t lock;
	TAILQ_HEAD(answer_list, replay_answer) answers; /* the newest first */
	LIST_HEAD(, replay_answer) buckets[BUCKETS];
	size_t n, bytes;
};

struct web_replay *
replay_new(struct err *err)
{
	struct web_replay *replay = calloc(1, sizeof(*replay));

	if (replay == NULL) {
		err_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&replay->lock, NULL);
	TAILQ_INIT(&replay->answers);
	return replay;
}

/* With the lock, but at the end. */
static void
replay_drop(struct web_replay *replay, struct replay_answer *a)
{
	TAILQ_REMOVE(&replay->answers, a, by_age);
	LIST_REMOVE(a, by_key);
	replay->n--;
	replay->bytes -= a->bytes.len;
	buf_done(&a->bytes);
	web_pairs_done(&a->fields);
	free(a);
}

void
replay_free(struct web_replay *replay)
{
	if (replay == NULL)
		return;
	while (!TAILQ_EMPTY(&replay->answers))
		replay_drop(replay, TAILQ_FIRST(&replay->answers));
	pthread_mutex_destroy(&replay->lock);
	free(replay);
}

/* The old ones, and as many as there must be room for. One that is under way is
 * held by its call, and is not dropped. */
static void
replay_expire(struct web_replay *replay)
{
	struct replay_answer *a, *before;

	for (a = TAILQ_LAST(&replay->answers, answer_list); a != NULL;
	     a = before) {
		before = TAILQ_PREV(a, answer_list, by_age);
		if (clock_mono_us() - a->at_us < LIFE_US &&
		    replay->n < REPLAY_MAX && replay->bytes < REPLAY_BYTES_MAX)
			break;
		if (a->done)
			replay_drop(replay, a);
	}
}

/* Takes the text. Where memory has run out there is no digest: that of a part of
 * the text could be another request's, and show one user another's answer. */
static int
replay_hash(struct buf *text, unsigned char digest[SHA256_SIZE])
{
	const int result = text->failed ? -1 : 0;

	if (result == 0)
		sha256((struct slice){text->data, text->len}, digest);
	buf_done(text);
	return result;
}

/* Parts are kept apart by their NULs, which none of them has. */
static int
replay_digest(const char *const *parts, size_t n,
	      unsigned char digest[SHA256_SIZE])
{
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < n; i++)
		buf_add(&text, parts[i], strlen(parts[i]) + 1);
	return replay_hash(&text, digest);
}

/* The user is in it: a key is not a secret, and must not show one user the answer
 * of another. */
static int
replay_key(const struct web_call *call, const char *key,
	   unsigned char digest[SHA256_SIZE])
{
	/* A token and a user of one name are different, and so is a user before
	 * and after a change of role: they may see other things. */
	const char who[] = {(char)('a' + call->who.kind),
			    (char)('a' + call->who.role), '\0'};
	char uid[24];
	const char *const parts[] = {
	    who, call->who.user, uid, call->route->path, call->path_shown, key};

	/* Of a peer, whose name may have been another user's before. */
	snprintf(uid, sizeof(uid), "%lld", (long long)call->who.uid);
	return replay_digest(parts, sizeof(parts) / sizeof(parts[0]), digest);
}

/* What the request says, beside its path. */
static int
replay_request(const struct web_call *call, unsigned char digest[SHA256_SIZE])
{
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < call->query.n; i++)
		buf_addf(&text, "%s=%s&", call->query.items[i].name,
			 call->query.items[i].value);
	buf_addc(&text, '\n');
	buf_add(&text, call->body.data, call->body.len);
	return replay_hash(&text, digest);
}

/* The digest is as good as random: its first bytes are the hash. */
static struct replay_answer *
replay_find(struct web_replay *replay, const unsigned char digest[SHA256_SIZE])
{
	struct replay_answer *a;

	LIST_FOREACH (
	    a, &replay->buckets[(digest[0] << 8 | digest[1]) % BUCKETS], by_key)
		if (memcmp(a->key, digest, sizeof(a->key)) == 0)
			return a;
	return NULL;
}

/* Printable, as it stands in logs, and short: many are kept. */
static int
replay_check_key(struct web_call *call, const char *key, struct err *err)
{
	const size_t len = strlen(key);
	size_t i = 0;

	while (i < len && key[i] > ' ' && key[i] < 0x7f)
		i++;
	if (len > 0 && len <= REPLAY_KEY_MAX && i == len)
		return 0;
	err_set(err, ERR_USAGE,
		"Idempotency-Key: not 1 to %d printable ASCII characters "
		"without spaces",
		REPLAY_KEY_MAX);
	return web_fault(call, "Idempotency-Key", NULL, err);
}

/* The call becomes what the first one was. */
static void
replay_copy(const struct replay_answer *a, struct web_call *call)
{
	size_t i;

	call->status = a->status;
	call->type = a->type;
	buf_reset(&call->bytes);
	buf_add(&call->bytes, a->bytes.data, a->bytes.len);
	for (i = 0; i < a->fields.n; i++)
		web_field(call, a->fields.items[i].name,
			  a->fields.items[i].value);
	web_field(call, "Idempotency-Replayed", "true");
}

/* With the lock held. */
static int
replay_again(const struct replay_answer *a, struct web_call *call,
	     struct err *err)
{
	unsigned char request[SHA256_SIZE];

	if (replay_request(call, request) != 0)
		return err_nomem(err);
	if (memcmp(request, a->request, sizeof(request)) != 0) {
		err_set(err, ERR_DATA,
			"Idempotency-Key: was used for another request");
		return web_fault(call, "Idempotency-Key",
				 "a key is for one request and its repetitions",
				 err);
	}
	if (!a->done) {
		web_field(call, "Retry-After", "1");
		return err_set(err, ERR_REFUSED,
			       "the first request with this Idempotency-Key is "
			       "under way");
	}
	replay_copy(a, call);
	return -1;
}

/* With the lock held. */
static int
replay_add(struct web_replay *replay, const struct web_call *call,
	   const unsigned char key[SHA256_SIZE], struct replay_answer **ret,
	   struct err *err)
{
	struct replay_answer *a = calloc(1, sizeof(*a));

	if (a == NULL || replay_request(call, a->request) != 0) {
		free(a);
		return err_nomem(err);
	}
	memcpy(a->key, key, sizeof(a->key));
	a->at_us = clock_mono_us();
	TAILQ_INSERT_HEAD(&replay->answers, a, by_age);
	LIST_INSERT_HEAD(&replay->buckets[(key[0] << 8 | key[1]) % BUCKETS], a,
			 by_key);
	replay->n++;
	*ret = a;
	return 0;
}

/* Found or put in under one lock: of two at the same time one is the first. */
int
replay_begin(struct web_replay *replay, struct web_call *call,
	     struct replay_answer **ret, struct err *err)
{
	const char *key = web_header(call, "Idempotency-Key");
	unsigned char digest[SHA256_SIZE];
	struct replay_answer *a;
	int r;

	if (replay_check_key(call, key, err) != 0)
		return -1;
	if (replay_key(call, key, digest) != 0)
		return err_nomem(err);
	pthread_mutex_lock(&replay->lock);
	replay_expire(replay);
	if ((a = replay_find(replay, digest)) != NULL)
		r = replay_again(a, call, err);
	else
		r = replay_add(replay, call, digest, ret, err);
	pthread_mutex_unlock(&replay->lock);
	return r;
}

/* Whether the client may send it again in the hope of another answer. */
static bool
replay_is_final(const struct web_call *call)
{
	return call->status < 500 && call->status != 409 &&
	       call->status != 429 && call->bytes.len <= BODY_MAX;
}

/* -1: there is no memory for all of it. */
static int
replay_keep(struct replay_answer *a, const struct web_call *call)
{
	struct err err;
	size_t i;

	a->status = call->status;
	a->type = call->type;
	buf_add(&a->bytes, call->bytes.data, call->bytes.len);
	for (i = 0; i < call->fields.n; i++)
		if (web_pairs_add(&a->fields, call->fields.items[i].name,
				  call->fields.items[i].value, &err) != 0)
			return -1;
	return a->bytes.failed ? -1 : 0;
}

/* What may be tried again is forgotten, and the key with it. */
void
replay_end(struct web_replay *replay, struct replay_answer *a,
	   const struct web_call *call)
{
	pthread_mutex_lock(&replay->lock);
	a->done = replay_is_final(call) && replay_keep(a, call) == 0;
	replay->bytes += a->bytes.len;
	if (!a->done)
		replay_drop(replay, a);
	pthread_mutex_unlock(&replay->lock);
}

/* The same user and key give the same ID for ever, on any daemon, and nobody can
 * choose it. */
int
replay_task_id(const char *user, const char *key, char id[static 37])
{
	const char *const parts[] = {"flowrra-web", user, key};
	unsigned char d[SHA256_SIZE];

	if (replay_digest(parts, sizeof(parts) / sizeof(parts[0]), d) != 0)
		return -1;
	uuid_of_digest(d, id);
	return 0;
}
