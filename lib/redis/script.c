/* SPDX-License-Identifier: MIT */
/*
 * Lua scripts: loaded once a connection, then called by their SHA-1 (EVALSHA),
 * which saves sending the text with each call.
 *
 * SCRIPT LOAD travels in front of the first EVALSHA of a connection without
 * waiting for its answer. A server that loses its scripts (a restart, SCRIPT
 * FLUSH) answers NOSCRIPT; the script is then loaded again, and the caller
 * sends its request again. That helps once. If a script that was just loaded
 * again is still not there, the server does not keep scripts, or lies; to go on
 * would be a loop as fast as the connection.
 *
 * The sums are stored with the connection and not with the script, which
 * several threads may share.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/conn.h"
#include "util/sha.h"

/* A script that was sent to the server on this connection. */
struct redis_loaded {
	const struct redis_script *script;
	const char *text; /* that the sum is of */
	char sha[2 * SHA1_SIZE + 1];
	bool loaded;
	uint64_t at; /* the number of its SCRIPT LOAD among the commands */
	/* Its number, too, if that was the answer to NOSCRIPT and the script
	 * has not run since; else 0. */
	uint64_t again_at;
	bool gone; /* NOSCRIPT was answered, and it was not loaded since */
};

static struct redis_loaded *
script_find(struct redis *r, const struct redis_script *script)
{
	unsigned char digest[SHA1_SIZE];
	struct redis_loaded *wider, *l;
	size_t i;

	for (i = 0; i < r->n_loaded && r->loaded[i].script != script; i++)
		;
	if (i == r->n_loaded) {
		wider = reallocarray(r->loaded, i + 1, sizeof(*wider));
		if (wider == NULL)
			return NULL;
		r->loaded = wider;
		r->loaded[r->n_loaded++] =
		    (struct redis_loaded){.script = script};
	}
	l = &r->loaded[i];
	/* Texts are compared by address: they are constants of the program. */
	if (l->text == script->text)
		return l;
	l->loaded = false;
	/* By its hexadecimal form Redis names the script. */
	if (script->sha != NULL) {
		memccpy(l->sha, script->sha, '\0', sizeof(l->sha));
	} else {
		sha1(slice_of(script->text), digest);
		sha_hex(digest, sizeof(digest), l->sha);
	}
	l->text = script->text;
	return l;
}

static int
script_load(struct redis *r, struct redis_loaded *l)
{
	const struct slice argv[] = {
	    SLICE("SCRIPT"),
	    SLICE("LOAD"),
	    slice_of(l->script->text),
	};

	/* If it is refused, the EVALSHA behind it fails and reports it. */
	l->at = r->due.pushed;
	if (redis_conn_send(r, (struct redis_due){.on_reply = NULL},
			    &(struct redis_args){argv, 3}, 1) != 0)
		return -1;
	l->loaded = true;
	if (l->gone && l->again_at == 0)
		r->n_reloaded++;
	if (l->gone)
		l->again_at = l->at;
	l->gone = false;
	return 0;
}

int
redis_eval(struct redis *r, const struct redis_script *script,
	   redis_reply_fn *on_reply, void *arg, size_t n_keys,
	   const struct slice *keys, size_t n_args, const struct slice *args)
{
	const struct slice none = {NULL, 0};
	struct redis_loaded *l;
	char n[24];

	if (r->router != NULL)
		return redis_router_send(
		    r->router,
		    &(struct redis_routed_call){.on_reply = on_reply,
						.arg = arg,
						.script = script,
						.n_keys = n_keys,
						.key = n_keys > 0 ? keys[0]
								  : none},
		    (const struct redis_args[]){{keys, n_keys}, {args, n_args}},
		    2);
	if (r->phase != REDIS_PHASE_UP || r->subscriber ||
	    (l = script_find(r, script)) == NULL)
		return -1;
	if (!l->loaded && script_load(r, l) != 0)
		return -1;
	snprintf(n, sizeof(n), "%zu", n_keys);
	const struct slice head[] = {
	    SLICE("EVALSHA"),
	    slice_of(l->sha),
	    slice_of(n),
	};
	const struct redis_args parts[] = {
	    {head, 3},
	    {keys, n_keys},
	    {args, n_args},
	};
	return redis_conn_send(r,
			       (struct redis_due){.on_reply = on_reply,
						  .arg = arg,
						  .script = script},
			       parts, 3);
}

static struct redis_loaded *
script_sent(struct redis *r, const struct redis_script *script)
{
	size_t i;

	for (i = 0; i < r->n_loaded; i++)
		if (r->loaded[i].script == script)
			return &r->loaded[i];
	return NULL;
}

/*
 * Commands answer in order, so the number of the one that got NOSCRIPT tells
 * which loads were before the flush. A load that was sent after it is on its
 * way and counts.
 */
bool
redis_script_forget(struct redis *r, const struct redis_script *script,
		    uint64_t command)
{
	struct redis_loaded *l = script != NULL ? script_sent(r, script) : NULL;
	size_t i;

	if (l == NULL)
		return false;
	l->gone = l->gone || l->at < command;
	for (i = 0; i < r->n_loaded; i++)
		if (r->loaded[i].at < command)
			r->loaded[i].loaded = false;
	return l->again_at == 0 || l->again_at > command;
}

void
redis_script_known(struct redis *r, const struct redis_script *script,
		   uint64_t command)
{
	struct redis_loaded *l;

	/* Nearly always: no search for each reply. */
	if (r->n_reloaded == 0 || (l = script_sent(r, script)) == NULL ||
	    l->again_at == 0 || l->again_at > command)
		return;
	l->again_at = 0;
	r->n_reloaded--;
}

void
redis_script_renew(struct redis *r)
{
	size_t i;

	for (i = 0; i < r->n_loaded; i++) {
		r->loaded[i].loaded = r->loaded[i].gone = false;
		r->loaded[i].again_at = 0;
	}
	r->n_reloaded = 0;
}

void
redis_script_done(struct redis *r)
{
	free(r->loaded);
	r->loaded = NULL;
	r->n_loaded = r->n_reloaded = 0;
}
