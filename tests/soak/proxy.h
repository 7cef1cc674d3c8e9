/* SPDX-License-Identifier: MIT */
/*
 * A bad network between a worker and its Redis: a proxy on Unix sockets, in
 * threads of this process, which delays, loses, or cuts what passes through.
 * All settings may be changed at any time.
 */
#ifndef TESTS_SOAK_PROXY_H
#define TESTS_SOAK_PROXY_H

#include <stdatomic.h>

enum proxy_mode {
	PROXY_PASS,
	PROXY_HOLE,   /* nothing passes; it does when the hole is mended */
	PROXY_SWALLOW /* requests pass, replies get lost, now and, on the
			 connections that have lost some, for ever */
};

struct proxy {
	_Atomic enum proxy_mode mode;
	atomic_int delay_ms; /* of each chunk */
	/*
	 * If not 0, each new connection is cut once that many bytes have passed
	 * in one of the directions.
	 */
	atomic_int cut_at;
	atomic_int cuts;    /* that were made */
	unsigned int links; /* so far */
	int fd;
	const char *target;
};

/* Listens at `path` and connects to `target`; lives until the process ends. */
struct proxy *proxy_start(const char *path, const char *target);

#endif
