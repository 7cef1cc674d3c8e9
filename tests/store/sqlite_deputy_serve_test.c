/* SPDX-License-Identifier: MIT */
/* Submissions by way of a worker: its side, with visitors that are no producers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite/door.h"
#include "store/sqlite/deputy.h"
#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

static struct stage w;
static struct party *worker;
static int visitor;

static int
count_waiting(void)
{
	return stage_sql(&w, "SELECT count(*) FROM waiting");
}

static int
come_in(void)
{
	const int dir_fd = stage_wake_dir(&w);
	const int fd = door_enter(dir_fd, SDEPUTY_NAME);

	close(dir_fd);
	return fd;
}

static void
open_with_worker(void)
{
	stage_open(&w, KIND_SQLITE);
	w.options.with_results = true;
	worker = party_open(&w, "host:a");
	ck_assert_int_ge(visitor = come_in(), 0);
}

static void
close_with_worker(void)
{
	close(visitor);
	party_close(worker);
	stage_close(&w);
}

static struct sdeputy_request
request(enum sdeputy_what what)
{
	return (struct sdeputy_request){.version = SDEPUTY_VERSION,
					.number = 7,
					.what = what,
					.by_ms = clock_mono_ms() + 60000};
}

/* With up to four texts. */
static void
ask(struct sdeputy_request q, const char *const *texts)
{
	struct buf packet = BUF_INIT;
	size_t i;

	for (i = 0; i < SDEPUTY_TEXTS && texts[i] != NULL; i++)
		q.lens[i] = (uint32_t)strlen(texts[i]);
	buf_add(&packet, &q, sizeof(q));
	for (i = 0; i < SDEPUTY_TEXTS && texts[i] != NULL; i++)
		buf_adds(&packet, texts[i]);
	ck_assert_int_eq(send(visitor, packet.data, packet.len, MSG_NOSIGNAL),
			 packet.len);
	buf_done(&packet);
}

static char text[1024];
static struct sdeputy_answer answer;
static ssize_t received;

static bool
hears(void)
{
	char packet[1024];

	received = recv(visitor, packet, sizeof(packet), MSG_DONTWAIT);
	if (received < 0)
		return errno != EAGAIN;
	if (received < (ssize_t)sizeof(answer))
		return true;
	memcpy(&answer, packet, sizeof(answer));
	snprintf(text, sizeof(text), "%.*s",
		 (int)((size_t)received - sizeof(answer)),
		 packet + sizeof(answer));
	return true;
}

static enum err_code
ask_to_submit(struct sdeputy_request q, const char *id)
{
	const char *const texts[SDEPUTY_TEXTS] = {"io", id, "{}", "{}"};

	ask(q, texts);
	UNTIL(&w, hears());
	ck_assert_int_ge(received, (ssize_t)sizeof(answer));
	ck_assert_uint_eq(answer.number, 7);
	return (enum err_code)answer.code;
}

START_TEST(a_worker_submits_for_others)
{
	struct sdeputy_request q;

	open_with_worker();
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "a"), ERR_NONE);
	ck_assert_int_eq(count_waiting(), 1);
	/* One that is sent again, or comes after its producer did it. */
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "a"),
			 ERR_REFUSED);
	q = request(SDEPUTY_SUBMIT);
	q.max_queue_size = 1;
	ck_assert_int_eq(ask_to_submit(q, "b"), ERR_FULL);
	q.max_queue_size = 0;
	q.delay_ms = 60000;
	ck_assert_int_eq(ask_to_submit(q, "b"), ERR_NONE);
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM delayed"), 1);
	ck_assert_int_eq(count_waiting(), 1);
	close_with_worker();
}
END_TEST

START_TEST(what_comes_too_late_is_not_queued)
{
	struct sdeputy_request q;

	open_with_worker();
	q = request(SDEPUTY_SUBMIT);
	q.by_ms = clock_mono_ms();
	ck_assert_int_eq(ask_to_submit(q, "a"), ERR_TIMEOUT);
	ck_assert_int_eq(count_waiting(), 0);
	close_with_worker();
}
END_TEST

START_TEST(a_worker_knows_what_is_registered)
{
	const struct slice name = SLICE("resize"), said = SLICE("{\"x\":1}");
	const char *const one[SDEPUTY_TEXTS] = {"resize", NULL};
	const char *const none[SDEPUTY_TEXTS] = {"nothing", NULL};

	open_with_worker();
	broker_register(worker->broker, &name, &said, 1);
	ask(request(SDEPUTY_REGISTERED), one);
	UNTIL(&w, hears());
	ck_assert_uint_eq(answer.found, 1);
	ck_assert_str_eq(text, "{\"x\":1}");
	ask(request(SDEPUTY_REGISTERED), none);
	UNTIL(&w, hears());
	ck_assert_uint_eq(answer.found, 0);
	close_with_worker();
}
END_TEST

