/* SPDX-License-Identifier: MIT */
/* TLS, with certificates that openssl makes. */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "site.h"
#include "suite.h"
#include "util/err.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static char dir[64];

static char *
read_file(const char *name)
{
	static char texts[4][8192];
	static int n;
	char path[128];
	FILE *file;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	len = fread(texts[n], 1, sizeof(texts[n]) - 1, file);
	texts[n][len] = '\0';
	fclose(file);
	return texts[n++];
}

/* Two of them, each its own authority: the server's and a client's. */
static void
make_certificates(void)
{
	char command[1024];

	snprintf(dir, sizeof(dir), "/tmp/http-tls-%d", (int)getpid());
	snprintf(command, sizeof(command),
		 "mkdir -p %s && cd %s && for n in server client; do "
		 "openssl req -x509 -newkey ec -pkeyopt "
		 "ec_paramgen_curve:prime256v1 -nodes -keyout $n.key "
		 "-out $n.crt -days 2 -subj /CN=$n 2>/dev/null; done",
		 dir, dir);
	ck_assert_int_eq(system(command), 0);
}

static void
drop_certificates(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

struct tls_peer {
	struct peer peer;
	SSL_CTX *ctx;
	SSL *ssl;
	char in[200000];
	size_t len;
	bool over;
};

/* Shakes hands; whether that went well. */
static bool
tls_open(struct tls_peer *t, struct site *site, bool certificate)
{
	char path[2][128];
	int64_t until = site_deadline();
	int rc;

	memset(t, 0, sizeof(*t));
	t->peer = peer_open(site);
	t->ctx = SSL_CTX_new(TLS_client_method());
	snprintf(path[0], sizeof(path[0]), "%s/client.crt", dir);
	snprintf(path[1], sizeof(path[1]), "%s/client.key", dir);
	if (certificate) {
		SSL_CTX_use_certificate_file(t->ctx, path[0], SSL_FILETYPE_PEM);
		SSL_CTX_use_PrivateKey_file(t->ctx, path[1], SSL_FILETYPE_PEM);
	}
	t->ssl = SSL_new(t->ctx);
	SSL_set_fd(t->ssl, t->peer.fd);
	while ((rc = SSL_connect(t->ssl)) != 1) {
		if (SSL_get_error(t->ssl, rc) != SSL_ERROR_WANT_READ)
			return false;
		ck_assert(!site_late(until));
		site_turn(site);
	}
	return true;
}

static void
tls_close(struct tls_peer *t)
{
	SSL_free(t->ssl);
	SSL_CTX_free(t->ctx);
	peer_close(&t->peer);
}

static void
tls_say(struct tls_peer *t, const char *text)
{
	ck_assert_int_gt(SSL_write(t->ssl, text, (int)strlen(text)), 0);
}

static bool
tls_has(struct tls_peer *t, const char *text)
{
	int n;

	site_turn(t->peer.site);
	while ((n = SSL_read(t->ssl, t->in + t->len,
			     (int)(sizeof(t->in) - t->len - 1))) > 0)
		t->len += (size_t)n;
	t->over = SSL_get_error(t->ssl, n) != SSL_ERROR_WANT_READ;
	t->in[t->len] = '\0';
	return strstr(t->in, text) != NULL;
}

static void
tls_forget(struct tls_peer *t)
{
	t->len = 0;
	t->in[0] = '\0';
}

static void
tls_start(struct site *site, const char *client_ca)
{
	struct http_tls tls;

	make_certificates();
	tls.certificates = read_file("server.crt");
	tls.key = read_file("server.key");
	tls.client_ca = client_ca != NULL ? read_file(client_ca) : NULL;
	site_init(site);
	site_start(site);
	site_listen_tls(site, &tls);
}

START_TEST(requests_are_replied_to_within_tls)
{
	static struct tls_peer t;
	struct site site;

	tls_start(&site, NULL);
	ck_assert(tls_open(&t, &site, false));
	tls_say(&t, GET("/hello"));
	SITE_WAIT(&site, tls_has(&t, "\r\n\r\nhello"));
	tls_forget(&t);
	tls_say(&t, GET("/hold"));
	SITE_WAIT(&site, site.held != NULL);
	ck_assert(http_is_tls(site.held));
	site_release(&site);
	SITE_WAIT(&site, tls_has(&t, "\r\n\r\nreleased"));
	tls_forget(&t);
	tls_say(&t, "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n");
	SITE_WAIT(&site, tls_has(&t, "\"bad_request\""));
	SITE_WAIT(&site, (tls_has(&t, ""), t.over));
	tls_close(&t);
	site_stop(&site);
	drop_certificates();
}
END_TEST

START_TEST(a_stream_goes_on_within_tls)
{
	static struct tls_peer t;
	struct site site;
	int i;
	char event[32];

	tls_start(&site, NULL);
	ck_assert(tls_open(&t, &site, false));
	tls_say(&t, GET("/stream"));
	SITE_WAIT(&site, site.stream != NULL);
	for (i = 0; i < 100; i++) {
		snprintf(event, sizeof(event), "data: %d\n\n", i);
		http_stream_send(site.stream, slice_of(event));
		SITE_WAIT(&site, tls_has(&t, event));
	}
	tls_close(&t);
	SITE_WAIT(&site, site.streams_gone == 1);
	site_stop(&site);
	drop_certificates();
}
END_TEST

START_TEST(a_websocket_goes_on_within_tls)
{
	static struct tls_peer t;
	struct site site;
	char text[32];
	int i;

	tls_start(&site, NULL);
	ck_assert(tls_open(&t, &site, false));
	tls_say(&t, "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
		    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
	SITE_WAIT(&site, tls_has(&t, "\r\n\r\n"));
	for (i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "number %d;", i);
		http_ws_send(site.ws, slice_of(text));
		SITE_WAIT(&site, tls_has(&t, text));
	}
	SSL_write(t.ssl, "\x81\x82\0\0\0\0hi", 8);
	SITE_WAIT(&site, tls_has(&t, "hi"));
	tls_close(&t);
	SITE_WAIT(&site, site.ws_gone == 1);
	site_stop(&site);
	drop_certificates();
}
END_TEST

START_TEST(a_client_shows_its_certificate)
{
	static struct tls_peer t;
	struct site site;

	tls_start(&site, "client.crt");
	ck_assert(tls_open(&t, &site, true));
	tls_say(&t, GET("/hello"));
	SITE_WAIT(&site, tls_has(&t, "\r\n\r\nhello"));
	tls_close(&t);
	ck_assert(tls_open(&t, &site, false));
	tls_say(&t, GET("/hello"));
	SITE_WAIT(&site, tls_has(&t, "HTTP/1.1 403 "));
	SITE_WAIT(&site, (tls_has(&t, ""), t.over));
	ck_assert_uint_eq(site.heads, 1);
	tls_close(&t);
	site_stop(&site);
	drop_certificates();
}
END_TEST

START_TEST(another_certificate_is_not_taken)
{
	static struct tls_peer t;
	struct site site;

	tls_start(&site, "server.crt");
	ck_assert(tls_open(&t, &site, true));
	tls_say(&t, GET("/hello"));
	SITE_WAIT(&site, tls_has(&t, "HTTP/1.1 403 "));
	ck_assert_uint_eq(site.heads, 0);
	tls_close(&t);
	site_stop(&site);
	drop_certificates();
}
END_TEST

START_TEST(noise_within_and_before_tls_ends)
{
	static struct tls_peer t;
	struct site site;
	struct peer peer;

	tls_start(&site, NULL);
	peer = peer_open(&site);
	peer_say(&peer, GET("/hello"));
	peer_wait_eof(&peer);
	peer_close(&peer);
	ck_assert(tls_open(&t, &site, false));
	tls_say(&t, "noise\r\n\r\n");
	SITE_WAIT(&site, (tls_has(&t, ""), t.over));
	tls_close(&t);
	ck_assert(tls_open(&t, &site, false));
	tls_say(&t, "POST /echo HTTP/1.1\r\nHost: a\r\n"
		    "Content-Length: +3\r\n\r\nabc");
	SITE_WAIT(&site, (tls_has(&t, ""), t.over));
	tls_close(&t);
	ck_assert_uint_eq(site.requests, 0);
	site_stop(&site);
	drop_certificates();
}
END_TEST

START_TEST(a_handshake_that_takes_too_long_is_cut_off)
{
	struct site site;
	struct peer peer;
	struct http_tls tls;

	make_certificates();
	tls = (struct http_tls){.certificates = read_file("server.crt"),
				.key = read_file("server.key")};
	site_init(&site);
	site.limits.head_timeout_us = 300000;
	site.limits.idle_timeout_us = 60000000;
	site_start(&site);
	site_listen_tls(&site, &tls);
	peer = peer_open(&site);
	peer_send(&peer, "\x16\x03\x01\x02", 4);
	peer_wait_eof(&peer);
	site_close(&site, &peer);
	drop_certificates();
}
END_TEST

START_TEST(a_certificate_that_is_none_is_an_error)
{
	const struct http_tls tls = {.certificates = "no", .key = "no"};
	struct site site;
	struct err err;

	site_init(&site);
	site_start(&site);
	ck_assert_int_eq(http_server_listen(site.server, 0, &tls, &err), -1);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	site_stop(&site);
}
END_TEST

SUITE("http-tls")
{
	TEST(requests_are_replied_to_within_tls);
	TEST(a_stream_goes_on_within_tls);
	TEST(a_websocket_goes_on_within_tls);
	TEST(a_client_shows_its_certificate);
	TEST(another_certificate_is_not_taken);
	TEST(noise_within_and_before_tls_ends);
	TEST(a_handshake_that_takes_too_long_is_cut_off);
	TEST(a_certificate_that_is_none_is_an_error);
}
