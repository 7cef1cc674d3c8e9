/* SPDX-License-Identifier: MIT */
/*
 * How often: failed logins of a network and of a user, writes of a user.
 *
 * A table with a fixed number of places, so that nobody can fill the memory with
 * made-up names. Which places a name has depends on a secret, so that nobody can
 * choose names that push a certain other one out. Names are kept as digests: what
 * somebody types into the wrong field may be a password.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/bucket.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/fnv.h"
#include "web/access.h"
#include "web/secret.h"

/* A name has one of WAYS places, which its hash finds. */
#define SETS 512
#define WAYS 8

/* Of a network. */
#define LOGIN_FREE 5
#define LOGIN_WINDOW_US 60000000
#define LOGIN_PAUSE_S 60
#define LOGIN_PAUSE_MAX_S 3600
/* Of a user's name, from all networks: the pause does not grow, since strangers can
 * bring it about. */
#define USER_FREE 20
/* A user may log in from where it has done so, in spite of that pause. */
#define KNOWN_US ((int64_t)86400 * 1000000)
#define WRITES_PER_S 20
#define WRITES_BURST 40
#define READS_PER_S 50
#define READS_BURST 100
/* Of tasks: seconds of their rate that may come at once. */
#define TASKS_BURST_S 10

struct place {
	/* The kind: l(ogins of a network), u(ser's logins), k(nown user at a
	 * network), w(rites), r(eads) or t(asks); and a digest of the name, in
	 * full. */
	char name[SECRET_HEX_SIZE + 2];
	int64_t used_us;
	/* Logins. */
	unsigned int failures;
	int64_t first_us, until_us;
	struct bucket bucket; /* w, r, t */
};

struct access_limits {
	uint32_t seed;
	struct place places[SETS][WAYS];
};

struct access_limits *
access_limits_new(struct err *err)
{
	struct access_limits *limits = calloc(1, sizeof(*limits));

	if (limits == NULL)
		err_nomem(err);
	else
		secret_random(&limits->seed, sizeof(limits->seed));
	return limits;
}

void
access_limits_free(struct access_limits *limits)
{
	free(limits);
}

/* The place of a name, new in the one that was not used for the longest time. */
static struct place *
limits_place(struct access_limits *limits, char kind, const char *name)
{
	const int64_t now = clock_mono_us();
	struct place *set, *oldest;
	char digest[SECRET_HEX_SIZE], key[SECRET_HEX_SIZE + 2];
	size_t i;

	secret_digest(name, digest);
	snprintf(key, sizeof(key), "%c:%s", kind, digest);
	set =
	    limits->places[fnv_32(FNV_BASIS_32 ^ limits->seed, slice_of(key)) %
			   SETS];
	oldest = &set[0];
	for (i = 0; i < WAYS; i++) {
		if (strcmp(set[i].name, key) == 0) {
			oldest = &set[i];
			break;
		}
		if (set[i].used_us < oldest->used_us)
			oldest = &set[i];
	}
	if (strcmp(oldest->name, key) != 0) {
		/* Full for whatever burst: taking cuts it down. */
		*oldest = (struct place){.bucket = bucket_full(1e18, now),
					 .used_us = now};
		memcpy(oldest->name, key, sizeof(key));
	}
	return oldest;
}

/* --- logins ---------------------------------------------------------------- */

/* Logins of the network of a peer. */
static struct place *
limits_of_peer(struct access_limits *limits, const char *peer)
{
	char network[ACCESS_PEER_SIZE];

	access_network(peer, network);
	return limits_place(limits, 'l', network);
}

/* A user at the network of a peer. */
static struct place *
limits_of_known(struct access_limits *limits, const char *peer,
		const char *user)
{
	char network[ACCESS_PEER_SIZE], name[ACCESS_PEER_SIZE + 256];

	access_network(peer, network);
	snprintf(name, sizeof(name), "%s %s", network, user);
	return limits_place(limits, 'k', name);
}

