/* SPDX-License-Identifier: MIT */
/* TLS for rediss:// URLs. Certificates are verified, and so is the name in
 * them, unless the URL says otherwise (enum redis_verify). Each error message names the setting that is probably wrong. */
#include "redis/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/util.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "loaded/openssl.h"
#include "redis/url.h"
#include "util/err.h"
#include "util/library.h"
#include "util/sigpipe.h"

/* Most have no rediss:// URL. */
LIBRARY("TLS", openssl);

/*
 * Takes OpenSSL's oldest error as the reason, and empties its queue. The queue
 * belongs to the thread: a leftover would show up as the error of another
 * connection, or of another library.
 */
static int
openssl_err(struct err *err, enum err_code code, const char *what,
	    const char *on)
{
	unsigned long e = ERR_get_error();
	const char *why = ERR_reason_error_string(e);

	if (why == NULL && ERR_SYSTEM_ERROR(e))
		why = strerror(ERR_GET_REASON(e));
	ERR_clear_error();
	return err_set(err, code, "%s %s: %s", what, on,
		       why != NULL ? why : "unknown reason");
}

/* OpenSSL would wait for the writer of a pipe, on the loop. What is not there it
 * names itself. */
static int
tls_check_files(const struct redis_url *url, struct err *err)
{
	const char *const files[] = {url->cafile, url->certfile, url->keyfile};
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i] != NULL && stat(files[i], &st) == 0 &&
		    !S_ISREG(st.st_mode))
			return err_set(err, ERR_CONFIG,
				       "%s is not a regular file; name a file "
				       "in PEM format",
				       files[i]);
	return 0;
}

static int
trust(SSL_CTX *ctx, const struct redis_url *url, struct err *err)
{
	if (url->cafile == NULL && SSL_CTX_set_default_verify_paths(ctx) != 1)
		return openssl_err(err, ERR_CONFIG, "cannot read",
				   "the system's CA certificates");
	if (url->cafile != NULL &&
	    SSL_CTX_load_verify_locations(ctx, url->cafile, NULL) != 1)
		return openssl_err(err, ERR_CONFIG,
				   "cannot read CA certificates (cafile=) from",
				   url->cafile);
	SSL_CTX_set_verify(ctx,
			   url->verify == REDIS_VERIFY_NOTHING
			       ? SSL_VERIFY_NONE
			       : SSL_VERIFY_PEER,
			   NULL);
	return 0;
}

/* A password-protected key must not make OpenSSL ask on the terminal. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	return -1;
}

static int
identify(SSL_CTX *ctx, const struct redis_url *url, struct err *err)
{
	if (url->certfile == NULL)
		return 0;
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, url->certfile) != 1)
		return openssl_err(err, ERR_CONFIG,
				   "cannot read our certificate (certfile=) "
				   "from",
				   url->certfile);
	if (SSL_CTX_use_PrivateKey_file(ctx, url->keyfile, SSL_FILETYPE_PEM) !=
	    1)
		return openssl_err(err, ERR_CONFIG,
				   "cannot read our private key (keyfile=), "
				   "which must not have a passphrase, from",
				   url->keyfile);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return openssl_err(
		    err, ERR_CONFIG,
		    "certificate and key do not match:", url->keyfile);
	return 0;
}

struct ssl_ctx_st *
redis_tls_new(const struct redis_url *url, struct err *err)
{
	SSL_CTX *ctx;

	if (tls_check_files(url, err) != 0 ||
	    library_load(&library_openssl, err) != 0)
		return NULL;
	/* OpenSSL writes to the socket by itself. */
	sigpipe_expect();
	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL) {
		err_nomem(err);
		return NULL;
	}
	SSL_CTX_ctrl(ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
	/* Connections are idle most of the time; without this mode each of them
	 * keeps 34 KiB of buffers. */
	SSL_CTX_ctrl(ctx, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, NULL);
#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
	/*
	 * OpenSSL 3 reports a peer that closes without close_notify as an
	 * error. RESP replies carry their length, so a truncated one shows
	 * anyway.
	 */
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
#endif
	if (trust(ctx, url, err) != 0 || identify(ctx, url, err) != 0) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

void
redis_tls_free(struct ssl_ctx_st *ctx)
{
	if (ctx != NULL)
		SSL_CTX_free(ctx);
}

static const char *
expected_name(const struct redis_url *url)
{
	return url->servername != NULL ? url->servername : url->host;
}

static bool
is_address(const char *name)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, name, &addr) == 1 ||
	       inet_pton(AF_INET6, name, &addr) == 1;
}

