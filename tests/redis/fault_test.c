/* SPDX-License-Identifier: MIT */
/* Connections to servers that misbehave. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fake.h"
#include "redis/redis.h"
#include "session.h"
#include "suite.h"
#include "util/clock.h"

/* A fake server and a connection to it. */
struct scene {
	struct session s;
	struct fake *fake;
	const char *says; /* what the server answers */
	size_t len;	  /* of it, if it is to be cut */
	bool known;	  /* the scripts are there */
	int calls, answers;
	enum redis_fault fault; /* of the last answer */
};

static void
scene_init(struct scene *sc, fake_command_fn *on_command,
	   const struct redis_options *options)
{
	struct event_base *base = event_base_new();

	sc->fake = fake_new(base, on_command, sc);
	session_init_on(&sc->s, base, fake_url(sc->fake), options);
}

static void
scene_done(struct scene *sc)
{
	redis_free(sc->s.r);
	fake_free(sc->fake);
	event_base_free(sc->s.base);
}

/* --- scripts ------------------------------------------------------------- */

static const struct redis_script any = {"any", "return 1", NULL};

/* Says NOSCRIPT to all; counts the calls of scripts. */
static void
answer_noscript(struct fake_peer *peer, const char *words, void *arg)
{
	struct scene *sc = arg;

	if (fake_login(peer, words))
		return;
	sc->calls += strncmp(words, "EVALSHA", 7) == 0;
	fake_say(peer, sc->known ? "+fine\r\n" : "-NOSCRIPT no\r\n");
}

/* Sends the script again as long as it is said to be worth it. */
static void
on_script_reply(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct scene *sc = arg;

	if (redis_fault(reply) == REDIS_FAULT_SCRIPT)
		ck_assert_int_eq(
		    redis_eval(r, &any, on_script_reply, sc, 0, NULL, 0, NULL),
		    0);
	else
		sc->fault = redis_fault(reply);
	sc->answers += redis_fault(reply) != REDIS_FAULT_SCRIPT;
}

static void
scene_eval(struct scene *sc, int times)
{
	const int before = sc->answers;
	int i;

	for (i = 0; i < times; i++)
		ck_assert_int_eq(redis_eval(sc->s.r, &any, on_script_reply, sc,
					    0, NULL, 0, NULL),
				 0);
	session_wait(&sc->s, &sc->answers, before + times);
}

START_TEST(a_script_that_never_becomes_known_is_sent_twice)
{
	struct scene sc = {.calls = 0};

	scene_init(&sc, answer_noscript, NULL);
	session_wait(&sc.s, &sc.s.ups, 1);
	scene_eval(&sc, 5);
	ck_assert_int_eq(sc.fault, REDIS_FAULT_OTHER);
	ck_assert_int_eq(sc.calls, 10);
	/* What comes later is not even worth the second time. */
	scene_eval(&sc, 1);
	ck_assert_int_eq(sc.fault, REDIS_FAULT_OTHER);
	ck_assert_int_eq(sc.calls, 11);
	scene_done(&sc);
}
END_TEST

START_TEST(a_script_that_has_run_is_sent_twice_again)
{
	struct scene sc = {.calls = 0};

	scene_init(&sc, answer_noscript, NULL);
	session_wait(&sc.s, &sc.s.ups, 1);
	scene_eval(&sc, 1);
	sc.known = true;
	scene_eval(&sc, 1);
	ck_assert_int_eq(sc.fault, REDIS_FAULT_NONE);
	sc.known = false;
	sc.calls = 0;
	scene_eval(&sc, 1);
	ck_assert_int_eq(sc.fault, REDIS_FAULT_OTHER);
	ck_assert_int_eq(sc.calls, 2);
	scene_done(&sc);
}
END_TEST

static void
on_plain_reply(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct scene *sc = arg;

	sc->fault = redis_fault(reply);
	sc->answers++;
}

