/* SPDX-License-Identifier: MIT */
/* Changes of single tasks: delayed ones that are to run now, and records that are
 * deleted. */
#include "manager/tasks.h"

#include <stdio.h>

#include "manager/scene.h"
#include "suite.h"

START_TEST(a_delayed_task_is_found_where_its_record_does_not_say_it_is)
{
	scene_task("a", BROKER_DELAYED, "other", SCENE_NOON_MS + 1000);
	scene_task("b", BROKER_DELAYED, "t1", SCENE_NOON_MS + 1000);
	scene_record("t1", "{'task_id':'t1','status':'pending','queue':'a'}");
	scene_is(tasks_run(scene.client, "t1", &scene.err),
		 "{'task_id':'t1','outcome':'due'}");
}
END_TEST

START_TEST(a_task_that_is_not_delayed_cannot_run_now)
{
	scene_task("a", BROKER_WAITING, "t1", 0);
	scene_record("t1", "{'task_id':'t1','status':'pending','queue':'a'}");
	scene_refused(tasks_run(scene.client, "t1", &scene.err), ERR_REFUSED,
		      "task t1 is not delayed");
}
END_TEST

static const char *const unfinished[] = {"pending", "running", "retrying"};

START_TEST(a_record_of_what_has_not_ended_is_not_deleted)
{
	char record[100];

	snprintf(record, sizeof(record), "{'task_id':'t1','status':'%s'}",
		 unfinished[_i]);
	scene_record("t1", record);
	scene_refused(tasks_delete(scene.client, "t1", &scene.err), ERR_REFUSED,
		      "task t1 has not ended; cancel it first");
	ck_assert_ptr_nonnull(scene_record_of("t1"));
}
END_TEST

SUITE("manager-tasks-change")
{
	tcase_add_checked_fixture(suite_case_, scene_begin, scene_end);
	TEST(a_delayed_task_is_found_where_its_record_does_not_say_it_is);
	TEST(a_task_that_is_not_delayed_cannot_run_now);
	TEST_LOOP(a_record_of_what_has_not_ended_is_not_deleted, 0, 3);
}
