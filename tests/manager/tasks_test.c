/* SPDX-License-Identifier: MIT */
/* Lists of tasks by their state, and one task wherever it is. */
#include "manager/tasks.h"

#include <string.h>

#include "manager/scene.h"
#include "suite.h"
#include "util/conf.h"

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
	scene_journal_is("queues; workers; view io; view io; ");
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

START_TEST(the_newest_of_all_queues_come_first_up_to_the_limit)
{
	static const char *const times[] = {"11:00", "13:00", "12:00"};
	char json[128];
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(json, sizeof(json),
			 "{'id':'%zu','name':'add','submitted_at':"
			 "'2026-11-23T%s:00Z'}",
			 i, times[i]);
		scene_put(i == 0 ? "io" : "cpu", BROKER_WAITING, json, 0);
	}
	scene_put("io", BROKER_WAITING, "{'id':'ever','name':'add'}", 0);
	scene_is(scene_column(list(TASKS_PENDING), "task_id"),
		 "['ever','1','2','0']");
	query.limit = 2;
	scene_is(scene_column(list(TASKS_PENDING), "task_id"), "['ever','1']");
}
END_TEST

START_TEST(pages_are_read_until_the_limit_the_depth_or_the_end)
{
	static const struct {
		size_t limit, depth;
		const char *task;
		const char *ids;
		bool stopped;
	} cases[] = {
	    {10, 100, NULL, "['f','e','d','c','b','a']", false},
	    {3, 100, NULL, "['f','e','d']", false},
	    {10, 2, NULL, "['f','e']", true},
	    /* The depth is looked at after each page. */
	    {10, 3, NULL, "['f','e','d','c']", true},
	    {2, 100, "mul", "['g']", false},
	    {1, 4, "mul", "[]", true},
	};
	const char *const ids[] = {"a", "b", "c", "d", "e", "f"};
	size_t i;

	scene_put("io", BROKER_WAITING, "{'id':'g','name':'mul'}", 0);
	for (i = 0; i < 6; i++)
		scene_task("io", BROKER_WAITING, ids[i], 0);
	scene.page_max = 2;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		query = (struct tasks_query){.limit = cases[i].limit,
					     .depth = cases[i].depth,
					     .filter.task = cases[i].task};
		if (query.filter.task == NULL)
			query.filter.task = "add";
		scene_is(scene_column(list(TASKS_PENDING), "task_id"),
			 cases[i].ids);
		ck_assert_msg(query.stopped == cases[i].stopped, "case %zu", i);
	}
}
END_TEST

START_TEST(a_list_of_one_queue_looks_at_no_other)
{
	scene_task("io", BROKER_WAITING, "a", 0);
	scene_task("cpu", BROKER_WAITING, "b", 0);
	query.filter.queue = "cpu";
	scene_is(scene_column(list(TASKS_PENDING), "task_id"), "['b']");
	scene_journal_is("queues cpu; view cpu; view cpu; ");
	query.filter.queue = "nope";
	scene_refused(list(TASKS_PENDING), ERR_NOT_FOUND,
		      "no such queue \"nope\": it has never held a task, and "
		      "no worker serves it");
	query.filter.queue = "a b";
	scene_refused(
	    list(TASKS_RUNNING), ERR_DATA,
	    "\"a b\" is not a valid queue name; allowed: 1 to 128 of the "
	    "characters A-Z a-z 0-9 _ . -");
}
END_TEST

/* --- running ------------------------------------------------------------- */

START_TEST(a_running_task_is_its_record_with_what_the_broker_knows)
{
	scene_task("io", BROKER_IN_FLIGHT, "a", 0)->worker = SLICE("here:1");
	scene_record("a", "{'task_id':'a','status':'running','queue':'old',"
			  "'worker':'old','started_at':" AT_NOON ","
			  "'progress':0.5}");
	scene_is(list(TASKS_RUNNING),
		 "[{'task_id':'a','status':'running','task_name':'add',"
		 "'result':null,'error':null,'submitted_at':" AT_NOON ","
		 "'started_at':" AT_NOON ",'finished_at':null,'retries':1,"
		 "'args':[1],'kwargs':{},'queue':'io','priority':0,"
		 "'worker':'here:1','progress':0.5}]");
}
END_TEST

