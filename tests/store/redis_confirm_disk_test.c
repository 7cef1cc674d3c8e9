/* SPDX-License-Identifier: MIT */
/*
 * Submissions that have to be on disks: what becomes of each answer to WAITAOF. A
 * server of this test gives them, since Redis has that command from 7.2 on.
 */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "redis/fake.h"
#include "store/stage.h"
#include "suite.h"

static struct stage w;
static struct fake *fake;

/* The answer to WAITAOF; and what came before it on its connection, and it. */
static const char *answer;
static int pushed_by, asked_by;
static char asked[100];

static void
disk_on_command(struct fake_peer *peer, const char *words, void *arg)
{
	if (fake_login(peer, words))
		return;
	if (strncmp(words, "WAIT", 4) == 0) {
		asked_by = fake_number(peer);
		snprintf(asked, sizeof(asked), "%s", words);
		fake_say(peer, answer);
	} else {
		if (strncmp(words, "LPUSH", 5) == 0)
			pushed_by = fake_number(peer);
		fake_say(peer, ":1\r\n");
	}
}

/* Submits once, to a server whose own disk and `replicas` are to have it. */
static struct party *
disk_submit(const char *says, int64_t replicas)
{
	struct party *p;

	stage_open(&w, KIND_REDIS);
	fake = fake_new(w.base, disk_on_command, NULL);
	snprintf(w.url, sizeof(w.url), "%s", fake_url(fake));
	w.options.replicas = replicas;
	w.options.replicas_on_disk = true;
	w.options.timeout_ms = 4000;
	answer = says;
	p = party_open(&w, NULL);
	party_submit(p, "1", "[1]", 0, 0);
	return p;
}

static void
disk_close(struct party *p)
{
	party_close(p);
	fake_free(fake);
	stage_close(&w);
}

START_TEST(the_server_is_asked_behind_the_task_about_its_disk_and_replicas)
{
	struct party *p = disk_submit("*2\r\n:1\r\n:3\r\n", 3);

	ck_assert_int_eq(p->err.code, ERR_NONE);
	ck_assert_str_eq(asked, "WAITAOF 1 3 2000");
	ck_assert_int_gt(asked_by, 0);
	ck_assert_int_eq(asked_by, pushed_by);
	disk_close(p);
}
END_TEST

/* Of two replicas that are to have it. */
static const struct disk_case {
	const char *says;
	const char *message; /* NULL: it is queued */
	bool no_disk;	     /* it is the server's that is missing */
} disk_cases[] = {
    {"*2\r\n:1\r\n:2\r\n", NULL, false},
    {"*2\r\n:1\r\n:9\r\n", NULL, false},
    {"*2\r\n:1\r\n:1\r\n", "only 1 of 2 replicas", false},
    {"*2\r\n:1\r\n:0\r\n", "only 0 of 2 replicas", false},
    {"*2\r\n:0\r\n:2\r\n", "not its own disk", true},
    {"*2\r\n:0\r\n:9\r\n", "not its own disk", true},
    {"*2\r\n:0\r\n:0\r\n", "only 0 of 2 replicas", true},
    /* No answer of WAITAOF. */
    {"*2\r\n:-1\r\n:2\r\n", "not its own disk", true},
    {"*2\r\n:1\r\n:-1\r\n", "only -1 of 2 replicas", false},
    {"*2\r\n:2\r\n:2\r\n", "not its own disk", true},
    {"*1\r\n:1\r\n", "of 2 replicas", false},
    {"*0\r\n", "not its own disk", true},
    {":2\r\n", "not its own disk", true},
    {"+OK\r\n", "not its own disk", true},
    {"$-1\r\n", "not its own disk", true},
    {"*2\r\n*1\r\n:1\r\n:2\r\n", "not its own disk", true},
    {"-ERR WAITAOF cannot be used when numlocal is set but appendonly is "
     "disabled.\r\n",
     "appendonly is disabled", false},
    {"-ERR unknown command 'WAITAOF'\r\n", "unknown command", false},
    {"-UNBLOCKED force unblock from blocking operation, instance state "
     "changed (master -> replica?)\r\n",
     "UNBLOCKED", false},
};
#define N_DISK_CASES (int)(sizeof(disk_cases) / sizeof(disk_cases[0]))

START_TEST(each_answer_counts_for_what_it_says)
{
	const struct disk_case *c = &disk_cases[_i];
	struct party *p = disk_submit(c->says, 2);
	const char *text = p->err.msg;

	if (c->message == NULL) {
		ck_assert_int_eq(p->err.code, ERR_NONE);
	} else {
		ck_assert_int_eq(p->err.code, ERR_UNAVAILABLE);
		ck_assert_msg(strstr(text, c->message) != NULL, "%s", text);
		ck_assert_msg(strstr(text, "stored") == text, "%s", text);
		ck_assert_msg((strstr(text, "not its own disk") != NULL) ==
				  c->no_disk,
			      "%s", text);
	}
	disk_close(p);
}
END_TEST

SUITE("redis-confirm-disk")
{
	TEST(the_server_is_asked_behind_the_task_about_its_disk_and_replicas);
	TEST_LOOP(each_answer_counts_for_what_it_says, 0, N_DISK_CASES);
}
