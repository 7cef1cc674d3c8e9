/* SPDX-License-Identifier: MIT */
/*
 * TLS for rediss:// URLs: who is trusted, and which name is expected.
 */
#ifndef REDIS_TLS_H
#define REDIS_TLS_H

struct bufferevent;
struct err;
struct redis_url;
struct ssl_ctx_st;
struct ssl_st;

/* Reads the URL's certificate files. NULL with *err (ERR_CONFIG). */
struct ssl_ctx_st *redis_tls_new(const struct redis_url *url, struct err *err);
void redis_tls_free(struct ssl_ctx_st *ctx);

/* The client's end of a connection to the URL's host. NULL with *err. */
struct ssl_st *redis_tls_session(struct ssl_ctx_st *ctx,
				 const struct redis_url *url, struct err *err);

/* Says why the TLS connection under `bev` broke: sets *err, returns -1. */
int redis_tls_why(struct bufferevent *bev, const struct redis_url *url,
		  struct err *err);

#endif
