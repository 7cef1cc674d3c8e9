/* SPDX-License-Identifier: MIT */
/* Lists of tasks by their state, and one task wherever it is. */
#include "manager/tasks.h"

#include "manager/scene.h"
#include "suite.h"

#define AT_NOON "'2026-11-23T12:00:00.000000+00:00'"

static struct tasks_query query;

static json_t *
list(enum tasks_state state)
{
	return tasks_list(scene.client, state, &query, &scene.err);
}

static void
begin(void)
{
	scene_begin();
	query = (struct tasks_query){.limit = 10, .depth = 100};
}

/* --- pending ------------------------------------------------------------- */

START_TEST(a_waiting_task_is_listed_as_its_record_will_be)
{
	scene_task("io", BROKER_WAITING, "a", 0);
	scene_is(list(TASKS_PENDING),
		 "[{'task_id':'a','status':'pending','task_name':'add',"
		 "'result':null,'error':null,'submitted_at':" AT_NOON ","
		 "'started_at':null,'finished_at':null,'retries':1,'args':[1],"
		 "'kwargs':{},'queue':'io','priority':0}]");
	ck_assert(!query.stopped);
	scene_journal_is("queues; view io; view io; ");
}
END_TEST

START_TEST(a_delayed_task_says_when_it_is_due_and_whether_it_was_tried)
{
	scene_task("io", BROKER_DELAYED, "again", SCENE_NOON_MS);
	scene_put("io", BROKER_DELAYED, "{'id':'new','name':'add'}",
		  SCENE_NOON_MS + 1500);
	scene_is(scene_column(list(TASKS_PENDING), "status"),
		 "['pending','retrying']");
	scene_is(scene_column(list(TASKS_PENDING), "due_at"),
		 "['2026-11-23T12:00:01.500000+00:00'," AT_NOON "]");
}
END_TEST

START_TEST(what_cannot_be_read_is_listed_with_the_reason)
{
	scene_put("io", BROKER_WAITING, "{'name':'add'}", 0);
	scene_is(list(TASKS_PENDING),
		 "[{'task_id':null,'status':'pending','task_name':null,"
		 "'result':null,'error':'field \\'id\\' is missing',"
		 "'submitted_at':null,'started_at':null,'finished_at':null,"
		 "'retries':0,'args':[],'kwargs':{},'queue':'io',"
		 "'priority':0}]");
}
END_TEST

SUITE("manager-tasks")
{
	tcase_add_checked_fixture(suite_case_, begin, scene_end);
	TEST(a_waiting_task_is_listed_as_its_record_will_be);
	TEST(a_delayed_task_says_when_it_is_due_and_whether_it_was_tried);
	TEST(what_cannot_be_read_is_listed_with_the_reason);
}
