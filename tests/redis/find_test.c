/* SPDX-License-Identifier: MIT */
/* Connections that look for their server among several. */
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/fake.h"
#include "redis/session.h"
#include "redis_group.h"
#include "suite.h"
#include "util/clock.h"

/* The port that the connection has reached, as the server says. */
static int
port_of(struct session *s)
{
	const char *info = session_ask(s, "CONFIG GET port");

	return atoi(info + strlen("[port "));
}

static int
master_port(struct redis_group *g, int i)
{
	return redis_server_port(redis_group_server(g, (size_t)i));
}

START_TEST(the_master_is_found_by_sentinels)
{
	struct redis_group *g = redis_group_start(NULL);
	struct session s;

	session_init(&s, redis_group_url(g), NULL);
	ck_assert_int_eq(port_of(&s), master_port(g, 0));
	ck_assert_str_eq(session_ask(&s, "SET k v"), "OK");
	ck_assert_int_eq(s.downs, 0);
	session_done(&s);
	redis_group_stop(g);
}
END_TEST

START_TEST(a_failover_is_followed)
{
	struct redis_group *g = redis_group_start(NULL);
	struct session s, idle;
	int64_t there_ms, ms;
	int ups;

	session_init(&s, redis_group_url(g), NULL);
	session_init_on(&idle, s.base, redis_group_url(g), NULL);
	ck_assert_int_eq(port_of(&s), master_port(g, 0));
	session_wait(&idle, &idle.ups, 1);
	ups = s.ups;
	switch (_i) {
	case 0:
		redis_server_kill(redis_group_server(g, 0));
		break;
	case 1: /* the connections stay, and are silent */
		redis_server_pause(redis_group_server(g, 0));
		break;
	default:
		redis_group_failover(g);
		break;
	}
	redis_group_await_master(g, 0);
	there_ms = clock_mono_ms();
	session_wait(&s, &s.ups, ups + 1);
	ms = clock_mono_ms() - there_ms;
	session_wait(&idle, &idle.ups, 2);
	ck_assert_int_eq(port_of(&s), master_port(g, 1));
	ck_assert_int_eq(port_of(&idle), master_port(g, 1));
	/* A Sentinel looks once a second whether the new one is the master. */
	ck_assert_msg(ms < 3000, "after %lld ms", (long long)ms);
	fprintf(stderr, "found %lld ms after it was master\n", (long long)ms);
	if (_i == 1)
		redis_server_continue(redis_group_server(g, 0));
	redis_free(idle.r);
	session_done(&s);
	redis_group_stop(g);
}
END_TEST

START_TEST(one_sentinel_that_answers_is_enough)
{
	struct redis_group *g = redis_group_start(NULL);
	char url[100];
	struct session s;

	/* The first is silent, the second gone. */
	redis_group_signal_sentinel(g, 0, SIGSTOP);
	redis_group_signal_sentinel(g, 1, SIGKILL);
	session_init(&s, redis_group_url(g), NULL);
	ck_assert_int_eq(port_of(&s), master_port(g, 0));
	session_done(&s);
	/* And so is one that the URL names. */
	snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%d/%s",
		 redis_group_sentinel_port(g, 2), REDIS_GROUP_NAME);
	session_init(&s, url, NULL);
	ck_assert_int_eq(port_of(&s), master_port(g, 0));
	session_done(&s);
	redis_group_stop(g);
}
END_TEST

START_TEST(without_sentinels_the_one_that_says_master_is_taken)
{
	struct redis_group *g = redis_group_start(NULL);
	struct redis_server *a = redis_group_server(g, 0),
			    *b = redis_group_server(g, 1);
	struct session s, other;
	char url[100];
	size_t i;

	for (i = 0; i < REDIS_GROUP_SENTINELS; i++)
		redis_group_signal_sentinel(g, i, SIGKILL);
	/* The replica comes first. */
	snprintf(url, sizeof(url), "redis://127.0.0.1:%d,127.0.0.1:%d/0",
		 redis_server_port(b), redis_server_port(a));
	session_init(&s, url, NULL);
	session_init_on(&other, s.base, url, NULL);
	ck_assert_int_eq(port_of(&s), redis_server_port(a));
	session_wait(&other, &other.ups, 1);
	/* By hand, as the provider of a managed pair does it. */
	redis_server_run(b, "REPLICAOF NO ONE");
	redis_server_run(a, "REPLICAOF 127.0.0.1 %d", redis_server_port(b));
	session_send(&s, "SET k v");
	session_wait(&s, &s.ups, 2);
	session_wait(&other, &other.ups, 2);
	ck_assert_int_eq(port_of(&s), redis_server_port(b));
	ck_assert_int_eq(port_of(&other), redis_server_port(b));
	redis_free(other.r);
	session_done(&s);
	redis_group_stop(g);
}
END_TEST

