/* SPDX-License-Identifier: MIT */
/* Connections to real servers. */
#include "redis/redis.h"

#include <dlfcn.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "session.h"
#include "suite.h"

#define MANY 10000

START_TEST(each_type_of_reply_arrives)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server), NULL);
	ck_assert_str_eq(session_ask(&s, "SET k hello"), "OK");
	ck_assert_str_eq(session_ask(&s, "GET k"), "hello");
	ck_assert_str_eq(session_ask(&s, "GET nothing"), "nil");
	ck_assert_str_eq(session_ask(&s, "INCR n"), "(1)");
	ck_assert_str_eq(session_ask(&s, "RPUSH l a b"), "(2)");
	ck_assert_str_eq(session_ask(&s, "LRANGE l 0 -1"), "[a b]");
	ck_assert_str_eq(session_ask(&s, "LRANGE none 0 -1"), "[]");
	ck_assert_ptr_nonnull(strstr(session_ask(&s, "INCR k"), "-ERR"));
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_unix_socket_works_and_a_database_is_selected)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;
	char url[256];

	snprintf(url, sizeof(url), "%s?db=5", redis_server_unix_url(server));
	session_init(&s, url, &(struct redis_options){.client_name = "tester"});
	ck_assert_ptr_nonnull(strstr(session_ask(&s, "CLIENT INFO"), " db=5 "));
	ck_assert_str_eq(session_ask(&s, "CLIENT GETNAME"), "tester");
	ck_assert_str_eq(redis_name(s.r), url);
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_name_is_resolved_and_all_its_addresses_are_tried)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;
	char url[64];

	/* The server is on 127.0.0.1 only; localhost may be ::1 first. */
	snprintf(url, sizeof(url), "redis://localhost:%d",
		 redis_server_port(server));
	session_init(&s, url, NULL);
	ck_assert_str_eq(session_ask(&s, "PING"), "PONG");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

/* In place of that of libc: a service may not use netlink, without which this
 * fails, and libevent complains. */
static unsigned int getifaddrs_calls;

int
getifaddrs(struct ifaddrs **ret)
{
	int (*real)(struct ifaddrs **);

	getifaddrs_calls++;
	*(void **)&real = dlsym(RTLD_NEXT, "getifaddrs");
	return real(ret);
}

START_TEST(a_name_is_resolved_without_asking_for_the_machines_addresses)
{
	struct redis_server *server = redis_server_start(NULL);
	struct ifaddrs *found;
	struct session s;
	char url[64];

	ck_assert_int_eq(getifaddrs(&found), 0);
	freeifaddrs(found);
	ck_assert_uint_eq(getifaddrs_calls, 1);
	snprintf(url, sizeof(url), "redis://localhost:%d",
		 redis_server_port(server));
	session_init(&s, url, NULL);
	ck_assert_str_eq(session_ask(&s, "PING"), "PONG");
	ck_assert_uint_eq(getifaddrs_calls, 1);
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_connection_is_freed_while_its_name_is_being_resolved)
{
	struct session s;

	session_init(&s, "redis://no-such-host.invalid", NULL);
	event_base_loop(s.base, EVLOOP_ONCE);
	redis_free(s.r);
	s.r = NULL;
	event_base_loop(s.base, EVLOOP_NONBLOCK);
	session_done(&s);
}
END_TEST

struct numbered {
	struct session *s;
	int next;
};

static void
on_numbered(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct numbered *n = arg;

	n->next++;
	ck_assert_int_eq(redis_reply_integer(reply), n->next);
	n->s->replies++;
}