/* Whole seconds, rounded up: 0 means that it may be tried now. */
static int64_t
place_wait_s(const struct place *p)
{
	const int64_t left_us = p->until_us - clock_mono_us();

	return left_us > 0 ? (left_us + 999999) / 1000000 : 0;
}

/* The longer of two pauses; that of the user does not hold where the user has
 * logged in before, or strangers could lock a user out by guessing. */
int64_t
access_login_wait(struct access_limits *limits, const char *peer,
		  const char *user)
{
	const int64_t peer_s = place_wait_s(limits_of_peer(limits, peer));
	int64_t user_s;

	if (user == NULL ||
	    limits_of_known(limits, peer, user)->until_us > clock_mono_us())
		return peer_s;
	user_s = place_wait_s(limits_place(limits, 'u', user));
	return user_s > peer_s ? user_s : peer_s;
}

/* One more failure, of which `most` are free in a minute; then a pause, which
 * doubles up to `pause_max_s`. */
static void
place_failed(struct place *p, unsigned int most, int64_t pause_max_s)
{
	const int64_t now = clock_mono_us();
	int64_t pause_s = LOGIN_PAUSE_S;
	unsigned int i;

	/* Failures are forgotten when the longest pause has passed without
	 * one. */
	if (p->failures == 0 ||
	    (p->failures < most ? now - p->first_us > LOGIN_WINDOW_US
				: now > p->until_us + pause_max_s * 1000000)) {
		p->failures = 0;
		p->first_us = now;
	}
	p->used_us = now;
	if (++p->failures < most)
		return;
	for (i = most; i < p->failures && pause_s < pause_max_s; i++)
		pause_s *= 2;
	if (pause_s > pause_max_s)
		pause_s = pause_max_s;
	p->until_us = now + pause_s * 1000000;
}

/* Each failure counts twice: against guesses of many names from one network, and
 * of one name from many networks. */
void
access_login_failed(struct access_limits *limits, const char *peer,
		    const char *user)
{
	place_failed(limits_of_peer(limits, peer), LOGIN_FREE,
		     LOGIN_PAUSE_MAX_S);
	if (user != NULL)
		place_failed(limits_place(limits, 'u', user), USER_FREE,
			     LOGIN_PAUSE_S);
}

/* The failures of the user stay: another network has made them, or this one, of
 * which a success must not buy more guesses. */
void
access_login_succeeded(struct access_limits *limits, const char *peer,
		       const char *user)
{
	struct place *p = limits_of_peer(limits, peer);

	p->failures = 0;
	p->until_us = 0;
	if (user == NULL)
		return;
	p = limits_of_known(limits, peer, user);
	p->used_us = clock_mono_us();
	p->until_us = p->used_us + KNOWN_US;
}

/* In bursts of up to WRITES_BURST, so that a page may send what was selected. */
bool
access_write(struct access_limits *limits, const char *user)
{
	struct place *p = limits_place(limits, 'w', user);
	const int64_t now = clock_mono_us();

	p->used_us = now;
	return bucket_take(&p->bucket, WRITES_PER_S, WRITES_BURST, now);
}

bool
access_read(struct access_limits *limits, const char *user)
{
	struct place *p = limits_place(limits, 'r', user);
	const int64_t now = clock_mono_us();

	p->used_us = now;
	return bucket_take(&p->bucket, READS_PER_S, READS_BURST, now);
}

int64_t
access_submit(struct access_limits *limits, const char *user, size_t n,
	      int64_t per_s)
{
	struct place *p = limits_place(limits, 't', user);
	const double burst = (double)per_s * TASKS_BURST_S;
	const int64_t now = clock_mono_us();
	double lacking;

	if ((double)n > burst)
		return -1;
	p->used_us = now;
	lacking =
	    bucket_take_n(&p->bucket, (double)n, (double)per_s, burst, now);
	return lacking > 0 ? (int64_t)(lacking / (double)per_s) + 1 : 0;
}
