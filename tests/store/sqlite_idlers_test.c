/* SPDX-License-Identifier: MIT */
/* Workers of other processes that wait for tasks of a queue with limits, in the
 * embedded database: a place that is freed is for one of them. They are sockets that
 * do nothing. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sqlite/door.h"
#include "store/limits_scene.h"

#define OTHERS 3

/* Before all names that are made by chance, and behind them. */
static const char *const first[OTHERS] = {
    "0000000000000000", "0000000000000001", "0000000000000002"};
static const char *const last[OTHERS] = {"fffffffffffffffd", "fffffffffffffffe",
					 "ffffffffffffffff"};
static int others[OTHERS];

static void
open_other(size_t i, const char *name)
{
	const int dir_fd = stage_wake_dir(&op.stage);
	struct sockaddr_un address;

	others[i] =
	    socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(others[i], 0);
	door_address(dir_fd, name, &address);
	ck_assert_int_eq(
	    bind(others[i], (struct sockaddr *)&address, sizeof(address)), 0);
	close(dir_fd);
}

static void
add_other(const char *name)
{
	char sql[200];

	snprintf(sql, sizeof(sql),
		 "INSERT OR IGNORE INTO sleepers (queue, port) "
		 "SELECT id, '%s' FROM queues WHERE name = 'io'",
		 name);
	stage_sql(&op.stage, sql);
}

static int
count_sleepers(void)
{
	return stage_sql(&op.stage, "SELECT count(*) FROM sleepers JOIN queues "
				    "ON id = queue WHERE name = 'io'");
}

/* How often it was woken since. */
static size_t
count_wakes(size_t i)
{
	char byte;
	size_t n = 0;

	while (recv(others[i], &byte, 1, 0) == 1)
		n++;
	return n;
}

/* The worker has the only place, and the next task is held; then it wants so many
 * tasks, and waits. */
static void
open_world(const char *const *names, unsigned int wanted)
{
	size_t i;

	op_open(KIND_SQLITE);
	lim_set(LIMIT_TASK, "n", 1);
	lim_put("1", NULL, 0);
	lim_put("2", NULL, 0);
	lim_take(lim_worker(), 1);
	UNTIL(&op.stage, count_sleepers() == 1);
	broker_want(lim_worker()->broker, 0, wanted);
	for (i = 0; i < OTHERS; i++) {
		open_other(i, names[i]);
		add_other(names[i]);
	}
}

static void
close_world(void)
{
	size_t i;

	for (i = 0; i < OTHERS; i++)
		close(others[i]);
	op_close();
}

START_TEST(a_place_that_is_freed_wakes_one)
{
	open_world(first, 0);
	party_settle(lim_worker(), 0, BROKER_ACK);
	ck_assert_uint_eq(count_wakes(0), 1);
	ck_assert_uint_eq(count_wakes(1), 0);
	ck_assert_uint_eq(count_wakes(2), 0);
	ck_assert_int_eq(count_sleepers(), OTHERS);
	close_world();
}
END_TEST

/* Its socket is there, but nobody has it open. */
START_TEST(one_that_was_killed_swallows_no_wake_up)
{
	open_world(first, 0);
	close(others[0]);
	party_settle(lim_worker(), 0, BROKER_ACK);
	ck_assert_uint_eq(count_wakes(1), 1);
	ck_assert_uint_eq(count_wakes(2), 0);
	others[0] = dup(others[1]);
	close_world();
}
END_TEST

/* It was woken, and then killed, or it hangs. */
START_TEST(one_that_does_nothing_swallows_no_wake_up_for_long)
{
	size_t i;

	open_world(first, 1);
	party_settle(lim_worker(), 0, BROKER_ACK);
	ck_assert_uint_eq(count_wakes(0), 1);
	for (i = 1; i <= OTHERS; i++) {
		op_nothing_comes(lim_worker());
		broker_heartbeat(lim_worker()->broker, SLICE("{}"));
		UNTIL(&op.stage, i == OTHERS || count_wakes(i) == 1);
	}
	UNTIL(&op.stage, lim_worker()->n_claims == 2);
	close_world();
}
END_TEST

START_TEST(one_that_has_no_room_any_more_wakes_the_next)
{
	open_world(last, 0);
	party_settle(lim_worker(), 0, BROKER_ACK);
	UNTIL(&op.stage, count_wakes(0) == 1);
	stage_linger(&op.stage, 30);
	ck_assert_uint_eq(count_wakes(1), 0);
	/* It does not wait any more, and looks when it has room. */
	ck_assert_int_eq(count_sleepers(), OTHERS - 1);
	lim_take(lim_worker(), 2);
	close_world();
}
END_TEST

/* What it was woken for is another queue, or an order. */
START_TEST(one_that_waits_passes_nothing_on)
{
	open_world(last, 0);
	broker_control(op.producer->broker, SLICE("{\"order\":\"none\"}"),
		       party_on_value, op.producer);
	UNTIL(&op.stage, lim_worker()->orders == 1);
	stage_linger(&op.stage, 30);
	ck_assert_uint_eq(count_wakes(0), 0);
	close_world();
}
END_TEST

SUITE("sqlite-idlers")
{
	TEST(a_place_that_is_freed_wakes_one);
	TEST(one_that_was_killed_swallows_no_wake_up);
	TEST(one_that_does_nothing_swallows_no_wake_up_for_long);
	TEST(one_that_has_no_room_any_more_wakes_the_next);
	TEST(one_that_waits_passes_nothing_on);
}