START_TEST(a_command_that_needs_no_script_is_not_worth_another_try)
{
	const struct slice argv[] = {SLICE("GET"), SLICE("k")};
	struct scene sc = {.calls = 0};

	scene_init(&sc, answer_noscript, NULL);
	session_wait(&sc.s, &sc.s.ups, 1);
	ck_assert_int_eq(redis_command(sc.s.r, on_plain_reply, &sc, 2, argv),
			 0);
	session_wait(&sc.s, &sc.answers, 1);
	ck_assert_int_eq(sc.fault, REDIS_FAULT_OTHER);
	scene_done(&sc);
}
END_TEST

/* --- while it is up ------------------------------------------------------ */

static const char whole[] = "*3\r\n$5\r\nhello\r\n:12345\r\n*1\r\n$-1\r\n";

/* Sends the first sc->len bytes of an answer to the first peer, and closes. */
static void
answer_cut_off(struct fake_peer *peer, const char *words, void *arg)
{
	struct scene *sc = arg;

	if (fake_login(peer, words))
		return;
	fake_send(peer, whole, sc->len);
	fake_close(peer);
}

START_TEST(a_reply_that_is_cut_off_anywhere_is_lost)
{
	struct scene sc = {.len = (size_t)_i};

	scene_init(&sc, answer_cut_off, NULL);
	session_wait(&sc.s, &sc.s.ups, 1);
	session_send(&sc.s, "GET k");
	session_wait(&sc.s, &sc.s.downs, 1);
	ck_assert_int_eq(sc.s.replies, 1);
	ck_assert_int_eq(sc.s.lost, sc.len < sizeof(whole) - 1);
	if (sc.s.lost == 0)
		ck_assert_str_eq(sc.s.reply, "[hello (12345) [nil]]");
	ck_assert_ptr_nonnull(strstr(sc.s.why.msg, "closed the connection"));
	session_wait(&sc.s, &sc.s.ups, 2);
	scene_done(&sc);
}
END_TEST

static void
answer_as_told(struct fake_peer *peer, const char *words, void *arg)
{
	struct scene *sc = arg;

	if (!fake_login(peer, words))
		fake_say(peer, sc->says);
}

START_TEST(garbage_breaks_the_connection_and_a_new_one_is_made)
{
	struct scene sc = {.says = "<html>"};

	scene_init(&sc, answer_as_told, NULL);
	session_wait(&sc.s, &sc.s.ups, 1);
	session_send(&sc.s, "GET k");
	session_wait(&sc.s, &sc.s.downs, 1);
	ck_assert_int_eq(sc.s.lost, 1);
	ck_assert_ptr_nonnull(strstr(sc.s.why.msg, "is it a Redis server?"));
	session_wait(&sc.s, &sc.s.ups, 2);
	scene_done(&sc);
}
END_TEST

START_TEST(a_reply_that_nobody_asked_for_breaks_the_connection)
{
	struct scene sc = {.says = "+OK\r\n+OK\r\n"};

	scene_init(&sc, answer_as_told, NULL);
	ck_assert_str_eq(session_ask(&sc.s, "GET k"), "OK");
	session_wait(&sc.s, &sc.s.downs, 1);
	ck_assert_ptr_nonnull(strstr(sc.s.why.msg, "unexpected reply"));
	scene_done(&sc);
}
END_TEST

START_TEST(a_huge_reply_is_refused_when_it_is_announced)
{
	struct scene sc = {.says = "$536870913\r\n"};

	scene_init(&sc, answer_as_told, NULL);
	session_wait(&sc.s, &sc.s.ups, 1);
	session_send(&sc.s, "GET k");
	session_wait(&sc.s, &sc.s.downs, 1);
	ck_assert_ptr_nonnull(
	    strstr(sc.s.why.msg, "more than 536870912 bytes"));
	scene_done(&sc);
}
END_TEST

START_TEST(misconf_is_an_answer_like_any_other)
{
	struct scene sc = {.says = "-MISCONF Redis is configured to save\r\n"};

	scene_init(&sc, answer_as_told, NULL);
	ck_assert_ptr_nonnull(strstr(session_ask(&sc.s, "SET k v"), "MISCONF"));
	ck_assert_int_eq(sc.s.downs, 0);
	scene_done(&sc);
}
END_TEST

/* More than the kernel takes at once. */
#define LARGE (64u << 20)

static int64_t
after_standing_still(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 +
	       (REDIS_STALE_MS + 1000) * INT64_C(1000);
}

