/* SPDX-License-Identifier: MIT */
/* The way to a database's server, under TLS. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "schedules/claim.h"
#include "suite.h"
#include "world.h"

static int
look(const struct sql_server *server, const char *mode, const char *ca,
     struct err *err)
{
	struct schedules_options options = {.timeout_ms = 10000};
	struct schedules *s;
	int64_t due;
	int result;
	char *url;

	url = sql_server_tls_url(server, "tls", mode, ca);
	options.url = url;
	ck_assert_ptr_nonnull(s = schedules_open(&options, err));
	result = schedules_next_due(s, &due, err);
	schedules_close(s);
	free(url);
	return result;
}

START_TEST(a_server_is_trusted_by_its_certificate)
{
	static const char *const modes[] = {"verify-full", "verify-ca"};
	struct sql_server *server =
	    sql_server_start_tls(_i == WORLD_POSTGRESQL ? SQL_SERVER_POSTGRESQL
							: SQL_SERVER_MARIADB);
	struct err err = ERR_INIT;
	size_t i;

	free(sql_server_database(server, "tls"));
	for (i = 0; i < 2; i++) {
		ck_assert_msg(look(server, modes[i], "ca", &err) == 0, "%s: %s",
			      modes[i], err.msg);
		ck_assert_int_eq(look(server, modes[i], "other-ca", &err), -1);
		ck_assert_msg(strstr(err.msg, "certificate") != NULL, "%s: %s",
			      modes[i], err.msg);
		ck_assert_ptr_null(strstr(err.msg, "secret"));
	}
	sql_server_stop(server);
}
END_TEST

/* --- a server that does not offer TLS ------------------------------------- */

/* What MariaDB 10.11 greets with, up to the lower half of its flags. */
#define GREETING                                                               \
	"\x4a\0\0\0\x0a"                                                       \
	"5.5.5-10.11.19\0"                                                     \
	"\1\0\0\0"                                                             \
	"nonce678\0"
#define GREETING_REST                                                          \
	"\x2d\2\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0"                           \
	"nonce9012345\0"                                                       \
	"mysql_native_password\0"
#define FLAGS_PLAIN "\xfe\xf7"
#define FLAGS_TLS "\xfe\xff"

struct plain_server {
	int kind;
	const char *flags; /* MariaDB's */
	bool in_pieces;
	int listener, port;
	pthread_t thread;
	char got[4096];
	size_t len;
};

static void
greet(const struct plain_server *p, int fd)
{
	const char text[] = GREETING GREETING_REST;
	char whole[sizeof(text) + 1];
	const size_t head = sizeof(GREETING) - 1, n = sizeof(whole);
	size_t i, step = p->in_pieces ? 1 : n;

	memcpy(whole, GREETING, head);
	memcpy(whole + head, p->flags, 2);
	memcpy(whole + head + 2, GREETING_REST, sizeof(GREETING_REST) - 1);
	whole[0] = (char)(n - 1 - 4);
	for (i = 0; i < n - 1; i += step)
		ck_assert_int_gt(send(fd, whole + i,
				      step < n - 1 ? step : n - 1,
				      MSG_NOSIGNAL),
				 0);
}

/* PostgreSQL's client speaks first: it asks for TLS, and hears "no". */
static void *
serve_plain(void *arg)
{
	struct plain_server *p = arg;
	int fd = accept(p->listener, NULL, NULL);
	ssize_t n;

	if (p->kind == WORLD_MARIADB)
		greet(p, fd);
	while ((n = recv(fd, p->got + p->len, sizeof(p->got) - p->len, 0)) >
	       0) {
		p->len += (size_t)n;
		if (p->kind == WORLD_MARIADB && p->flags[1] == FLAGS_TLS[1])
			break; /* it has no certificate */
		if (p->kind == WORLD_POSTGRESQL && p->len == 8)
			send(fd, "N", 1, MSG_NOSIGNAL);
	}
	close(fd);
	return NULL;
}

static void
plain_begin(struct plain_server *p)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(p->listener, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(p->listener, 1), 0);
	getsockname(p->listener, (struct sockaddr *)&at, &len);
	p->port = ntohs(at.sin_port);
	ck_assert_int_eq(pthread_create(&p->thread, NULL, serve_plain, p), 0);
}