START_TEST(records_find_their_tasks_in_whatever_order_they_come)
{
	const char *const ids[] = {"a", "b", "c"};
	char json[128];
	size_t i;

	for (i = 0; i < 3; i++) {
		scene_task("io", BROKER_IN_FLIGHT, ids[i], 0);
		snprintf(json, sizeof(json),
			 "{'progress':'%s','started_at':"
			 "'2026-11-23T1%zu:00:00Z'}",
			 ids[i], i);
		scene_record(ids[i], json);
	}
	scene_put("io", BROKER_IN_FLIGHT, "nonsense", 0);
	/* Neither is a record; both are listed as what has not begun. */
	scene_task("io", BROKER_IN_FLIGHT, "d", 0);
	scene_record("d", "[1]");
	scene_task("io", BROKER_IN_FLIGHT, "e", 0);
	scene.reversed = true;
	scene_is(scene_column(list(TASKS_RUNNING), "progress"),
		 "[null,null,null,'c','b','a']");
	scene_is(scene_column(list(TASKS_RUNNING), "task_id"),
		 "['e','d',null,'c','b','a']");
}
END_TEST

/* --- what has ended ------------------------------------------------------ */

START_TEST(final_records_are_listed_as_they_are_stored)
{
	scene_record("a", "{'status':'success','n':1}");
	scene_record("b", "{'status':'failed','n':2}");
	scene_record("c", "{'status':'running','n':3}");
	scene_record("d", "{'status':'success','n':4}");
	scene_is(list(TASKS_COMPLETED),
		 "[{'status':'success','n':4},{'status':'success','n':1}]");
	scene_is(list(TASKS_FAILED), "[{'status':'failed','n':2}]");
	scene_record("e", "{'status':'failed', nonsense");
	scene_is(list(TASKS_FAILED), "[{'status':'failed','n':2}]");
	scene_journal_is("list; list; list; ");
}
END_TEST

START_TEST(final_records_are_chosen_by_task_and_queue)
{
	scene_record("a", "{'task_id':'a','status':'success',"
			  "'task_name':'add','queue':'io'}");
	scene_record("b", "{'task_id':'b','status':'success',"
			  "'task_name':'mul','queue':'io'}");
	scene_record("c", "{'task_id':'c','status':'success',"
			  "'task_name':'add','queue':'cpu'}");
	scene_record("d", "{'status':'success'}");
	scene.page_max = 1;
	query.filter.task = "add";
	scene_is(scene_column(list(TASKS_COMPLETED), "task_id"), "['c','a']");
	query.filter.queue = "io";
	scene_is(scene_column(list(TASKS_COMPLETED), "task_id"), "['a']");
	query.depth = 2;
	scene_is(list(TASKS_COMPLETED), "[]");
	ck_assert(query.stopped);
	query = (struct tasks_query){.limit = 2, .depth = 2};
	scene_is(scene_column(list(TASKS_COMPLETED), "task_id"), "[null,'c']");
	ck_assert(!query.stopped);
}
END_TEST

/* --- faults -------------------------------------------------------------- */

START_TEST(a_list_fails_with_what_the_store_says)
{
	static const struct {
		enum tasks_state state;
		enum scene_call call;
		unsigned int skip;
	} cases[] = {
	    {TASKS_PENDING, SCENE_queues, 0}, {TASKS_PENDING, SCENE_view, 1},
	    {TASKS_RUNNING, SCENE_view, 0},   {TASKS_RUNNING, SCENE_get, 1},
	    {TASKS_COMPLETED, SCENE_list, 0}, {TASKS_FAILED, SCENE_list, 1},
	};

	scene_task("io", BROKER_WAITING, "a", 0);
	scene_task("io", BROKER_IN_FLIGHT, "b", 0);
	scene_task("io", BROKER_IN_FLIGHT, "c", 0);
	scene_record("d", "{'status':'failed'}");
	scene_record("e", "{'status':'failed'}");
	scene.page_max = 1;
	scene_fail(cases[_i].call, cases[_i].skip, 1, ERR_REFUSED,
		   "not allowed");
	scene_refused(list(cases[_i].state), ERR_REFUSED, "not allowed");
	/* It was the store's trouble, not ours. */
	json_decref(list(cases[_i].state));
	ck_assert_int_eq(scene.err.code, ERR_NONE);
}
END_TEST

