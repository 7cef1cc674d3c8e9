/* SPDX-License-Identifier: MIT */
/* What private servers of tests share. */
#ifndef TESTS_SERVER_H
#define TESTS_SERVER_H

/*
 * Makes, in a directory, ca.crt, and server.crt and client.crt with their .key,
 * which are good for "localhost" and 127.0.0.1; and other-ca.crt, which signed
 * nothing. -1: it cannot; openssl.log there says why.
 */
int server_certificates(const char *dir);
/* A port that nobody listens on right now, or -1. */
int server_free_port(void);

#endif