START_TEST(sentinels_have_passwords_and_certificates_of_their_own)
{
	const struct redis_group_options o = {
	    .tls = true, .password = "server", .sentinel_password = "sentinel"};
	struct redis_group *g = redis_group_start(&o);
	char url[300];
	struct session s;

	session_init(&s, redis_group_url(g), NULL);
	ck_assert_str_eq(session_ask(&s, "SET k v"), "OK");
	session_done(&s);
	/* The server's password is not theirs. */
	snprintf(url, sizeof(url),
		 "rediss+sentinel://:server@127.0.0.1:%d/%s?cafile=%s/"
		 "ca.crt&sentinel_password=server",
		 redis_group_sentinel_port(g, 0), REDIS_GROUP_NAME,
		 redis_server_dir(redis_group_server(g, 0)));
	session_init(&s, url, NULL);
	session_wait(&s, &s.refusals, 1);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "wrong user or password"));
	ck_assert_ptr_null(strstr(s.why.msg, "server@"));
	session_done(&s);
	redis_group_stop(g);
}
END_TEST

START_TEST(what_is_wrong_with_the_hosts_is_said)
{
	struct redis_group *g = redis_group_start(NULL);
	char url[200];
	struct session s;

	/* A name that they do not know. */
	snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%d/other",
		 redis_group_sentinel_port(g, 0));
	session_init(&s, url, NULL);
	session_wait(&s, &s.downs, 1);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "does not know that name"));
	session_done(&s);
	/* A server in the place of a Sentinel, and the other way round. */
	snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%d/%s",
		 master_port(g, 0), REDIS_GROUP_NAME);
	session_init(&s, url, NULL);
	session_wait(&s, &s.downs, 1);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "it is not a Sentinel"));
	session_done(&s);
	snprintf(url, sizeof(url), "redis://127.0.0.1:%d",
		 redis_group_sentinel_port(g, 0));
	session_init(&s, url, NULL);
	session_wait(&s, &s.refusals, 1);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "redis+sentinel://"));
	session_done(&s);
	redis_group_stop(g);
}
END_TEST

/* --- Sentinels that lie ---------------------------------------------------- */

/* What a false Sentinel answers to the question for the address. */
struct liar {
	const char *answer, *master;
	int asked;
};

static void
liar_on_command(struct fake_peer *peer, const char *words, void *arg)
{
	struct liar *liar = arg;

	if (strcmp(words, "ROLE") == 0) {
		fake_say(peer, "*2\r\n$8\r\nsentinel\r\n*0\r\n");
	} else if (strncmp(words, "SENTINEL SENTINELS", 18) == 0) {
		fake_say(peer, "*1\r\n*4\r\n$2\r\nip\r\n$3\r\na b\r\n$4\r\n"
			       "port\r\n$1\r\n0\r\n");
	} else if (strncmp(words, "SENTINEL MASTER", 15) == 0) {
		fake_say(peer, liar->master != NULL ? liar->master
						    : "-NOPERM no\r\n");
	} else if (strncmp(words, "SENTINEL GET", 12) == 0) {
		liar->asked++;
		fake_say(peer, liar->answer);
	} else {
		fake_login(peer, words);
	}
}

START_TEST(no_nonsense_of_a_sentinel_is_dialed)
{
	static const char *const answers[] = {
	    "*2\r\n$3\r\na b\r\n$4\r\n6379\r\n",
	    "*2\r\n$1\r\nh\r\n$5\r\n65536\r\n",
	    "*2\r\n$1\r\nh\r\n$1\r\n0\r\n",
	    "*2\r\n$0\r\n\r\n$4\r\n6379\r\n",
	    "*1\r\n$1\r\nh\r\n",
	    "*-1\r\n",
	    "+OK\r\n",
	    "-IDONTKNOW\r\n",
	};
	struct event_base *base = event_base_new();
	struct liar liar = {.answer = answers[_i]};
	struct fake *fake = fake_new(base, liar_on_command, &liar);
	struct session s;
	char url[100];

	snprintf(url, sizeof(url), "redis+sentinel://%s/%s",
		 fake_url(fake) + strlen("redis://"), REDIS_GROUP_NAME);
	session_init_on(&s, base, url, NULL);
	session_wait(&s, &s.downs, 2);
	ck_assert_int_ge(liar.asked, 2);
	ck_assert_ptr_nonnull(strstr(s.why.msg, "no Sentinel says"));
	redis_free(s.r);
	fake_free(fake);
	event_base_free(base);
}
END_TEST

