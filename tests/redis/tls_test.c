/* SPDX-License-Identifier: MIT */
/* Connections over TLS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/redis.h"
#include "redis/url.h"
#include "redis_server.h"
#include "session.h"
#include "suite.h"

static struct redis_server *server;
static char url[1024];

static void
start(bool auth_clients)
{
	server = redis_server_start(&(struct redis_server_options){
	    .tls = true,
	    .tls_auth_clients = auth_clients,
	});
}

/* The server under the name `host`, trusting a file of its directory. */
static const char *
url_of(const char *host, const char *ca, const char *more)
{
	snprintf(url, sizeof(url), "rediss://%s:%d?cafile=%s/%s%s", host,
		 redis_server_port(server), redis_server_dir(server), ca, more);
	return url;
}

START_TEST(tls_carries_everything)
{
	struct session s;
	int i;

	start(false);
	session_init(&s, url_of("127.0.0.1", "ca.crt", ""), NULL);
	ck_assert_str_eq(session_ask(&s, "SETRANGE k 1000000 x"), "(1000001)");
	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(session_send(&s, "GETRANGE k 0 9999"), 0);
	ck_assert_int_eq(s.replies, 1);
	session_wait(&s, &s.replies, 1001);
	ck_assert_str_eq(session_ask(&s, "GETRANGE k 1000000 -1"), "x");
	/* That libevent reads and writes cannot be done past it. */
	ck_assert(!redis_look(s.r));
	session_done(&s);
	session_init(&s, url_of("localhost", "ca.crt", ""), NULL);
	ck_assert_str_eq(session_ask(&s, "PING"), "PONG");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_tls_server_is_found_again)
{
	struct session s;

	start(false);
	session_init(&s, url_of("127.0.0.1", "ca.crt", ""), NULL);
	session_wait(&s, &s.ups, 1);
	redis_server_kill(server);
	session_wait(&s, &s.downs, 2);
	redis_server_restart(server);
	session_wait(&s, &s.ups, 2);
	ck_assert_str_eq(session_ask(&s, "PING"), "PONG");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

/* That it fails again and again, and why. */
static void
assert_down(const char *why)
{
	struct session s;

	session_init(&s, url, &(struct redis_options){.timeout_ms = 1000});
	session_wait(&s, &s.downs, 2);
	ck_assert_int_eq(s.ups, 0);
	ck_assert_msg(strstr(s.why.msg, why) != NULL, "%s", s.why.msg);
	session_done(&s);
}

START_TEST(a_certificate_of_another_ca_is_not_accepted)
{
	start(false);
	url_of("127.0.0.1", "other-ca.crt", "");
	assert_down("certificate is not accepted: self-signed");
	redis_server_stop(server);
}
END_TEST

START_TEST(the_system_s_cas_are_the_default)
{
	start(false);
	snprintf(url, sizeof(url), "rediss://127.0.0.1:%d",
		 redis_server_port(server));
	assert_down("issued by a CA of the system");
	redis_server_stop(server);
}
END_TEST

START_TEST(a_certificate_for_another_name_is_not_accepted)
{
	start(false);
	url_of("127.0.0.1", "ca.crt", "&servername=redis.example.org");
	assert_down("not accepted: hostname mismatch (expected: redis.example");
	url_of("127.0.0.1", "ca.crt", "&servername=10.0.0.1");
	assert_down("not accepted: IP address mismatch");
	redis_server_stop(server);
}
END_TEST

START_TEST(what_is_verified_can_be_less_in_the_words_of_redis_py)
{
	struct session s;

	start(false);
	/* The name, and then the issuer, too. */
	session_init(&s,
		     url_of("127.0.0.1", "ca.crt",
			    "&servername=redis.example.org&"
			    "ssl_check_hostname=false"),
		     NULL);
	ck_assert_str_eq(session_ask(&s, "PING"), "PONG");
	session_done(&s);
	url_of("127.0.0.1", "other-ca.crt", "&ssl_check_hostname=false");
	assert_down("certificate is not accepted: self-signed");
	session_init(&s,
		     url_of("127.0.0.1", "other-ca.crt", "&ssl_cert_reqs=none"),
		     NULL);
	ck_assert_str_eq(session_ask(&s, "PING"), "PONG");
	/* A break is not the certificate's fault. */
	redis_server_kill(server);
	session_wait(&s, &s.downs, 1);
	ck_assert_ptr_null(strstr(s.why.msg, "certificate"));
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(servername_names_the_certificate)
{
	struct session s;

	start(false);
	session_init(&s, url_of("127.0.0.1", "ca.crt", "&servername=localhost"),
		     NULL);
	ck_assert_str_eq(session_ask(&s, "PING"), "PONG");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_client_certificate_is_shown_when_there_is_one)
{
	struct session s;
	char more[512];

	start(true);
	url_of("127.0.0.1", "ca.crt", "");
	assert_down("certificate required");
	snprintf(more, sizeof(more),
		 "&certfile=%s/client.crt&keyfile=%s/client.key",
		 redis_server_dir(server), redis_server_dir(server));
	session_init(&s, url_of("127.0.0.1", "ca.crt", more), NULL);
	ck_assert_str_eq(session_ask(&s, "PING"), "PONG");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(tls_and_plain_do_not_mix_and_say_so)
{
	start(false);
	snprintf(url, sizeof(url), "redis://127.0.0.1:%d",
		 redis_server_port(server));
	assert_down("");
	redis_server_stop(server);

	server = redis_server_start(NULL);
	snprintf(url, sizeof(url), "rediss://127.0.0.1:%d",
		 redis_server_port(server));
	assert_down("does the server speak TLS?");
	redis_server_stop(server);
}
END_TEST

static void
assert_refused(const char *text, const char *why)
{
	struct event_base *base = event_base_new();
	struct redis_url parsed;
	struct redis_options options = {.url = &parsed, .timeout_ms = 1000};
	struct err err;

	ck_assert_int_eq(redis_url_parse(text, &parsed, &err), 0);
	ck_assert_ptr_null(redis_new(base, &options, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(strstr(err.msg, why) != NULL, "%s", err.msg);
	redis_url_done(&parsed);
	event_base_free(base);
}

START_TEST(a_file_that_cannot_be_read_is_a_configuration_error)
{
	char more[512];

	assert_refused("rediss://h?cafile=/none", "(cafile=) from /none: ");
	assert_refused("rediss://h?cafile=/dev/zero",
		       "/dev/zero is not a regular file");
	start(false);
	snprintf(more, sizeof(more), "&certfile=/none&keyfile=/none");
	assert_refused(url_of("h", "ca.crt", more), "(certfile=) from /none");
	snprintf(more, sizeof(more), "&certfile=%s/client.crt&keyfile=/none",
		 redis_server_dir(server));
	assert_refused(url_of("h", "ca.crt", more), "from /none");
	snprintf(more, sizeof(more),
		 "&certfile=%s/client.crt&keyfile=%s/server.key",
		 redis_server_dir(server), redis_server_dir(server));
	assert_refused(url_of("h", "ca.crt", more), "key");
	redis_server_stop(server);
}
END_TEST

SUITE("redis_tls")
{
	TEST(tls_carries_everything);
	TEST(a_tls_server_is_found_again);
	TEST(a_certificate_of_another_ca_is_not_accepted);
	TEST(the_system_s_cas_are_the_default);
	TEST(a_certificate_for_another_name_is_not_accepted);
	TEST(what_is_verified_can_be_less_in_the_words_of_redis_py);
	TEST(servername_names_the_certificate);
	TEST(a_client_certificate_is_shown_when_there_is_one);
	TEST(tls_and_plain_do_not_mix_and_say_so);
	TEST(a_file_that_cannot_be_read_is_a_configuration_error);
}
