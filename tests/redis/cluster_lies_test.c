/* SPDX-License-Identifier: MIT */
/* Nodes of a Redis Cluster that say what is wrong, or lead astray. */
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/fake.h"
#include "redis/session.h"
#include "redis/slots.h"
#include "suite.h"
#include "util/clock.h"

/* A server that says of itself what it is told to, and which connects to nothing. */
static const char *const nonsense[] = {
    "-ERR unknown command\r\n",
    "+OK\r\n",
    "*1\r\n:7\r\n",
    "*1\r\n*2\r\n:0\r\n:16383\r\n",
    "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$9\r\n127.0.0.1\r\n:1\r\n",
    "*1\r\n*3\r\n:-1\r\n:5\r\n*2\r\n$9\r\n127.0.0.1\r\n:1\r\n",
    "*1\r\n*3\r\n:9\r\n:5\r\n*2\r\n$9\r\n127.0.0.1\r\n:1\r\n",
    "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$9\r\n127.0.0.1\r\n:0\r\n",
    "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$9\r\n127.0.0.1\r\n:70000\r\n",
    "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$4\r\na/\"b\r\n:1\r\n",
    "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$3\r\na\0b\r\n:1\r\n",
};

static void
on_nonsense(struct fake_peer *peer, const char *words, void *arg)
{
	const char *answer = arg;

	if (fake_login(peer, words) != 0)
		return;
	/* One of them has a NUL. */
	fake_send(peer, answer,
		  answer == nonsense[10] ? sizeof("*1\r\n*3\r\n:0\r\n:5\r\n*2\r"
						  "\n$3\r\na\0b\r\n:1\r\n") -
					       1
					 : strlen(answer));
}

START_TEST(no_nonsense_about_slots_is_believed)
{
	struct event_base *base = event_base_new();
	struct fake *fake =
	    fake_new(base, on_nonsense, (void *)(uintptr_t)nonsense[_i]);
	char url[100];
	struct session s;

	snprintf(url, sizeof(url), "redis+cluster://%s",
		 fake_url(fake) + strlen("redis://"));
	session_init_on(&s, base, url, NULL);
	session_wait(&s, &s.downs, 2);
	ck_assert_int_eq(s.ups, 0);
	ck_assert_msg(strstr(s.why.msg, "CLUSTER SLOTS") != NULL, "%s",
		      s.why.msg);
	redis_free(s.r);
	fake_free(fake);
	event_base_free(base);
}
END_TEST

/* A fake node of a Cluster: what it says about slots, and about commands. */
struct node {
	struct fake *fake;
	const struct node *owner; /* of the slots; NULL: nobody yet */
	int first, last;
	const char *redirects; /* instead of an answer, so often … */
	int times;	       /* … -1: for ever */
	int questions;	       /* about the slots */
	const char *says;      /* instead of any answer, to all; "": nothing */
	const struct node *other;
	int beside; /* connections of that when it was last asked about the slots */
	int port;
};

static void
node_on_command(struct fake_peer *peer, const char *words, void *arg)
{
	struct node *node = arg;
	char slots[100];

	if (node->says != NULL) {
		fake_say(peer, node->says);
		return;
	}
	if (fake_login(peer, words) != 0)
		return;
	if (strcmp(words, "CLUSTER SLOTS") == 0) {
		node->questions++;
		if (node->other != NULL)
			node->beside = fake_connected(node->other->fake);
		if (node->owner == NULL) {
			fake_say(peer, "*0\r\n");
			return;
		}
		snprintf(slots, sizeof(slots),
			 "*1\r\n*3\r\n:%d\r\n:%d\r\n*2\r\n$0\r\n\r\n:%d\r\n",
			 node->first, node->last, node->owner->port);
		fake_say(peer, slots);
	} else if (node->times != 0) {
		node->times -= node->times > 0;
		fake_say(peer, node->redirects);
	} else {
		fake_say(peer, "+done\r\n");
	}
}

/* It has all slots, until the test says something else. */
static void
node_start(struct node *node, struct event_base *base)
{
	*node = (struct node){.owner = node, .last = REDIS_SLOTS - 1};
	node->fake = fake_new(base, node_on_command, node);
	node->port = atoi(strrchr(fake_url(node->fake), ':') + 1);
}

/* `b` NULL: one node is all of them. */
static struct event_base *
nodes_start(struct node *a, struct node *b)
{
	struct event_base *base = event_base_new();

	node_start(a, base);
	if (b != NULL)
		node_start(b, base);
	return base;
}

static void
nodes_connect_with(struct session *s, struct event_base *base,
		   const struct node *a, const struct node *b,
		   const struct redis_options *options)
{
	char url[100];

	snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%d,127.0.0.1:%d",
		 a->port, b != NULL ? b->port : a->port);
	session_init_on(s, base, url, options);
}