START_TEST(a_process_that_stood_still_sends_no_rest_of_a_command)
{
	const struct clock_source later = {.mono_us = after_standing_still};
	struct scene sc = {.says = "+OK\r\n"};
	struct slice argv[] = {SLICE("SET"), SLICE("k"), {NULL, LARGE}};
	char *large = calloc(1, LARGE);

	scene_init(&sc, answer_as_told,
		   &(struct redis_options){.timeout_ms = 600000});
	session_wait(&sc.s, &sc.s.ups, 1);
	argv[2].p = large;
	redis_command(sc.s.r, session_on_reply, &sc.s, 3, argv);
	while (redis_backlog(sc.s.r) > LARGE)
		event_base_loop(sc.s.base, EVLOOP_ONCE);
	ck_assert_uint_gt(redis_backlog(sc.s.r), 0);
	clock_replace(&later);
	session_wait(&sc.s, &sc.s.downs, 1);
	ck_assert_ptr_nonnull(strstr(sc.s.why.msg, "stood still"));
	ck_assert_int_eq(sc.s.lost, 1);
	clock_replace(NULL);
	scene_done(&sc);
	free(large);
}
END_TEST

/* --- while it logs in ---------------------------------------------------- */

/* Answers PING and AUTH of the first two connections as told. */
static void
refuse_at_first(struct fake_peer *peer, const char *words, void *arg)
{
	struct scene *sc = arg;

	if (fake_number(peer) <= 2)
		fake_say(peer, sc->says);
	else if (!fake_login(peer, words))
		fake_say(peer, "+OK\r\n");
}

static const char *const not_yet[] = {
    "-LOADING Redis is loading the dataset in memory\r\n",
    "-MASTERDOWN Link with MASTER is down\r\n",
    "-BUSY Redis is busy running a script\r\n",
    "-ERR max number of clients reached\r\n",
    "-DENIED Redis is running in protected mode\r\n",
    "HTTP/1.1 400 Bad Request\r\n",
};

START_TEST(a_server_that_is_not_ready_is_asked_again)
{
	struct scene sc = {.says = not_yet[_i]};

	scene_init(&sc, refuse_at_first, NULL);
	session_wait(&sc.s, &sc.s.ups, 1);
	ck_assert_int_eq(sc.s.downs, 2);
	ck_assert_int_eq(sc.s.refusals, 0);
	ck_assert_ptr_nonnull(strstr(
	    sc.s.why.msg, not_yet[_i][0] == '-' ? "not ready: " : "is it a"));
	scene_done(&sc);
}
END_TEST

static const struct {
	const char *says;
	const char *why;
} refusals[] = {
    {"-WRONGPASS invalid username-password pair\r\n", "wrong user"},
    {"-ERR invalid password\r\n", "wrong user"},
    {"-ERR Client sent AUTH, but no password is set\r\n", "none is configured"},
    {"-ERR AUTH <password> called without any password\r\n",
     "none is configured"},
    {"-ERR wrong number of arguments for 'auth' command\r\n", "older than"},
    {"-ERR unknown command `AUTH`, with args beginning with: `s3cret`\r\n",
     "does not accept our AUTH"},
};

START_TEST(a_refused_password_is_final_and_never_shown)
{
	struct scene sc = {.says = refusals[_i].says};
	char url[64];

	sc.s.base = event_base_new();
	sc.fake = fake_new(sc.s.base, refuse_at_first, &sc);
	snprintf(url, sizeof(url), "redis://:s3cret@%s",
		 fake_url(sc.fake) + strlen("redis://"));
	session_init_on(&sc.s, sc.s.base, url, NULL);
	session_wait(&sc.s, &sc.s.refusals, 1);
	ck_assert_int_eq(sc.s.downs, 0);
	ck_assert_int_eq(sc.s.why.code, ERR_REFUSED);
	ck_assert_ptr_nonnull(strstr(sc.s.why.msg, refusals[_i].why));
	ck_assert_ptr_null(strstr(sc.s.why.msg, "s3cret"));
	scene_done(&sc);
}
END_TEST

static void
say_nothing(struct fake_peer *peer, const char *words, void *arg)
{
}