START_TEST(ten_thousand_commands_are_answered_in_order)
{
	const struct slice argv[] = {SLICE("INCR"), SLICE("n")};
	struct redis_server *server = redis_server_start(NULL);
	struct numbered n = {.next = 0};
	struct session s;
	int i;

	session_init(&s, redis_server_url(server), NULL);
	n.s = &s;
	session_wait(&s, &s.ups, 1);
	for (i = 0; i < MANY; i++)
		ck_assert_int_eq(redis_command(s.r, on_numbered, &n, 2, argv),
				 0);
	ck_assert_uint_gt(redis_backlog(s.r), MANY * 10);
	ck_assert_int_eq(s.replies, 0);
	session_wait(&s, &s.replies, MANY);
	ck_assert_uint_eq(redis_backlog(s.r), 0);
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

struct big {
	struct session *s;
	const char *bytes;
	size_t len;
};

static void
on_big(struct redis *r, const struct redis_reply *reply, void *arg)
{
	const struct big *big = arg;

	ck_assert(slice_eq(redis_reply_string(reply),
			   (struct slice){big->bytes, big->len}));
	big->s->replies++;
}

START_TEST(a_mebibyte_with_nuls_goes_there_and_back)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;
	struct big big = {.s = &s, .len = 1 << 20};
	char *bytes = malloc(big.len);
	size_t i;

	for (i = 0; i < big.len; i++)
		bytes[i] = (char)(i * 7 + i / 256);
	big.bytes = bytes;
	const struct slice set[] = {SLICE("SET"), SLICE("k"), {bytes, big.len}};
	const struct slice get[] = {SLICE("GET"), SLICE("k")};

	session_init(&s, redis_server_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	redis_command(s.r, session_on_reply, &s, 3, set);
	redis_command(s.r, on_big, &big, 2, get);
	session_wait(&s, &s.replies, 2);
	session_done(&s);
	free(bytes);
	redis_server_stop(server);
}
END_TEST

START_TEST(commands_fail_at_once_while_the_connection_is_down)
{
	struct session s;

	session_init(&s, "redis://127.0.0.1:1", NULL);
	ck_assert_int_eq(session_send(&s, "PING"), -1);
	session_wait(&s, &s.downs, 2);
	ck_assert_int_eq(session_send(&s, "PING"), -1);
	ck_assert_int_eq(s.replies, 0);
	ck_assert_int_eq(redis_state(s.r), REDIS_DOWN);
	ck_assert_str_eq(
	    s.why.msg,
	    "redis://127.0.0.1:1/0: cannot connect: Connection refused");
	session_done(&s);
}
END_TEST

START_TEST(what_the_socket_does_not_take_at_once_is_sent_later)
{
	struct redis_server *server = redis_server_start(NULL);
	const size_t len = 16 << 20; /* more than sockets hold */
	char *bytes = calloc(1, len);
	const struct slice set[] = {SLICE("SET"), SLICE("k"), {bytes, len}};
	struct session s;

	session_init(&s, redis_server_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	redis_server_pause(server);
	ck_assert_int_eq(redis_command(s.r, session_on_reply, &s, 3, set), 0);
	event_base_loop(s.base, EVLOOP_NONBLOCK);
	ck_assert_uint_gt(redis_backlog(s.r), 0);
	ck_assert_uint_lt(redis_backlog(s.r), len);
	redis_server_continue(server);
	session_wait(&s, &s.replies, 1);
	ck_assert_str_eq(s.reply, "OK");
	ck_assert_uint_eq(redis_backlog(s.r), 0);
	ck_assert_str_eq(session_ask(&s, "STRLEN k"), "(16777216)");
	session_done(&s);
	free(bytes);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_paused_server_costs_the_deadline_and_no_more)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server),
		     &(struct redis_options){.timeout_ms = 200});
	session_wait(&s, &s.ups, 1);
	redis_server_pause(server);
	session_send(&s, "GET a");
	session_send(&s, "GET b");
	session_wait(&s, &s.downs, 1);
	ck_assert_int_eq(s.lost, 2);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "does not answer"));
	/* It accepts connections in its sleep, but does not answer them. */
	session_wait(&s, &s.downs, 2);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "accepts connections but"));
	redis_server_continue(server);
	session_wait(&s, &s.ups, 2);
	ck_assert_str_eq(session_ask(&s, "PING"), "PONG");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_blocking_command_has_its_own_time_on_top)
{
	const struct slice argv[] = {SLICE("BLPOP"), SLICE("none"),
				     SLICE("0.8")};
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server),
		     &(struct redis_options){.timeout_ms = 500});
	session_wait(&s, &s.ups, 1);
	redis_command_blocking(s.r, 800, session_on_reply, &s, 3, argv);
	session_wait(&s, &s.replies, 1);
	ck_assert_str_eq(s.reply, "nil");
	/* And without that, it has not. */
	redis_command(s.r, session_on_reply, &s, 3, argv);
	session_wait(&s, &s.replies, 2);
	ck_assert_str_eq(s.reply, "lost");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_killed_server_is_found_again)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	session_send(&s, "BLPOP none 5");
	redis_server_kill(server);
	session_wait(&s, &s.downs, 3);
	ck_assert_int_eq(s.lost, 1);
	redis_server_restart(server);
	session_wait(&s, &s.ups, 2);
	ck_assert_str_eq(session_ask(&s, "PING"), "PONG");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_right_password_is_taken_and_a_wrong_one_is_final)
{
	struct redis_server *server = redis_server_start(
	    &(struct redis_server_options){.password = "s3cret"});
	struct session s;
	char url[64];

	session_init(&s, redis_server_url(server), NULL);
	ck_assert_str_eq(session_ask(&s, "PING"), "PONG");
	ck_assert_ptr_null(strstr(redis_name(s.r), "s3cret"));
	session_done(&s);

	snprintf(url, sizeof(url), "redis://:wr0ng@127.0.0.1:%d",
		 redis_server_port(server));
	session_init(&s, url, NULL);
	session_wait(&s, &s.refusals, 1);
	ck_assert_int_eq(s.why.code, ERR_REFUSED);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "wrong user or password"));
	ck_assert_ptr_null(strstr(s.why.msg, "wr0ng"));
	ck_assert_int_eq(redis_state(s.r), REDIS_REFUSED);
	/* Nothing is left to do for the loop. */
	ck_assert_int_eq(event_base_loop(s.base, 0), 1);
	session_done(&s);

	snprintf(url, sizeof(url), "redis://127.0.0.1:%d",
		 redis_server_port(server));
	session_init(&s, url, NULL);
	session_wait(&s, &s.refusals, 1);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "requires a password"));
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_password_for_a_server_that_has_none_is_a_mistake)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;
	char url[64];

	snprintf(url, sizeof(url), "redis://:pw@127.0.0.1:%d",
		 redis_server_port(server));
	session_init(&s, url, NULL);
	session_wait(&s, &s.refusals, 1);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "none is configured"));
	session_done(&s);
	snprintf(url, sizeof(url), "redis://127.0.0.1:%d/99",
		 redis_server_port(server));
	session_init(&s, url, NULL);
	session_wait(&s, &s.refusals, 1);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "cannot select the database"));
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(an_acl_user_may_do_what_it_may)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;
	char url[64];

	redis_server_run(server, "ACL SETUSER bob on >pw ~* +get +client|id");
	snprintf(url, sizeof(url), "redis://bob:pw@127.0.0.1:%d",
		 redis_server_port(server));
	session_init(&s, url, &(struct redis_options){.client_name = "x"});
	ck_assert_str_eq(session_ask(&s, "GET k"), "nil");
	ck_assert_ptr_nonnull(strstr(session_ask(&s, "SET k v"), "-NOPERM"));
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_full_server_says_so)
{
	static const char *const args[] = {"--maxmemory", "1mb", NULL};
	struct redis_server *server =
	    redis_server_start(&(struct redis_server_options){.args = args});
	struct session s;

	redis_server_run(server, "CONFIG SET maxmemory 1");
	session_init(&s, redis_server_url(server), NULL);
	ck_assert_ptr_nonnull(strstr(session_ask(&s, "SET k v"), "-OOM"));
	ck_assert_str_eq(session_ask(&s, "GET k"), "nil");
	ck_assert_int_eq(s.downs, 0);
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

static void
on_reply_explain(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct session *s = arg;

	s->replies++;
	ck_assert_int_eq(redis_fault_err(r, "SET", reply, &s->why), -1);
}

START_TEST(a_fault_is_explained_with_command_and_server)
{
	const struct slice argv[] = {SLICE("SET"), SLICE("k"), SLICE("v")};
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	redis_server_run(server, "CONFIG SET maxmemory 1");
	session_init(&s, redis_server_unix_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	redis_command(s.r, on_reply_explain, &s, 3, argv);
	session_wait(&s, &s.replies, 1);
	ck_assert_int_eq(s.why.code, ERR_FULL);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "SET on unix:///"));
	ck_assert_ptr_nonnull(strstr(s.why.msg, ": the server's memory is full "
						"(see its maxmemory): OOM "));
	redis_command(s.r, on_reply_explain, &s, 1, argv);
	session_wait(&s, &s.replies, 2);
	ck_assert_int_eq(s.why.code, ERR_INTERNAL);
	redis_fault_err(s.r, "SET", NULL, &s.why);
	ck_assert_int_eq(s.why.code, ERR_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "may or may not"));
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_replica_is_left)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server), NULL);
	session_wait(&s, &s.ups, 1);
	redis_server_run(server, "REPLICAOF 127.0.0.1 1");
	session_send(&s, "SET k v");
	session_wait(&s, &s.downs, 1);
	ck_assert_int_eq(s.replies, 1);
	ck_assert_ptr_nonnull(strstr(s.reply, "-READONLY"));
	ck_assert_ptr_nonnull(strstr(s.why.msg, "replica"));
	redis_server_run(server, "REPLICAOF NO ONE");
	session_wait(&s, &s.ups, 2);
	ck_assert_str_eq(session_ask(&s, "SET k v"), "OK");
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_reply_that_is_too_big_breaks_the_connection)
{
	struct redis_server *server = redis_server_start(NULL);
	struct session s;

	session_init(&s, redis_server_url(server),
		     &(struct redis_options){.max_reply = 1000});
	session_wait(&s, &s.ups, 1);
	session_ask(&s, "SETRANGE k 100000 x");
	session_send(&s, "GET k");
	session_wait(&s, &s.downs, 1);
	ck_assert_int_eq(s.lost, 1);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "more than 1000 bytes"));
	session_done(&s);
	redis_server_stop(server);
}
END_TEST

SUITE("redis")
{
	TEST(each_type_of_reply_arrives);
	TEST(a_unix_socket_works_and_a_database_is_selected);
	TEST(a_name_is_resolved_and_all_its_addresses_are_tried);
	TEST(a_name_is_resolved_without_asking_for_the_machines_addresses);
	TEST(a_connection_is_freed_while_its_name_is_being_resolved);
	TEST(ten_thousand_commands_are_answered_in_order);
	TEST(a_mebibyte_with_nuls_goes_there_and_back);
	TEST(commands_fail_at_once_while_the_connection_is_down);
	TEST(what_the_socket_does_not_take_at_once_is_sent_later);
	TEST(a_paused_server_costs_the_deadline_and_no_more);
	TEST(a_blocking_command_has_its_own_time_on_top);
	TEST(a_killed_server_is_found_again);
	TEST(a_right_password_is_taken_and_a_wrong_one_is_final);
	TEST(a_password_for_a_server_that_has_none_is_a_mistake);
	TEST(an_acl_user_may_do_what_it_may);
	TEST(a_full_server_says_so);
	TEST(a_fault_is_explained_with_command_and_server);
	TEST(a_replica_is_left);
	TEST(a_reply_that_is_too_big_breaks_the_connection);
}
