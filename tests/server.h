/* SPDX-License-Identifier: MIT */
/* What private servers of tests share. */
#ifndef TESTS_SERVER_H
#define TESTS_SERVER_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Makes, in a directory, ca.crt, and server.crt and client.crt with their .key,
 * which are good for "localhost" and 127.0.0.1; and other-ca.crt, which signed
 * nothing. -1: it cannot; openssl.log there says why.
 */
int server_certificates(const char *dir);
/* A port that nobody listens on right now, or -1. */
int server_free_port(void);

/* A new directory below $TMPDIR, or /tmp: "flowrra-NAME-…"; free() it. */
char *server_make_dir(const char *name);
/* Removes one with all that is in it. */
void server_remove_dir(const char *dir);
/* Starts a program in a directory; what it prints is appended to `out` there. It dies
 * with this process. */
pid_t server_spawn(const char *dir, const char *out, const char *const *argv);

/* For those who cannot go on: a line to standard error, and SIGABRT. */
__attribute__((noreturn, format(printf, 1, 2))) void server_die(const char *fmt,
								...);
/* What is to be freed; it is there. */
__attribute__((format(printf, 1, 2))) char *server_text(const char *fmt, ...);
/* By a clock that nobody sets. */
int64_t server_now_ms(void);
/* Between two looks at something that will come. */
void server_nap(void);

#endif
