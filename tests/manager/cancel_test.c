/* SPDX-License-Identifier: MIT */
/* Cancelling tasks, wherever they are, and emptying queues. */
#include "manager/cancel.h"

#include <string.h>

#include "manager/queues.h"
#include "manager/scene.h"
#include "suite.h"

#define CANCELLED                                                              \
	"'status':'failed','error':'cancelled before it started',"             \
	"'reason':'cancelled','finished_at':"                                  \
	"'2026-11-23T12:00:00.000000+00:00'"

static json_t *
cancel(const char *id)
{
	return cancel_task(scene.client, id, &scene.err);
}

static void
record_is(const char *id, const char *wanted)
{
	scene_is(scene_json(scene_record_of(id)), wanted);
}

START_TEST(a_task_that_waits_is_withdrawn_and_stored_as_failed)
{
	static const enum broker_location places[] = {BROKER_WAITING,
						      BROKER_DELAYED};

	scene_task("io", places[_i], "a", SCENE_NOON_MS);
	scene_record("a", "{'status':'pending','queue':'io','mine':[1]}");
	scene_is(cancel("a"), "{'id':'a','outcome':'cancelled'}");
	scene_journal_is("get a; remove io; put a; counts; ");
	record_is("a", "{'queue':'io','mine':[1]," CANCELLED "}");
	ck_assert_uint_eq(scene_count("io", places[_i]), 0);
	/* Who waits for it, and who listens, are told. */
	ck_assert_int_eq(strncmp(scene.events.data,
				 "{\"type\":\"task.update\",\"task\":{", 30),
			 0);
	scene_refused(cancel("a"), ERR_REFUSED,
		      "cannot cancel task a: it has finished (failed)");
}
END_TEST

START_TEST(it_is_searched_in_all_queues_if_its_record_does_not_say)
{
	scene_queue("cpu", false);
	scene_task("io", BROKER_WAITING, "b", 0);
	scene_task("io", BROKER_WAITING, "a", 0);
	scene_queue("net", false);
	scene_record("a", "{'status':'retrying'}");
	scene_is(cancel("a"), "{'id':'a','outcome':'cancelled'}");
	scene_journal_is("get a; queues; remove cpu; remove io; put a; "
			 "counts; ");
	ck_assert_uint_eq(scene_count("io", BROKER_WAITING), 1);
}
END_TEST

START_TEST(a_running_task_is_left_to_the_worker_that_has_it)
{
	scene_task("io", BROKER_IN_FLIGHT, "a", 0);
	scene_record("a", "{'status':'running','queue':'io'}");
	scene_is(cancel("a"), "{'id':'a','outcome':'ordered'}");
	scene_journal_is("get a; control {\"order\":\"cancel\",\"id\":\"a\"}; "
			 "view io; ");
	record_is("a", "{'status':'running','queue':'io'}");
	/* One that a worker has just claimed: its record is not there yet. */
	scene_record("a", "{'status':'pending','queue':'io'}");
	scene_is(cancel("a"), "{'id':'a','outcome':'ordered'}");
	scene_journal_is("get a; remove io; control {\"order\":\"cancel\","
			 "\"id\":\"a\"}; view io; ");
}
END_TEST

/* The worker puts it back for a retry, right before the order comes. */
static void
put_back(enum scene_call call)
{
	if (call == SCENE_control)
		scene_task("io", BROKER_DELAYED, "a", SCENE_NOON_MS);
}

START_TEST(a_task_that_goes_back_before_the_order_comes_is_withdrawn)
{
	scene_queue("io", false);
	scene_record("a", "{'status':'running','queue':'io'}");
	scene.on_call = put_back;
	scene_is(cancel("a"), "{'id':'a','outcome':'cancelled'}");
	record_is("a", "{'queue':'io'," CANCELLED "}");
	ck_assert_uint_eq(scene_count("io", BROKER_DELAYED), 0);
}
END_TEST

START_TEST(a_task_that_is_nowhere_is_stored_as_failed)
{
	scene_queue("io", false);
	scene_record("a", "{'status':'pending','queue':'io'}");
	scene_is(cancel("a"), "{'id':'a','outcome':'cancelled'}");
	record_is("a", "{'queue':'io'," CANCELLED "}");
	/* Nor does its queue have to be known. */
	scene_record("b", "{'status':'running','queue':'gone','worker':'w'}");
	scene_is(cancel("b"), "{'id':'b','outcome':'cancelled'}");
}
END_TEST

