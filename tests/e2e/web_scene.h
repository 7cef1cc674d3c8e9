/* SPDX-License-Identifier: MIT */
/* A flowrra-web in a world, and curl to ask it. */
#ifndef TESTS_E2E_WEB_SCENE_H
#define TESTS_E2E_WEB_SCENE_H

#include "e2e/world.h"

/* Headers for site_ask(). */
#define SITE_JSON "-H 'Content-Type: application/json' "
#define SITE_SAME "-H 'Sec-Fetch-Site: same-origin' "
#define SITE_CROSS "-H 'Sec-Fetch-Site: cross-site' "

struct site {
	struct world *w;
	struct run *daemon;
	int port;
	const char *settings; /* "-o web.x=y …" */
	char *token;	      /* of the start; NULL: there is none */
	char *body, *head;    /* of the last answer */
};

/* A world whose store is given up on after two seconds. */
struct world *site_world(bool embedded);
/* Makes a token by a command like "web token NAME ROLE", and puts its line into the
 * file "tokens", which only the daemon can read; returns the token, which the world
 * keeps. */
const char *site_make_token(struct world *w, const char *command);
/* Puts alice, whose password is "sesame", into the file "users". */
void site_make_alice(struct world *w);
/* Starts one and waits until it answers. `settings` may be "". */
struct site *site_start(struct world *w, const char *settings);
/* SIGKILL, or SIGTERM; then site_again() starts the same. */
void site_kill(struct site *s);
void site_again(struct site *s);
/* SIGTERM, and it must end in order. */
void site_stop(struct site *s);

/*
 * `curl ARGUMENTS URL`, where a %-format makes ARGUMENTS and the path. Returns the
 * status; 0: there was no answer within 20 s.
 */
__attribute__((format(printf, 3, 4))) int
site_ask(struct site *s, const char *path, const char *fmt, ...);
/* The same with the token of the start. */
__attribute__((format(printf, 3, 4))) int
site_ask_in(struct site *s, const char *path, const char *fmt, ...);
/* The text between `before` and the next quote in the body. */
char *site_cut(struct site *s, const char *before);
/* A TCP connection to it. */
int site_connect(const struct site *s);
/* Logs in by `flowrractl web`, and has curl keep the cookie in the file "jar". */
void site_log_in(struct site *s);

#endif
