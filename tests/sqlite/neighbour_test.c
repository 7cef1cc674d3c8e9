/* SPDX-License-Identifier: MIT */
/* What processes that share a file know of one another: who waits to be woken, and
 * who is frozen rather than dead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/admin.h"
#include "store/stage.h"
#include "suite.h"

static struct stage w;

START_TEST(who_waits_is_still_known_when_another_worker_joins)
{
	struct party *producer, *waiting, *other;

	stage_open(&w, KIND_SQLITE);
	producer = party_open(&w, NULL);
	waiting = party_open(&w, "host:a");
	broker_want(waiting->broker, 0, 1);
	UNTIL(&w, stage_sql(&w, "SELECT count(*) FROM sleepers") == 1);
	/* It looks for those that are gone, before others can see it. */
	other = party_open(&w, "host:b");
	UNTIL(&w, stage_sql(&w, "SELECT count(*) FROM workers") == 2);
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM sleepers"), 1);
	party_close(other);
	party_close(waiting);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* Anybody may write to the file: what no process of ours would write must go, and
 * not stop those that come. */
START_TEST(rows_of_sockets_that_are_not_there_go_whatever_their_names)
{
	struct party *producer, *worker;

	stage_open(&w, KIND_SQLITE);
	producer = party_open(&w, NULL);
	party_submit(producer, "1", "[1]", 0, 0);
	stage_sql(&w, "INSERT INTO waiters (id, port) VALUES "
		      "('a', ''), ('b', hex(zeroblob(500))), ('c', "
		      "hex(zeroblob(500)) || 'x'), ('d', '0123456789abcdef')");
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert_int_eq(
	    stage_sql(&w, "SELECT count(*) FROM waiters WHERE port <> ''"), 0);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* A file, and its namesake below the directory of the wake sockets: a datagram
 * to a name that begins with a slash reaches the second, unlinkat() the first. */
static void
plant_victim(char victim[17])
{
	char command[400];
	int fd;

	strcpy(victim, "/tmp/flowrXXXXXX");
	fd = mkstemp(victim);
	ck_assert_int_ge(fd, 0);
	close(fd);
	snprintf(command, sizeof(command),
		 "mkdir '%s-wake/tmp' && : >'%s-wake%s'", stage_path(&w),
		 stage_path(&w), victim);
	ck_assert_int_eq(system(command), 0);
}

/* Who may write to the file could otherwise have any file of its next user
 * removed, root's among them. */
START_TEST(text_that_is_not_a_port_is_never_a_path)
{
	struct party *producer, *worker;
	char victim[17], sql[600];

	stage_open(&w, KIND_SQLITE);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	party_submit(producer, "1", "[1]", 0, 0);
	plant_victim(victim);
	snprintf(sql, sizeof(sql),
		 "INSERT INTO sleepers (queue, port) SELECT id, '%s' FROM "
		 "queues; INSERT INTO listeners (port, seen) VALUES "
		 "('%s', 0), (hex(zeroblob(500)), 0); INSERT INTO waiters "
		 "(id, port) VALUES ('1', '%s'), ('2', '%s')",
		 victim, victim, victim, victim);
	stage_sql(&w, sql);
	ck_assert_int_eq(party_submit(producer, "2", "[2]", 0, 0), ERR_NONE);
	broker_want(worker->broker, 0, 2);
	UNTIL(&w, worker->n_claims == 2);
	party_settle(worker, 0, BROKER_ACK);
	broker_heartbeat(worker->broker, SLICE("{}"));
	party_close(worker);
	/* One that comes sweeps. */
	worker = party_open(&w, "host:b");
	UNTIL(&w, stage_sql(&w, "SELECT (SELECT count(*) FROM listeners) + "
				"(SELECT count(*) FROM waiters)") == 0);
	ck_assert_int_eq(unlink(victim), 0);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* 0: nothing was said yet; else one of the letters a(live), f(rozen), d(ead). */
static char seen;

static void
on_workers(const struct worker_info *workers, size_t n, const struct err *err,
	   void *arg)
{
	ck_assert_ptr_null(err);
	ck_assert_uint_eq(n, 1);
	seen = workers->alive ? 'a' : workers->frozen ? 'f' : 'd';
}

static char
look(struct party *p)
{
	seen = 0;
	broker_workers(p->broker, on_workers, p);
	UNTIL(&w, seen != 0);
	return seen;
}

/* Its lock tells, which it has as long as its process is there. */
START_TEST(a_worker_that_says_nothing_is_frozen_or_dead)
{
	struct party *producer, *worker;
	char command[300];

	stage_open(&w, KIND_SQLITE);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_heartbeat(worker->broker, SLICE("{}"));
	UNTIL(&w, stage_sql(&w, "SELECT count(*) FROM workers "
				"WHERE description <> ''") == 1);
	ck_assert_int_eq(look(producer), 'a');
	stage_sql(&w, "UPDATE workers SET expires = 1");
	ck_assert_int_eq(look(producer), 'f');
	/* Of a file that was moved to another machine, nobody can say. */
	snprintf(command, sizeof(command), "rm -r '%s-wake'", stage_path(&w));
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(look(producer), 'd');
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

SUITE("sqlite-neighbour")
{
	TEST(who_waits_is_still_known_when_another_worker_joins);
	TEST(rows_of_sockets_that_are_not_there_go_whatever_their_names);
	TEST(text_that_is_not_a_port_is_never_a_path);
	TEST(a_worker_that_says_nothing_is_frozen_or_dead);
}