static void
nodes_connect(struct session *s, struct event_base *base, const struct node *a,
	      const struct node *b)
{
	nodes_connect_with(s, base, a, b, NULL);
}

/* Of those that are still there. */
static void
nodes_end(struct session *s, struct node *a, struct node *b)
{
	redis_free(s->r);
	if (a->fake != NULL)
		fake_free(a->fake);
	if (b != NULL)
		fake_free(b->fake);
	event_base_free(s->base);
}

START_TEST(a_node_that_has_no_slots_is_not_the_last_that_is_asked)
{
	struct node a, b;
	struct event_base *base = nodes_start(&a, &b);
	struct session s;

	a.owner = b.owner = NULL;
	nodes_connect(&s, base, &a, &b);
	session_wait(&s, &s.downs, 1);
	ck_assert_msg(strstr(s.why.msg, "knows no master") != NULL, "%s",
		      s.why.msg);
	b.owner = &b;
	session_wait(&s, &s.ups, 1);
	ck_assert_str_eq(session_ask(&s, "GET b"), "done");
	/* That it has lost its memory tells nothing about the slots. */
	b.owner = NULL;
	b.redirects = "-CLUSTERDOWN not now\r\n";
	b.times = 1;
	ck_assert_str_eq(session_ask(&s, "GET b"), "done");
	session_wait(&s, &b.questions, 3);
	ck_assert_str_eq(session_ask(&s, "GET b"), "done");
	ck_assert_int_eq(s.ups, 1);
	nodes_end(&s, &a, &b);
}
END_TEST

/* Such as one that was taken out of the Cluster, and is in the URL. */
START_TEST(a_node_that_knows_only_itself_does_not_hide_the_others)
{
	struct node a, b;
	struct event_base *base = nodes_start(&a, &b);
	struct session s;

	a.last = 5;
	nodes_connect(&s, base, &a, &b);
	session_wait(&s, &s.ups, 1);
	ck_assert_str_eq(session_ask(&s, "GET b"), "done");
	nodes_end(&s, &a, &b);
}
END_TEST

START_TEST(a_key_that_moved_to_nowhere_is_looked_for_again)
{
	static const char *const to[] = {
	    "-MOVED 3300 127.0.0.1:1\r\n", "-MOVED 3300 ::1:1\r\n",
	    "-MOVED 3300 nowhere.invalid:1\r\n", "-ASK 3300 127.0.0.1:1\r\n"};
	struct node a;
	struct event_base *base = nodes_start(&a, NULL);
	struct session s;

	nodes_connect(&s, base, &a, NULL);
	session_wait(&s, &s.ups, 1);
	a.redirects = to[_i];
	a.times = 1;
	/* To ask there is for once, so that nobody else is asked. */
	if (_i < 3)
		ck_assert_str_eq(session_ask(&s, "GET b"), "done");
	else
		ck_assert_int_eq(
		    strncmp(session_ask(&s, "GET b"), "-CLUSTERDOWN", 12), 0);
	ck_assert_str_eq(session_ask(&s, "GET b"), "done");
	ck_assert_int_eq(s.ups, 1);
	ck_assert_int_eq(s.downs, 0);
	nodes_end(&s, &a, NULL);
}
END_TEST

START_TEST(a_key_that_moves_for_ever_is_given_up)
{
	char moved[60];
	struct node a;
	struct event_base *base = nodes_start(&a, NULL);
	struct session s;

	nodes_connect(&s, base, &a, NULL);
	session_wait(&s, &s.ups, 1);
	snprintf(moved, sizeof(moved), "-MOVED 3300 127.0.0.1:%d\r\n", a.port);
	a.redirects = moved;
	a.times = -1;
	ck_assert_int_eq(strncmp(session_ask(&s, "GET b"), "-MOVED", 6), 0);
	/* It is not what was asked for. */
	a.redirects = "-MOVED 7 127.0.0.1:1\r\n";
	ck_assert_int_eq(strncmp(session_ask(&s, "GET b"), "-MOVED 7", 8), 0);
	nodes_end(&s, &a, NULL);
}
END_TEST

START_TEST(a_node_that_stands_still_is_not_waited_for_before_another_is_asked)
{
	struct node a, b;
	struct event_base *base = nodes_start(&a, &b);
	struct session s;

	a.says = "";
	b.other = &a;
	nodes_connect(&s, base, &a, &b);
	session_wait(&s, &s.ups, 1);
	ck_assert_int_eq(b.beside, 1);
	/* With the answer, what was asked of the others is over. */
	session_ask(&s, "GET b");
	ck_assert_int_eq(fake_connected(a.fake), 0);
	nodes_end(&s, &a, &b);
}
END_TEST

/* A connection to who has the slot of "b", which is the first of two nodes. */
static void
nodes_connect_pinned(struct session *s, struct node *a, struct node *b,
		     const char *says)
{
	const struct redis_options at_b = {.timeout_ms = 60000, .key = "b"};
	struct event_base *base = nodes_start(a, b);

	b->owner = a;
	a->says = says;
	nodes_connect_with(s, base, a, b, &at_b);
	if (says == NULL)
		session_wait(s, &s->ups, 1);
}

