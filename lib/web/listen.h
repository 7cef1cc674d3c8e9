/* SPDX-License-Identifier: MIT */
/* Where flowrra-web listens: addresses and Unix sockets, and whether that is
 * safe. */
#ifndef WEB_LISTEN_H
#define WEB_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

struct conf;
struct err;

#define LISTEN_MAX 16

/* Opens all of [web] listen. Returns how many, or -1 with *err. */
int listen_open(const struct conf *conf, int fds[LISTEN_MAX], struct err *err);
/* ERR_CONFIG: a socket that other machines can reach has neither TLS nor a trusted
 * proxy. */
int listen_check(const struct conf *conf, const int *fds, size_t n,
		 struct err *err);
/* The same for the words of [web] listen; also ERR_CONFIG for what is not an
 * address. */
int listen_check_words(const struct conf *conf, struct err *err);

#endif