START_TEST(a_question_is_asked_again_when_the_connection_breaks)
{
	scene_task("io", BROKER_WAITING, "a", 0);
	scene_fail(SCENE_view, 0, 1, ERR_UNAVAILABLE, "connection lost");
	scene_is(scene_column(list(TASKS_PENDING), "task_id"), "['a']");
	scene_journal_is("queues; workers; view io; view io; view io; ");
	scene_fail(SCENE_view, 0, 2, ERR_UNAVAILABLE, "connection lost");
	scene_refused(list(TASKS_PENDING), ERR_UNAVAILABLE, "connection lost");
	scene.client->conf->broker.retry_on_timeout = false;
	scene_fail(SCENE_view, 0, 1, ERR_UNAVAILABLE, "connection lost");
	scene_refused(list(TASKS_PENDING), ERR_UNAVAILABLE, "connection lost");
}
END_TEST

START_TEST(who_is_out_of_reach_is_awaited_who_refuses_is_not)
{
	scene_reach(false, false);
	scene_refused(list(TASKS_PENDING), ERR_UNAVAILABLE, "nobody listens");
	scene_refused(list(TASKS_FAILED), ERR_UNAVAILABLE, "nobody listens");
	scene_reach(false, true);
	scene_refused(list(TASKS_PENDING), ERR_REFUSED, "wrong password");
	scene_refused(list(TASKS_FAILED), ERR_REFUSED, "wrong password");
	scene_reach(true, false);
	scene_is(list(TASKS_PENDING), "[]");
}
END_TEST

START_TEST(a_child_may_not_use_the_client_of_its_parent)
{
	static const char words[] = "this client was opened by the parent "
				    "process; open one after fork()";

	scene.client->pid++;
	scene_refused(list(TASKS_PENDING), ERR_USAGE, words);
	scene_refused(list(TASKS_FAILED), ERR_USAGE, words);
	scene_refused(tasks_show(scene.client, "a", 10, &scene.err), ERR_USAGE,
		      words);
	scene_journal_is("");
	scene.client->pid--;
}
END_TEST

/* --- one task ------------------------------------------------------------ */

static json_t *
show(const char *id)
{
	return tasks_show(scene.client, id, query.depth, &scene.err);
}

START_TEST(a_task_is_shown_with_its_record_and_where_it_is)
{
	static const struct {
		enum broker_location place;
		const char *where;
	} places[] = {{BROKER_WAITING, "'waiting'"},
		      {BROKER_DELAYED, "'delayed'"},
		      {BROKER_IN_FLIGHT, "'in_flight'"}};
	json_t *answer;

	scene_task("cpu", places[_i].place, "aa", SCENE_NOON_MS);
	scene_task("io", places[_i].place, "a", SCENE_NOON_MS);
	scene_record("a", "{'status':'pending'}");
	ck_assert_ptr_nonnull(answer = show("a"));
	scene_is(json_incref(json_object_get(answer, "where")),
		 places[_i].where);
	scene_is(json_incref(json_object_get(answer, "queue")), "'io'");
	scene_is(json_incref(json_object_get(answer, "record")),
		 "{'status':'pending'}");
	scene_is(json_incref(json_object_get(json_object_get(answer, "entry"),
					     "task_id")),
		 "'a'");
	json_decref(answer);
	/* The queue of a record that says it is the only one looked at. */
	buf_reset(&scene.journal);
	scene_record("a", "{'status':'pending','queue':'io'}");
	json_decref(show("a"));
	ck_assert_ptr_null(strstr(scene.journal.data, "cpu"));
}
END_TEST

