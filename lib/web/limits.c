/* SPDX-License-Identifier: MIT */
/* How often: failed logins of an address, writes of a user. A table with a fixed
 * number of places, so that nobody can fill the memory with made-up names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/err.h"
#include "web/access.h"

/* A name has one of WAYS places, which its hash finds. */
#define SETS 512
#define WAYS 8

#define LOGIN_FREE 5
#define LOGIN_WINDOW_US 60000000
#define LOGIN_PAUSE_S 60
#define LOGIN_PAUSE_MAX_S 3600
#define WRITES_PER_S 20
#define WRITES_BURST 40

struct place {
	char name[72]; /* "l:" or "w:", and an address or the begin of a user */
	int64_t used_us;
	/* Logins. */
	unsigned int failures;
	int64_t first_us, until_us;
	/* Writes. */
	double tokens;
};

struct access_limits {
	struct place places[SETS][WAYS];
};

struct access_limits *
access_limits_new(struct err *err)
{
	struct access_limits *limits = calloc(1, sizeof(*limits));

	if (limits == NULL)
		err_nomem(err);
	return limits;
}

void
access_limits_free(struct access_limits *limits)
{
	free(limits);
}

/* FNV-1a. */
static unsigned int
limits_hash(const char *name)
{
	unsigned int hash = 2166136261u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash;
}

/* The place of a name, new in the one that was not used for the longest time. */
static struct place *
limits_place(struct access_limits *limits, char kind, const char *name)
{
	const int64_t now = clock_mono_us();
	struct place *set, *oldest;
	char key[72];
	size_t i;

	snprintf(key, sizeof(key), "%c:%s", kind, name);
	set = limits->places[limits_hash(key) % SETS];
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
		*oldest =
		    (struct place){.tokens = WRITES_BURST, .used_us = now};
		memcpy(oldest->name, key, sizeof(key));
	}
	return oldest;
}

int64_t
access_login_wait(struct access_limits *limits, const char *peer)
{
	const struct place *p = limits_place(limits, 'l', peer);
	const int64_t left_us = p->until_us - clock_mono_us();

	return left_us > 0 ? (left_us + 999999) / 1000000 : 0;
}

void
access_login_failed(struct access_limits *limits, const char *peer)
{
	struct place *p = limits_place(limits, 'l', peer);
	const int64_t now = clock_mono_us();
	int64_t pause_s = LOGIN_PAUSE_S;
	unsigned int i;

	/* Failures are forgotten a minute after the pause. */
	if (p->failures == 0 ||
	    (p->failures < LOGIN_FREE
		 ? now - p->first_us > LOGIN_WINDOW_US
		 : now > p->until_us + (int64_t)LOGIN_PAUSE_MAX_S * 1000000)) {
		p->failures = 0;
		p->first_us = now;
	}
	p->used_us = now;
	if (++p->failures < LOGIN_FREE)
		return;
	for (i = LOGIN_FREE; i < p->failures && pause_s < LOGIN_PAUSE_MAX_S;
	     i++)
		pause_s *= 2;
	if (pause_s > LOGIN_PAUSE_MAX_S)
		pause_s = LOGIN_PAUSE_MAX_S;
	p->until_us = now + pause_s * 1000000;
}

void
access_login_succeeded(struct access_limits *limits, const char *peer)
{
	struct place *p = limits_place(limits, 'l', peer);

	p->failures = 0;
	p->until_us = 0;
}

bool
access_write(struct access_limits *limits, const char *user)
{
	struct place *p = limits_place(limits, 'w', user);
	const int64_t now = clock_mono_us();

	p->tokens += (double)(now - p->used_us) / 1e6 * WRITES_PER_S;
	if (p->tokens > WRITES_BURST)
		p->tokens = WRITES_BURST;
	p->used_us = now;
	if (p->tokens < 1)
		return false;
	p->tokens -= 1;
	return true;
}