/* Two Sentinels, of which one is behind; and what the other one says. */
START_TEST(a_sentinel_that_is_behind_is_not_believed)
{
	static const char behind[] = "*2\r\n$12\r\nconfig-epoch\r\n$1\r\n4\r\n";
	static const char ahead[] = "*2\r\n$12\r\nconfig-epoch\r\n$1\r\n5\r\n";
	struct event_base *base = event_base_new();
	char there[80], url[160];
	struct redis_server *a = redis_server_start(NULL),
			    *b = redis_server_start(NULL);
	struct liar old = {.master = ahead}, new = {.master = ahead};
	struct fake *one = fake_new(base, liar_on_command, &old),
		    *two = fake_new(base, liar_on_command, &new);
	struct session s;

	snprintf(there, sizeof(there),
		 "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n%05d\r\n",
		 redis_server_port(a));
	old.answer = new.answer = there;
	snprintf(url, sizeof(url), "redis+sentinel://%s,%s/%s",
		 fake_url(one) + strlen("redis://"),
		 fake_url(two) + strlen("redis://"), REDIS_GROUP_NAME);
	session_init_on(&s, base, url, NULL);
	ck_assert_int_eq(port_of(&s), redis_server_port(a));
	/* The first has been restored from an old file, and says the other. */
	old.master = behind;
	snprintf(there, sizeof(there),
		 "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n%05d\r\n",
		 redis_server_port(b));
	new.answer = "*2\r\n$9\r\n127.0.0.1\r\n$1\r\n1\r\n";
	redis_server_run(a, "CLIENT KILL TYPE normal");
	session_wait(&s, &s.downs, 4);
	ck_assert_int_gt(new.asked, 1);
	ck_assert_int_eq(s.ups, 1);
	old.master = ahead;
	session_wait(&s, &s.ups, 2);
	ck_assert_int_eq(port_of(&s), redis_server_port(b));
	redis_free(s.r);
	fake_free(one);
	fake_free(two);
	event_base_free(base);
	redis_server_stop(a);
	redis_server_stop(b);
}
END_TEST

/* Three Sentinels: one says a number that no other will reach, and is gone. */
START_TEST(one_sentinel_has_not_the_last_word)
{
	static const char most[] = "*2\r\n$12\r\nconfig-epoch\r\n$19\r\n"
				   "9223372036854775807\r\n";
	static const char honest[] = "*2\r\n$12\r\nconfig-epoch\r\n$1\r\n5\r\n";
	struct event_base *base = event_base_new();
	char first[80], second[80], url[200];
	struct redis_server *a = redis_server_start(NULL),
			    *b = redis_server_start(NULL);
	struct liar liars[3] = {{.answer = first, .master = most},
				{.answer = second, .master = honest},
				{.answer = second, .master = honest}};
	struct fake *fakes[3];
	struct session s;
	int i;

	for (i = 0; i < 3; i++)
		fakes[i] = fake_new(base, liar_on_command, &liars[i]);
	snprintf(first, sizeof(first),
		 "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n%05d\r\n",
		 redis_server_port(b));
	snprintf(second, sizeof(second),
		 "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n%05d\r\n",
		 redis_server_port(a));
	snprintf(url, sizeof(url), "redis+sentinel://%s,%s,%s/%s",
		 fake_url(fakes[0]) + strlen("redis://"),
		 fake_url(fakes[1]) + strlen("redis://"),
		 fake_url(fakes[2]) + strlen("redis://"), REDIS_GROUP_NAME);
	session_init_on(&s, base, url, NULL);
	ck_assert_int_eq(port_of(&s), redis_server_port(b));
	liars[0] = (struct liar){.answer = "-IDONTKNOW\r\n"};
	redis_server_run(b, "CLIENT KILL TYPE normal");
	session_wait(&s, &s.ups, 2);
	ck_assert_int_eq(port_of(&s), redis_server_port(a));
	redis_free(s.r);
	for (i = 0; i < 3; i++)
		fake_free(fakes[i]);
	event_base_free(base);
	redis_server_stop(a);
	redis_server_stop(b);
}
END_TEST

SUITE("redis_find")
{
	TEST(a_sentinel_that_is_behind_is_not_believed);
	TEST(one_sentinel_has_not_the_last_word);
	TEST(the_master_is_found_by_sentinels);
	TEST_LOOP(a_failover_is_followed, 0, 3);
	TEST(one_sentinel_that_answers_is_enough);
	TEST(without_sentinels_the_one_that_says_master_is_taken);
	TEST(sentinels_have_passwords_and_certificates_of_their_own);
	TEST(what_is_wrong_with_the_hosts_is_said);
	TEST_LOOP(no_nonsense_of_a_sentinel_is_dialed, 0, 8);
}