START_TEST(a_task_that_has_finished_is_searched_on_the_dead_list_only)
{
	scene_record("a", "{'status':'success','queue':'io'}");
	scene_is(show("a"), "{'task_id':'a','where':'finished','queue':'io',"
			    "'record':{'status':'success','queue':'io'},"
			    "'entry':null,'attempts':[]}");
	scene_journal_is("get a; ");
	scene_record("b", "{'status':'failed'}");
	scene_is(show("b"),
		 "{'task_id':'b','where':'finished','queue':null,"
		 "'record':{'status':'failed'},'entry':null,'attempts':[]}");
	scene_journal_is("get b; queues; queues io; workers; ");
	scene_dead("io", "b", SCENE_NOON_MS, "{'reason':'crashed'}");
	scene_is(show("b"),
		 "{'task_id':'b','where':'dead','queue':'io','record':"
		 "{'status':'failed'},'entry':{'key':'b','task_id':'b',"
		 "'task_name':'add','queue':'io','died_at':" AT_NOON ","
		 "'reason':'crashed','error':null,'worker':null,"
		 "'attempts':null,'info':{'reason':'crashed'},'task':{'id':'b',"
		 "'name':'add','args':[1],'submitted_at':"
		 "'2026-11-23T12:00:00Z','current_retry':1},'bytes':'{\\\"id"
		 "\\\":\\\"b\\\",\\\"name\\\":\\\"add\\\",\\\"args\\\":[1],"
		 "\\\"submitted_at\\\":\\\"2026-11-23T12:00:00Z\\\","
		 "\\\"current_retry\\\":1}'},'attempts':[]}");
}
END_TEST

START_TEST(a_task_is_shown_with_the_attempts_behind_it)
{
	json_t *answer;

	scene_put("io", BROKER_DELAYED,
		  "{\"id\":\"a\",\"name\":\"add\",\"history\":[5,"
		  "{\"attempt\":1,\"output\":\"o\"},\"x\"]}",
		  SCENE_NOON_MS);
	ck_assert_ptr_nonnull(answer = show("a"));
	scene_is(json_incref(json_object_get(answer, "attempts")),
		 "[{'attempt':1,'output':'o'}]");
	json_decref(answer);
	scene_dead("io", "b", SCENE_NOON_MS,
		   "{'reason':'failed','history':[{'attempt':7}]}");
	ck_assert_ptr_nonnull(answer = show("b"));
	scene_is(json_incref(json_object_get(answer, "attempts")),
		 "[{'attempt':7}]");
	json_decref(answer);
	/* Of another program. */
	scene_dead("io", "c", SCENE_NOON_MS, "{'history':'long'}");
	ck_assert_ptr_nonnull(answer = show("c"));
	scene_is(json_incref(json_object_get(answer, "attempts")), "[]");
	json_decref(answer);
}
END_TEST

START_TEST(a_task_that_is_nowhere_is_unknown_or_not_found)
{
	scene_task("io", BROKER_WAITING, "old", 0);
	scene_task("io", BROKER_WAITING, "new", 0);
	scene_record("old", "{'status':'pending','queue':'gone'}");
	scene_is(
	    show("old"),
	    "{'task_id':'old','where':'unknown','queue':'gone','record':"
	    "{'status':'pending','queue':'gone'},'entry':null,'attempts':[]}");
	scene_record("old", "null");
	query.depth = scene.page_max = 1;
	scene_refused(show("old"), ERR_NOT_FOUND,
		      "no record of task old, and it is not among the 1 tasks "
		      "that were looked at, the newest of each queue");
	query.depth = 2;
	scene_is(scene_column(json_pack("[o]", show("old")), "where"),
		 "['waiting']");
	scene_refused(show("a b"), ERR_DATA, "\"a b\" is not a valid task ID");
	scene_refused(show(""), ERR_DATA, "\"\" is not a valid task ID");
}
END_TEST

START_TEST(a_quick_look_finds_a_task_wherever_it_is)
{
	static const struct {
		enum broker_location place;
		const char *where;
	} places[] = {{BROKER_WAITING, "'waiting'"},
		      {BROKER_DELAYED, "'delayed'"},
		      {BROKER_IN_FLIGHT, "'in_flight'"},
		      {BROKER_DEAD, "'dead'"}};
	json_t *answer;

	query.depth = TASKS_DEPTH_QUICK;
	scene_task("cpu", BROKER_WAITING, "other", SCENE_NOON_MS);
	if (places[_i].place == BROKER_DEAD)
		scene_dead("io", "a", SCENE_NOON_MS, "{'reason':'crashed'}");
	else
		scene_task("io", places[_i].place, "a", SCENE_NOON_MS);
	ck_assert_ptr_nonnull(answer = show("a"));
	scene_is(json_incref(json_object_get(answer, "where")),
		 places[_i].where);
	scene_is(json_incref(json_object_get(answer, "queue")), "'io'");
	json_decref(answer);
	scene_refused(show("b"), ERR_NOT_FOUND,
		      "no record of task b, and no queue holds it");
}
END_TEST