/* Each is shown out, and the worker serves the next. */
START_TEST(who_sends_no_request_is_shown_out)
{
	const char *const texts[SDEPUTY_TEXTS] = {"io", "a", "{}", "{}"};
	const char *const queue[SDEPUTY_TEXTS] = {"i/o", "a", "{}", "{}"};
	const char *const id[SDEPUTY_TEXTS] = {"io", "a b", "{}", "{}"};
	const char *const empty[SDEPUTY_TEXTS] = {"io", "a", "", ""};
	struct sdeputy_request q;

	open_with_worker();
	q = request(SDEPUTY_SUBMIT);
	switch (_i) {
	case 0:
		q.version++;
		ask(q, texts);
		break;
	case 1:
		q.what = SDEPUTY_WHATS;
		ask(q, texts);
		break;
	case 2: /* texts that are not there */
		q.lens[3] = UINT32_MAX;
		ck_assert_int_eq(send(visitor, &q, sizeof(q), 0), sizeof(q));
		break;
	case 3: /* half a request */
		ck_assert_int_eq(send(visitor, &q, sizeof(q) / 2, 0),
				 sizeof(q) / 2);
		break;
	case 4:
		ask(q, queue);
		break;
	case 5:
		ask(q, id);
		break;
	case 6:
		ask(q, empty);
		break;
	case 7:
		q.by_ms = -1;
		ask(q, texts);
		break;
	case 8: /* no NUL between two names */
		ask(request(SDEPUTY_SERVED), texts);
		break;
	default: /* more than a packet may have */
		ck_assert_int_eq(send(visitor, (char[SDEPUTY_MAX + 1]){0},
				      SDEPUTY_MAX + 1, 0),
				 SDEPUTY_MAX + 1);
	}
	UNTIL(&w, hears());
	ck_assert_int_le(received, 0);
	close(visitor);
	ck_assert_int_ge(visitor = come_in(), 0);
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "b"), ERR_NONE);
	ck_assert_int_eq(count_waiting(), 1);
	close_with_worker();
}
END_TEST

START_TEST(a_visitor_that_leaves_has_submitted)
{
	const char *const texts[SDEPUTY_TEXTS] = {"io", "a", "{}", "{}"};

	open_with_worker();
	ask(request(SDEPUTY_SUBMIT), texts);
	close(visitor);
	UNTIL(&w, count_waiting() == 1);
	ck_assert_int_ge(visitor = come_in(), 0);
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "b"), ERR_NONE);
	close_with_worker();
}
END_TEST

/* As many as the worker takes in: it hears the others, which do not wait. */
START_TEST(a_crowd_of_visitors_is_shown_out)
{
	int crowd[200], out = 0;
	char c;
	size_t i;

	open_with_worker();
	for (i = 0; i < 200; i++) {
		ck_assert_int_ge(crowd[i] = come_in(), 0);
		stage_turn(&w, INT64_MAX);
		out += recv(crowd[i], &c, 1, MSG_DONTWAIT) == 0;
	}
	ck_assert_int_gt(out, 100);
	ck_assert_int_lt(out, 200);
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "a"), ERR_NONE);
	for (i = 0; i < 200; i++)
		close(crowd[i]);
	stage_linger(&w, 50);
	close(visitor);
	ck_assert_int_ge(visitor = come_in(), 0);
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "b"), ERR_NONE);
	close_with_worker();
}
END_TEST

/* With the next heartbeat of that one. */
START_TEST(another_worker_opens_the_door_of_one_that_is_gone)
{
	struct party *other;

	open_with_worker();
	other = party_open(&w, "host:b");
	broker_deregister(worker->broker);
	stage_linger(&w, 50);
	party_close(worker);
	close(visitor);
	ck_assert_int_lt(come_in(), 0);
	broker_heartbeat(other->broker, SLICE("{}"));
	UNTIL(&w, (visitor = come_in()) >= 0);
	worker = other;
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "a"), ERR_NONE);
	close_with_worker();
}
END_TEST

/* As a job that leaves runs again, after a rollback. */
START_TEST(who_leaves_twice_leaves_the_door_of_another)
{
	struct party *other;

	open_with_worker();
	other = party_open(&w, "host:b");
	broker_deregister(worker->broker);
	stage_linger(&w, 50);
	close(visitor);
	broker_heartbeat(other->broker, SLICE("{}"));
	UNTIL(&w, (visitor = come_in()) >= 0);
	broker_deregister(worker->broker);
	stage_linger(&w, 50);
	party_close(worker);
	close(visitor);
	ck_assert_int_ge(visitor = come_in(), 0);
	worker = other;
	ck_assert_int_eq(ask_to_submit(request(SDEPUTY_SUBMIT), "a"), ERR_NONE);
	close_with_worker();
}
END_TEST

/* Somebody's file in the place of the door, or a link to one. */
START_TEST(what_is_no_door_stays)
{
	struct stat st;
	int dir_fd, fd;

	stage_open(&w, KIND_SQLITE);
	w.options.with_results = true;
	party_close(party_open(&w, "host:a"));
	dir_fd = stage_wake_dir(&w);
	ck_assert_int_eq(unlinkat(dir_fd, SDEPUTY_NAME, 0), 0);
	fd = _i == 0 ? openat(dir_fd, SDEPUTY_NAME, O_CREAT | O_WRONLY, 0600)
		     : symlinkat(stage_path(&w), dir_fd, SDEPUTY_NAME);
	ck_assert_int_ge(fd, 0);
	if (_i == 0)
		close(fd);
	worker = party_open(&w, "host:a");
	ck_assert_int_lt(come_in(), 0);
	broker_deregister(worker->broker);
	stage_linger(&w, 50);
	party_close(worker);
	ck_assert_int_eq(
	    fstatat(dir_fd, SDEPUTY_NAME, &st, AT_SYMLINK_NOFOLLOW), 0);
	close(dir_fd);
	stage_close(&w);
}
END_TEST

SUITE("sqlite-deputy-serve")
{
	TEST(a_worker_submits_for_others);
	TEST(what_comes_too_late_is_not_queued);
	TEST(a_worker_knows_what_is_registered);
	TEST_LOOP(who_sends_no_request_is_shown_out, 0, 10);
	TEST(a_visitor_that_leaves_has_submitted);
	TEST(a_crowd_of_visitors_is_shown_out);
	TEST(another_worker_opens_the_door_of_one_that_is_gone);
	TEST(who_leaves_twice_leaves_the_door_of_another);
	TEST_LOOP(what_is_no_door_stays, 0, 2);
}