START_TEST(a_login_that_is_not_answered_has_a_deadline)
{
	struct scene sc = {.says = ""};

	scene_init(&sc, say_nothing, &(struct redis_options){.timeout_ms = 50});
	session_wait(&sc.s, &sc.s.downs, 2);
	ck_assert_ptr_nonnull(strstr(sc.s.why.msg, "does not answer"));
	scene_done(&sc);
}
END_TEST

/* --- freeing inside callbacks -------------------------------------------- */

static void
free_on_reply(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct scene *sc = arg;

	sc->s.replies++;
	redis_free(r);
	sc->s.r = NULL;
	/* The reply is good until the callback ends. */
	if (reply != NULL)
		ck_assert_int_eq(redis_reply_type(reply), REDIS_STRING);
}

START_TEST(a_connection_may_be_freed_by_a_reply)
{
	const struct slice argv[] = {SLICE("GET"), SLICE("k")};
	struct scene sc = {.says = "+OK\r\n"};

	scene_init(&sc, answer_as_told, NULL);
	session_wait(&sc.s, &sc.s.ups, 1);
	redis_command(sc.s.r, free_on_reply, &sc, 2, argv);
	redis_command(sc.s.r, free_on_reply, &sc, 2, argv);
	session_wait(&sc.s, &sc.s.replies, 1);
	event_base_loop(sc.s.base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(sc.s.replies, 1);
	scene_done(&sc);
}
END_TEST

START_TEST(a_connection_may_be_freed_by_a_reply_that_is_lost)
{
	const struct slice argv[] = {SLICE("GET"), SLICE("k")};
	struct scene sc = {.says = "garbage"};

	scene_init(&sc, answer_as_told, NULL);
	session_wait(&sc.s, &sc.s.ups, 1);
	redis_command(sc.s.r, free_on_reply, &sc, 2, argv);
	redis_command(sc.s.r, free_on_reply, &sc, 2, argv);
	session_wait(&sc.s, &sc.s.replies, 1);
	event_base_loop(sc.s.base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(sc.s.replies, 1);
	ck_assert_int_eq(sc.s.downs, 0);
	scene_done(&sc);
}
END_TEST

static void
free_on_state(struct redis *r, enum redis_state state, const struct err *why,
	      void *arg)
{
	struct scene *sc = arg;

	sc->s.ups += state == REDIS_UP;
	sc->s.downs += state == REDIS_DOWN;
	sc->s.refusals += state == REDIS_REFUSED;
	redis_free(r);
	sc->s.r = NULL;
}

START_TEST(a_connection_may_be_freed_when_it_comes_up)
{
	struct scene sc = {.says = ""};

	scene_init(
	    &sc, answer_as_told,
	    &(struct redis_options){.on_state = free_on_state, .arg = &sc});
	session_wait(&sc.s, &sc.s.ups, 1);
	event_base_loop(sc.s.base, EVLOOP_NONBLOCK);
	scene_done(&sc);
}
END_TEST

START_TEST(a_connection_may_be_freed_when_it_goes_down)
{
	struct scene sc = {.says = "-LOADING\r\n"};

	scene_init(
	    &sc, refuse_at_first,
	    &(struct redis_options){.on_state = free_on_state, .arg = &sc});
	session_wait(&sc.s, &sc.s.downs, 1);
	scene_done(&sc);

	sc = (struct scene){.says = "-NOAUTH\r\n"};
	scene_init(
	    &sc, refuse_at_first,
	    &(struct redis_options){.on_state = free_on_state, .arg = &sc});
	session_wait(&sc.s, &sc.s.refusals, 1);
	scene_done(&sc);

	/* And when nobody listens. */
	sc = (struct scene){.says = ""};
	session_init(
	    &sc.s, "redis://127.0.0.1:1",
	    &(struct redis_options){.on_state = free_on_state, .arg = &sc});
	session_wait(&sc.s, &sc.s.downs, 1);
	session_done(&sc.s);
}
END_TEST

static void
free_on_message(struct redis *r, struct slice channel, struct slice payload,
		void *arg)
{
	struct scene *sc = arg;

	redis_free(r);
	sc->s.r = NULL;
	sc->s.messages++;
	ck_assert(slice_eq(channel, SLICE("ch")));
	ck_assert(slice_eq(payload, SLICE("one")));
}

static void
free_on_ready(struct redis *r, void *arg)
{
	struct scene *sc = arg;

	redis_free(r);
	sc->s.r = NULL;
	sc->s.readies++;
}

static const char two_messages[] =
    "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n"
    "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$3\r\none\r\n"
    "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$3\r\ntwo\r\n";

START_TEST(a_connection_may_be_freed_by_a_message_or_a_confirmation)
{
	struct scene sc = {.says = two_messages};

	scene_init(
	    &sc, answer_as_told,
	    &(struct redis_options){.on_message = free_on_message, .arg = &sc});
	redis_subscribe(sc.s.r, SLICE("ch"), NULL, NULL);
	session_wait(&sc.s, &sc.s.messages, 1);
	event_base_loop(sc.s.base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(sc.s.messages, 1);
	scene_done(&sc);

	sc = (struct scene){.says = two_messages};
	scene_init(&sc, answer_as_told, NULL);
	redis_subscribe(sc.s.r, SLICE("ch"), free_on_ready, &sc);
	session_wait(&sc.s, &sc.s.readies, 1);
	event_base_loop(sc.s.base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(sc.s.messages, 0);
	scene_done(&sc);
}
END_TEST

/* A callback that sends on. */
static void
send_another(struct redis *r, const struct redis_reply *reply, void *arg)
{
	const struct slice argv[] = {SLICE("GET"), SLICE("k")};
	struct scene *sc = arg;
	int before = ++sc->s.replies;

	if (reply == NULL)
		ck_assert_int_eq(redis_command(r, send_another, arg, 2, argv),
				 -1);
	else if (before < 100)
		ck_assert_int_eq(redis_command(r, send_another, arg, 2, argv),
				 0);
	ck_assert_int_eq(sc->s.replies, before);
}

START_TEST(a_callback_may_send_the_next_command)
{
	struct scene sc = {.says = "+OK\r\n"};

	scene_init(&sc, answer_as_told, NULL);
	session_wait(&sc.s, &sc.s.ups, 1);
	redis_command(sc.s.r, send_another, &sc, 1, &SLICE("GET"));
	session_wait(&sc.s, &sc.s.replies, 100);
	/* But not when it learns that the connection is broken. */
	sc.says = "garbage";
	redis_command(sc.s.r, send_another, &sc, 1, &SLICE("GET"));
	session_wait(&sc.s, &sc.s.downs, 1);
	ck_assert_int_eq(sc.s.replies, 101);
	scene_done(&sc);
}
END_TEST

SUITE("redis_fault")
{
	TEST(a_script_that_never_becomes_known_is_sent_twice);
	TEST(a_script_that_has_run_is_sent_twice_again);
	TEST(a_command_that_needs_no_script_is_not_worth_another_try);
	TEST_LOOP(a_reply_that_is_cut_off_anywhere_is_lost, 0, sizeof(whole));
	TEST(garbage_breaks_the_connection_and_a_new_one_is_made);
	TEST(a_reply_that_nobody_asked_for_breaks_the_connection);
	TEST(a_huge_reply_is_refused_when_it_is_announced);
	TEST(misconf_is_an_answer_like_any_other);
	TEST(a_process_that_stood_still_sends_no_rest_of_a_command);
	TEST_LOOP(a_server_that_is_not_ready_is_asked_again, 0,
		  sizeof(not_yet) / sizeof(not_yet[0]));
	TEST_LOOP(a_refused_password_is_final_and_never_shown, 0,
		  sizeof(refusals) / sizeof(refusals[0]));
	TEST(a_login_that_is_not_answered_has_a_deadline);
	TEST(a_connection_may_be_freed_by_a_reply);
	TEST(a_connection_may_be_freed_by_a_reply_that_is_lost);
	TEST(a_connection_may_be_freed_when_it_comes_up);
	TEST(a_connection_may_be_freed_when_it_goes_down);
	TEST(a_connection_may_be_freed_by_a_message_or_a_confirmation);
	TEST(a_callback_may_send_the_next_command);
}