/* What the server heard is in p->got afterwards. */
static void
look_plain(struct plain_server *p, const char *mode, struct err *err)
{
	struct schedules_options options = {.timeout_ms = 5000};
	struct schedules *s;
	char url[200];
	int64_t due;

	plain_begin(p);
	snprintf(url, sizeof(url),
		 "%s://flowrra:secret@127.0.0.1:%d/db?sslmode=%s"
		 "&sslrootcert=/etc/ssl/certs/ca-certificates.crt",
		 p->kind == WORLD_MARIADB ? "mysql" : "postgresql", p->port,
		 mode);
	options.url = url;
	ck_assert_msg((s = schedules_open(&options, err)) != NULL, "%s",
		      err->msg);
	ck_assert_int_eq(schedules_next_due(s, &due, err), -1);
	schedules_close(s);
	pthread_join(p->thread, NULL);
	close(p->listener);
}

/* As it is behind someone who takes the offer out. Even the user's name, and
 * what proves the password, must not be sent. */
START_TEST(a_server_without_tls_hears_nothing)
{
	static const char *const modes[] = {"require", "verify-ca",
					    "verify-full"};
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < 6; i++) {
		struct plain_server p = {
		    .kind = _i, .flags = FLAGS_PLAIN, .in_pieces = i >= 3};

		look_plain(&p, modes[i % 3], &err);
		ck_assert_msg(p.len == (_i == WORLD_MARIADB ? 0 : 8),
			      "%s: %zu bytes", modes[i % 3], p.len);
		ck_assert_int_eq(err.code, ERR_UNAVAILABLE);
		ck_assert_msg(strstr(err.msg, _i == WORLD_MARIADB
						  ? "does not offer TLS"
						  : "does not support SSL") !=
				  NULL,
			      "%s", err.msg);
	}
}
END_TEST

START_TEST(a_greeting_in_pieces_is_read_whole)
{
	struct plain_server p = {
	    .kind = WORLD_MARIADB, .flags = FLAGS_TLS, .in_pieces = true};
	struct err err = ERR_INIT;

	look_plain(&p, "require", &err);
	/* The request for TLS: flags and a character set, and no name. */
	ck_assert_uint_ge(p.len, 36);
	ck_assert_ptr_null(memmem(p.got, p.len, "flowrra", 7));
	ck_assert_ptr_null(strstr(err.msg, "does not offer"));
}
END_TEST

/* At a Unix socket there is nobody on the way; still what was demanded counts.
 */
START_TEST(a_socket_without_tls_is_refused_too)
{
	struct sql_server *server = sql_server_start(SQL_SERVER_MARIADB);
	struct schedules_options options = {.timeout_ms = 10000};
	struct err err = ERR_INIT;
	struct schedules *s;
	char *url = sql_server_database(server, "plain"), *strict;
	int64_t due;

	ck_assert_int_gt(asprintf(&strict, "%s&sslmode=require", url), 0);
	options.url = url;
	ck_assert_ptr_nonnull(s = schedules_open(&options, &err));
	ck_assert_msg(schedules_next_due(s, &due, &err) == 0, "%s", err.msg);
	schedules_close(s);
	options.url = strict;
	ck_assert_ptr_nonnull(s = schedules_open(&options, &err));
	ck_assert_int_eq(schedules_next_due(s, &due, &err), -1);
	ck_assert_msg(strstr(err.msg, "does not offer TLS") != NULL, "%s",
		      err.msg);
	schedules_close(s);
	sql_server_stop(server);
	free(url);
	free(strict);
}
END_TEST

SUITE("schedules_tls")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_server_without_tls_hears_nothing, WORLD_POSTGRESQL,
		  N_WORLDS);
	TEST(a_greeting_in_pieces_is_read_whole);
	TEST(a_socket_without_tls_is_refused_too);
	TEST_LOOP(a_server_is_trusted_by_its_certificate, WORLD_POSTGRESQL,
		  N_WORLDS);
}
