/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL, and libevent's part for it: loaded by the first rediss:// URL.
 *
 * Linked, they would be half of what a program that starts has to do (1.1 of
 * 2.4 ms of a lone submission, measured), and most have no such URL. The
 * functions are called as members of `openssl`, with their own names; those that
 * are macros of OpenSSL, by what the macros say.
 */
#ifndef REDIS_OPENSSL_H
#define REDIS_OPENSSL_H

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct err;

#define OPENSSL_FUNCTIONS(X)                                                   \
	X(ERR_clear_error)                                                     \
	X(ERR_get_error)                                                       \
	X(ERR_reason_error_string)                                             \
	X(SSL_CTX_check_private_key)                                           \
	X(SSL_CTX_ctrl)                                                        \
	X(SSL_CTX_free)                                                        \
	X(SSL_CTX_load_verify_locations)                                       \
	X(SSL_CTX_new)                                                         \
	X(SSL_CTX_set_default_passwd_cb)                                       \
	X(SSL_CTX_set_default_verify_paths)                                    \
	X(SSL_CTX_set_options)                                                 \
	X(SSL_CTX_set_verify)                                                  \
	X(SSL_CTX_use_PrivateKey_file)                                         \
	X(SSL_CTX_use_certificate_chain_file)                                  \
	X(SSL_ctrl)                                                            \
	X(SSL_free)                                                            \
	X(SSL_get0_param)                                                      \
	X(SSL_get_verify_result)                                               \
	X(SSL_new)                                                             \
	X(SSL_read)                                                            \
	X(SSL_set1_host)                                                       \
	X(TLS_client_method)                                                   \
	X(X509_VERIFY_PARAM_set1_ip_asc)                                       \
	X(X509_verify_cert_error_string)                                       \
	X(bufferevent_get_openssl_error)                                       \
	X(bufferevent_openssl_get_ssl)                                         \
	X(bufferevent_openssl_socket_new)

struct openssl {
#define X(name) __typeof__(name) *name;
	OPENSSL_FUNCTIONS(X)
#undef X
};
/* To be used only once openssl_load() has succeeded. */
extern struct openssl openssl;

/* Loads the libraries unless they are loaded; they stay. Any thread may call it.
 * 0, or -1 with *err (ERR_CONFIG): one is not installed, or too old. */
int openssl_load(struct err *err);

#endif