/* SSL_set_tlsext_host_name(), a macro. */
static long
tls_indicate(SSL *ssl, const char *name)
{
	return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
			TLSEXT_NAMETYPE_host_name, (void *)name);
}

/* RFC 6066 allows only names in SNI, and a certificate holds addresses in a
 * field of their own. SNI is sent in any case: a server may choose by it. */
static int
tls_expect(SSL *ssl, const char *name, enum redis_verify verify)
{
	if (verify != REDIS_VERIFY_NAME)
		return is_address(name) || tls_indicate(ssl, name) == 1;
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	return SSL_set1_host(ssl, name) == 1 && tls_indicate(ssl, name) == 1;
}

struct ssl_st *
redis_tls_session(struct ssl_ctx_st *ctx, const struct redis_url *url,
		  struct err *err)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl == NULL ||
	    tls_expect(ssl, expected_name(url), url->verify) != 1) {
		openssl_err(err, ERR_SYSTEM, "cannot prepare TLS for",
			    expected_name(url));
		SSL_free(ssl);
		return NULL;
	}
	return ssl;
}

/* The reason of the first error that has one; libevent hands out the last one
 * first. */
static unsigned long
first_error(struct bufferevent *bev)
{
	unsigned long e, first = 0;

	while ((e = bufferevent_get_openssl_error(bev)) != 0)
		if (ERR_SYSTEM_ERROR(e) || ERR_reason_error_string(e) != NULL)
			first = e;
	ERR_clear_error();
	return first;
}

/*
 * In TLS 1.3 the client has finished its handshake before the server rejects
 * its certificate. The server sends an alert and closes while we are writing:
 * the write fails, and the alert that has the reason is still unread.
 */
static unsigned long
last_words(SSL *ssl)
{
	unsigned long e;
	char c;

	if (SSL_read(ssl, &c, 1) > 0)
		return 0;
	e = ERR_get_error();
	ERR_clear_error();
	return ERR_reason_error_string(e) != NULL ? e : 0;
}

/* From the most specific reason to the least: the verdict on the certificate,
 * the server's alert, OpenSSL's error, the socket's errno. */
int
redis_tls_why(struct bufferevent *bev, const struct redis_url *url,
	      struct err *err)
{
	int sys = EVUTIL_SOCKET_ERROR();
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	unsigned long e = first_error(bev), words = 0;
	long verify = SSL_get_verify_result(ssl);

	if (verify != X509_V_OK && url->verify != REDIS_VERIFY_NOTHING)
		return err_set(
		    err, ERR_UNAVAILABLE,
		    "the server's certificate is not accepted: %s "
		    "(expected: %s, issued by %s)",
		    X509_verify_cert_error_string(verify), expected_name(url),
		    url->cafile != NULL ? url->cafile : "a CA of the system");
	if (e == 0 || ERR_SYSTEM_ERROR(e))
		words = last_words(ssl);
	if (words != 0)
		e = words;
	if (e == 0 || ERR_SYSTEM_ERROR(e)) {
		errno = e != 0 ? ERR_GET_REASON(e) : sys;
		return err_sys(err, ERR_UNAVAILABLE, "the connection broke");
	}
	if (ERR_GET_REASON(e) == SSL_R_WRONG_VERSION_NUMBER)
		return err_set(
		    err, ERR_UNAVAILABLE,
		    "the server does not speak TLS; did you mean redis://?");
	return err_set(err, ERR_UNAVAILABLE, "TLS: %s",
		       ERR_reason_error_string(e));
}
