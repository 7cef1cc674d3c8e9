/* SPDX-License-Identifier: MIT */
/*
 * A flowrra-web that is measured, and what asks it. All functions end the
 * benchmark with a message when something fails.
 */
#ifndef TESTS_BENCH_WEB_SITE_H
#define TESTS_BENCH_WEB_SITE_H

#include <stddef.h>
#include <sys/types.h>

struct web_site {
	pid_t pid;
	int port;
	char token[128];
};

/* Starts one with its files and its log in `dir`, and waits until it answers.
 * `settings` are SECTION.KEY=VALUE, NULL-ended; where the stores are is to be
 * among them, or in the environment. */
void web_site_start(struct web_site *s, const char *dir,
		    const char *const *settings);
void web_site_stop(struct web_site *s);

/* A TCP connection to it. */
int web_site_connect(const struct web_site *s);
/* Sends GET with the token of the start. */
void web_site_send(const struct web_site *s, int fd, const char *path);
/* The same, and reads the whole answer: the length of its body. Returns its
 * status. The connection can be used again. */
int web_site_get(const struct web_site *s, int fd, const char *path,
		 size_t *body);

/* CPU milliseconds of a process so far; 0 for pid 0. */
double web_site_cpu_ms(pid_t pid);

#endif
