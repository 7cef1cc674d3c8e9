/* SPDX-License-Identifier: MIT */
/* Addresses that servers listen on, as people write them: ADDRESS:PORT,
 * [ADDRESS]:PORT or unix:/PATH. Numbers only, and "localhost": a name that DNS
 * answers for may change. */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct err;

union http_address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	struct sockaddr_un path;
};

/* For messages: the key that the word is of, and what helps against EACCES. */
struct http_address_of {
	const char *key; /* "[web] listen" */
	const char *denied;
};
/* 0, or -1 with *err (ERR_CONFIG). */
int http_address_parse(const struct http_address_of *of, const char *word,
		       union http_address *ret, socklen_t *ret_len,
		       struct err *err);
/* A listening socket, nonblocking; the group may connect to that of a path, from
 * which one that nobody listens on was removed. -1 with *err. */
int http_address_open(const struct http_address_of *of, const char *word,
		      struct err *err);
/* Whether only this machine reaches it: a path, or of the loopback (127.0.0.0/8,
 * RFC 1122, section 3.2.1.3; ::1 alone). */
bool http_address_is_local(const union http_address *address);

#endif