/* Pages of one item, each of which takes 5 ms: four for a first look at each place,
 * and one more. */
START_TEST(a_quick_look_ends_in_time_and_says_what_it_left_out)
{
	char id[24];
	int i;

	scene_view_takes(5000);
	query.depth = TASKS_DEPTH_QUICK;
	scene.page_max = 1;
	for (i = 0; i < 50; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		scene_task("io", BROKER_WAITING, id, 0);
	}
	/* The newest is looked at first, the oldest is not reached. */
	scene_is(scene_column(json_pack("[o]", show("t49")), "where"),
		 "['waiting']");
	scene_refused(show("t0"), ERR_NOT_FOUND,
		      "no record of task t0, and it is not among the 2 tasks "
		      "that were looked at, the newest of each queue");
	/* One that runs is looked for to the end, as its record says. */
	scene_task("io", BROKER_IN_FLIGHT, "r", 0);
	for (i = 0; i < 9; i++)
		scene_task("io", BROKER_IN_FLIGHT, "x", 0);
	scene_record("r", "{'status':'running','queue':'io'}");
	scene_is(scene_column(json_pack("[o]", show("r")), "where"),
		 "['in_flight']");
}
END_TEST

START_TEST(a_record_that_cannot_be_read_is_an_error_that_names_the_task)
{
	scene_record("a", "[1]");
	scene_refused(show("a"), ERR_DATA,
		      "cannot parse the record of task a: not a JSON object");
	scene_record("a", "{");
	scene_refused(show("a"), ERR_DATA,
		      "the record of task a: cannot parse the answer as JSON: "
		      "string or '}' expected near end of file");
}
END_TEST

START_TEST(a_search_fails_with_what_the_store_says)
{
	static const struct {
		enum scene_call call;
		unsigned int skip;
	} cases[] = {{SCENE_get, 0},
		     {SCENE_queues, 0},
		     {SCENE_view, 0},
		     {SCENE_queues, 1},
		     {SCENE_view, 3}};

	scene_dead("io", "a", SCENE_NOON_MS, "{}");
	scene_fail(cases[_i].call, cases[_i].skip, 1, ERR_REFUSED,
		   "not allowed");
	scene_refused(show("a"), ERR_REFUSED, "not allowed");
	json_decref(show("a"));
}
END_TEST

SUITE("manager-tasks")
{
	tcase_add_checked_fixture(suite_case_, begin, scene_end);
	TEST(a_waiting_task_is_listed_as_its_record_will_be);
	TEST(a_delayed_task_says_when_it_is_due_and_whether_it_was_tried);
	TEST(what_cannot_be_read_is_listed_with_the_reason);
	TEST(the_newest_of_all_queues_come_first_up_to_the_limit);
	TEST(pages_are_read_until_the_limit_the_depth_or_the_end);
	TEST(a_list_of_one_queue_looks_at_no_other);
	TEST(a_running_task_is_its_record_with_what_the_broker_knows);
	TEST(records_find_their_tasks_in_whatever_order_they_come);
	TEST(final_records_are_listed_as_they_are_stored);
	TEST(final_records_are_chosen_by_task_and_queue);
	TEST_LOOP(a_list_fails_with_what_the_store_says, 0, 6);
	TEST(a_question_is_asked_again_when_the_connection_breaks);
	TEST(who_is_out_of_reach_is_awaited_who_refuses_is_not);
	TEST(a_child_may_not_use_the_client_of_its_parent);
	TEST_LOOP(a_task_is_shown_with_its_record_and_where_it_is, 0, 3);
	TEST(a_task_that_has_finished_is_searched_on_the_dead_list_only);
	TEST(a_task_is_shown_with_the_attempts_behind_it);
	TEST(a_task_that_is_nowhere_is_unknown_or_not_found);
	TEST_LOOP(a_quick_look_finds_a_task_wherever_it_is, 0, 4);
	TEST(a_quick_look_ends_in_time_and_says_what_it_left_out);
	TEST(a_record_that_cannot_be_read_is_an_error_that_names_the_task);
	TEST_LOOP(a_search_fails_with_what_the_store_says, 0, 5);
}