/* Long before its time to answer is over: a command, or who comes. */
START_TEST(a_master_that_stands_still_is_left_when_another_has_its_slots)
{
	struct node a, b;
	struct session s;
	int ups, asked;

	nodes_connect_pinned(&s, &a, &b, _i == 0 ? NULL : "");
	ups = s.ups;
	asked = b.questions;
	if (_i == 0) {
		a.says = "";
		session_send(&s, "GET b");
	}
	session_wait(&s, &b.questions, asked + 2);
	ck_assert_int_eq(s.downs + s.lost, 0);
	b.owner = &b;
	session_wait(&s, &s.ups, ups + 1);
	ck_assert_int_eq(s.lost, _i == 0);
	ck_assert_str_eq(session_ask(&s, "GET b"), "done");
	nodes_end(&s, &a, &b);
}
END_TEST

/* Four pauses as of a lone server take four seconds at least. */
START_TEST(a_master_that_is_gone_is_looked_for_often)
{
	struct node a, b;
	struct session s;
	int64_t since_ms;

	nodes_connect_pinned(&s, &a, &b, NULL);
	fake_free(a.fake);
	a.fake = NULL;
	session_wait(&s, &s.downs, 7);
	since_ms = clock_mono_ms();
	session_wait(&s, &s.downs, 11);
	ck_assert_int_lt(clock_mono_ms() - since_ms, 3500);
	b.owner = &b;
	session_wait(&s, &s.ups, 2);
	nodes_end(&s, &a, &b);
}
END_TEST

/* The others let us in: it is that one's fault, and may be mended. */
START_TEST(one_node_that_refuses_us_is_asked_again)
{
	struct node a, b;
	struct session s;

	nodes_connect_pinned(&s, &a, &b,
			     "-NOAUTH Authentication required.\r\n");
	session_wait(&s, &s.downs, 1);
	ck_assert_int_eq(s.refusals, 0);
	ck_assert_msg(strstr(s.why.msg, "requires a password") != NULL, "%s",
		      s.why.msg);
	a.says = NULL;
	session_wait(&s, &s.ups, 1);
	ck_assert_str_eq(session_ask(&s, "GET b"), "done");
	nodes_end(&s, &a, &b);
}
END_TEST

START_TEST(nodes_that_all_refuse_us_have_the_last_word)
{
	struct node a, b;
	struct event_base *base = nodes_start(&a, &b);
	struct session s;

	a.says = b.says = "-NOAUTH Authentication required.\r\n";
	nodes_connect(&s, base, &a, &b);
	session_wait(&s, &s.refusals, 1);
	nodes_end(&s, &a, &b);
}
END_TEST

static const struct {
	int last;
	const char *redirects, *why;
} in_vain[] = {
    {REDIS_SLOTS - 1, "-CLUSTERDOWN The cluster is down\r\n",
     "Cluster is down"},
    {5, NULL, "no master has slot 3300"},
};

START_TEST(what_is_not_carried_out_in_time_is_told_why)
{
	const struct redis_options soon = {.timeout_ms = 300};
	struct node a;
	struct event_base *base = nodes_start(&a, NULL);
	struct session s;

	a.last = in_vain[_i].last;
	a.redirects = in_vain[_i].redirects;
	a.times = a.redirects != NULL ? -1 : 0;
	nodes_connect_with(&s, base, &a, NULL, &soon);
	ck_assert_int_eq(strncmp(session_ask(&s, "GET b"), "-CLUSTERDOWN", 12),
			 0);
	ck_assert_msg(strcasestr(s.reply, in_vain[_i].why) != NULL, "%s",
		      s.reply);
	nodes_end(&s, &a, NULL);
}
END_TEST

SUITE("redis_cluster-lies")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(no_nonsense_about_slots_is_believed, 0,
		  sizeof(nonsense) / sizeof(nonsense[0]));
	TEST(a_node_that_has_no_slots_is_not_the_last_that_is_asked);
	TEST(a_node_that_knows_only_itself_does_not_hide_the_others);
	TEST_LOOP(a_key_that_moved_to_nowhere_is_looked_for_again, 0, 4);
	TEST(a_key_that_moves_for_ever_is_given_up);
	TEST(
	    a_node_that_stands_still_is_not_waited_for_before_another_is_asked);
	TEST_LOOP(a_master_that_stands_still_is_left_when_another_has_its_slots,
		  0, 2);
	TEST(a_master_that_is_gone_is_looked_for_often);
	TEST(one_node_that_refuses_us_is_asked_again);
	TEST(nodes_that_all_refuse_us_have_the_last_word);
	TEST_LOOP(what_is_not_carried_out_in_time_is_told_why, 0, 2);
}