/* Its record names the new queue before it leaves the old one. */
START_TEST(a_task_that_is_being_moved_is_withdrawn_from_where_it_is)
{
	scene_queue("cpu", false);
	scene_task("io", BROKER_WAITING, "a", 0);
	scene_record("a", "{'status':'pending','queue':'cpu'}");
	scene_is(cancel("a"), "{'id':'a','outcome':'cancelled'}");
	record_is("a", "{'queue':'cpu'," CANCELLED "}");
	ck_assert_uint_eq(scene_count("io", BROKER_WAITING), 0);
}
END_TEST

static void
finish(enum scene_call call)
{
	if (call == SCENE_control)
		scene_record("a", "{'status':'success','queue':'io'}");
}

START_TEST(a_task_that_ends_meanwhile_keeps_its_result)
{
	scene_queue("io", false);
	scene_record("a", "{'status':'running','queue':'io'}");
	scene.on_call = finish;
	scene_is(cancel("a"), "{'id':'a','outcome':'ordered'}");
	record_is("a", "{'status':'success','queue':'io'}");
	ck_assert_ptr_null(strstr(scene.journal.data, "put"));
}
END_TEST

START_TEST(what_cannot_be_cancelled_is_refused)
{
	scene_record("good", "{'status':'success'}");
	scene_record("odd", "5");
	scene_refused(cancel("good"), ERR_REFUSED,
		      "cannot cancel task good: it has finished (success)");
	scene_refused(cancel("nope"), ERR_NOT_FOUND, "no record of task nope");
	scene_refused(cancel("odd"), ERR_DATA,
		      "cannot parse the record of task odd: not a JSON object");
	scene_journal_is("get good; get nope; get odd; ");
	scene_refused(cancel("\xc3\xa4"), ERR_DATA,
		      "\"\xc3\xa4\" is not a valid task ID");
	scene_journal_is("");
}
END_TEST

START_TEST(a_cancellation_fails_with_what_the_store_says)
{
	static const struct {
		enum scene_call call;
		unsigned int skip;
		const char *status;
	} cases[] = {
	    {SCENE_get, 0, "pending"},	   {SCENE_queues, 0, "pending"},
	    {SCENE_remove, 0, "pending"},  {SCENE_remove, 1, "pending"},
	    {SCENE_control, 0, "running"}, {SCENE_view, 0, "running"},
	    {SCENE_remove, 0, "running"},  {SCENE_get, 1, "running"},
	    {SCENE_view, 1, "running"}};
	char json[64];

	scene_queue("cpu", false);
	scene_queue("io", false);
	snprintf(json, sizeof(json), "{'status':'%s'}", cases[_i].status);
	scene_record("a", json);
	scene_fail(cases[_i].call, cases[_i].skip, 1, ERR_REFUSED,
		   "not allowed");
	scene_refused(cancel("a"), ERR_REFUSED, "not allowed");
	record_is("a", json);
}
END_TEST

static void
lose_backend(enum scene_call call)
{
	struct err why;

	err_set(&why, ERR_REFUSED, "wrong password");
	if (call == SCENE_remove || call == SCENE_purge)
		readiness_set(&scene.client->results_ready, false, true, &why);
}

START_TEST(who_has_withdrawn_a_task_but_cannot_store_that_says_so)
{
	scene_task("io", BROKER_WAITING, "a", 0);
	scene_record("a", "{'status':'pending','queue':'io'}");
	scene.on_call = lose_backend;
	scene_refused(cancel("a"), ERR_REFUSED,
		      "task a was removed from its queue, but: wrong password");
	/* It is found, and its end stored, by the next one. */
	scene.on_call = NULL;
	scene_reach(true, false);
	scene_is(cancel("a"), "{'id':'a','outcome':'cancelled'}");
}
END_TEST

START_TEST(an_order_is_not_sent_twice)
{
	scene_queue("io", false);
	scene_record("a", "{'status':'running','queue':'io'}");
	scene_fail(SCENE_control, 0, 1, ERR_UNAVAILABLE, "connection lost");
	scene_refused(cancel("a"), ERR_UNAVAILABLE, "connection lost");
}
END_TEST

/* --- purging ------------------------------------------------------------- */

static int64_t progress[8];
static size_t n_progress;
static int64_t stop_at; /* tasks; 0: at the end */

static int
on_progress(int64_t purged, void *arg)
{
	ck_assert_ptr_eq(arg, progress);
	progress[n_progress++] = purged;
	return stop_at != 0 && purged >= stop_at;
}

static json_t *
purge(const char *queue, bool dry_run)
{
	const struct queues_purge what = {.queue = queue,
					  .dry_run = dry_run,
					  .on_progress = on_progress,
					  .arg = progress};

	n_progress = 0;
	return queues_purge(scene.client, &what, &scene.err);
}

static void
fill(void)
{
	scene_task("io", BROKER_WAITING, "a", 0);
	scene_task("io", BROKER_DELAYED, "b", SCENE_NOON_MS);
	scene_put("io", BROKER_WAITING, "nonsense", 0);
	scene_task("io", BROKER_IN_FLIGHT, "c", 0);
	scene_task("cpu", BROKER_WAITING, "d", 0);
}

START_TEST(a_purge_takes_what_waits_page_by_page_and_stores_its_end)
{
	fill();
	scene.page_max = 2;
	scene_is(purge("io", false),
		 "{'queue':'io','purged':3,'dry_run':false}");
	scene_journal_is("queues io; purge io; put b; counts; purge io; "
			 "put a; counts; ");
	ck_assert_uint_eq(n_progress, 2);
	ck_assert_int_eq(progress[0], 2);
	ck_assert_int_eq(progress[1], 3);
	record_is("b", "{'task_id':'b','task_name':'add','result':null,"
		       "'submitted_at':'2026-11-23T12:00:00.000000+00:00',"
		       "'started_at':null,'retries':1,'args':[1],'kwargs':{},"
		       "'queue':'io','attempts':1," CANCELLED "}");
	ck_assert_ptr_nonnull(scene_record_of("a"));
	ck_assert_uint_eq(scene_count("io", BROKER_IN_FLIGHT), 1);
	ck_assert_uint_eq(scene_count("cpu", BROKER_WAITING), 1);
	scene_is(purge("io", false),
		 "{'queue':'io','purged':0,'dry_run':false}");
}
END_TEST

START_TEST(a_purge_ends_where_it_is_told_to_and_says_how_far_it_came)
{
	fill();
	scene.page_max = 1;
	stop_at = 2;
	scene_is(purge("io", false), "{'queue':'io','purged':2,'dry_run':false,"
				     "'stopped':true}");
	ck_assert_uint_eq(n_progress, 2);
	ck_assert_uint_eq(scene_count("io", BROKER_WAITING), 1);
	/* It was stored of what is gone. */
	ck_assert_ptr_nonnull(scene_record_of("b"));
	ck_assert_ptr_null(scene_record_of("a"));
	/* At the end there is nothing to be stopped. */
	stop_at = 1;
	scene_is(purge("io", false),
		 "{'queue':'io','purged':1,'dry_run':false}");
}
END_TEST

START_TEST(a_dry_purge_only_counts)
{
	fill();
	scene_is(purge("io", true), "{'queue':'io','purged':3,'dry_run':true}");
	scene_journal_is("queues io; ");
	ck_assert_uint_eq(n_progress, 0);
}
END_TEST

START_TEST(a_purge_that_stops_half_way_says_how_far_it_came)
{
	fill();
	scene.page_max = 1;
	scene_fail(SCENE_purge, 2, 1, ERR_UNAVAILABLE, "connection lost");
	scene_refused(purge("io", false), ERR_UNAVAILABLE,
		      "after 2 tasks: connection lost");
	/* The first page is of one without a record. */
	fill();
	scene.on_call = lose_backend;
	scene_refused(purge("io", false), ERR_REFUSED,
		      "after 2 tasks: wrong password");
	scene_reach(true, false);
	scene_fail(SCENE_purge, 0, 1, ERR_UNAVAILABLE, "connection lost");
	scene_refused(purge("io", false), ERR_UNAVAILABLE, "connection lost");
	scene_refused(purge("nope", false), ERR_NOT_FOUND,
		      "no such queue \"nope\": it has never held a task, and "
		      "no worker serves it");
}
END_TEST

SUITE("manager-cancel")
{
	tcase_add_checked_fixture(suite_case_, scene_begin, scene_end);
	TEST_LOOP(a_task_that_waits_is_withdrawn_and_stored_as_failed, 0, 2);
	TEST(it_is_searched_in_all_queues_if_its_record_does_not_say);
	TEST(a_running_task_is_left_to_the_worker_that_has_it);
	TEST(a_task_that_goes_back_before_the_order_comes_is_withdrawn);
	TEST(a_task_that_is_nowhere_is_stored_as_failed);
	TEST(a_task_that_is_being_moved_is_withdrawn_from_where_it_is);
	TEST(a_task_that_ends_meanwhile_keeps_its_result);
	TEST(what_cannot_be_cancelled_is_refused);
	TEST_LOOP(a_cancellation_fails_with_what_the_store_says, 0, 9);
	TEST(who_has_withdrawn_a_task_but_cannot_store_that_says_so);
	TEST(an_order_is_not_sent_twice);
	TEST(a_purge_takes_what_waits_page_by_page_and_stores_its_end);
	TEST(a_purge_ends_where_it_is_told_to_and_says_how_far_it_came);
	TEST(a_dry_purge_only_counts);
	TEST(a_purge_that_stops_half_way_says_how_far_it_came);
}
