/* SPDX-License-Identifier: MIT */
/* The dead list: looking at it, putting tasks back, deleting them. */
#include "manager/dead.h"

#include <string.h>

#include "manager/scene.h"
#include "suite.h"

static struct dead_query query;
static struct dead_change change;
static int64_t stop_at; /* tasks; 0: at the end */
static int64_t last_progress;

static json_t *
list(void)
{
	return dead_list(scene.client, &query, &scene.err);
}

static json_t *
run_change(void)
{
	return dead_change(scene.client, &change, &scene.err);
}

static int
on_progress(int64_t done, void *arg)
{
	last_progress = done;
	return stop_at != 0 && done >= stop_at;
}

static void
begin(void)
{
	scene_begin();
	query = (struct dead_query){.limit = 10, .depth = 100};
	change =
	    (struct dead_change){.retry = true, .on_progress = on_progress};
	last_progress = -1;
}

/* Four in two queues; the last died last, and one cannot be read. */
static void
bury(void)
{
	struct broker_item *item;

	scene_dead("io", "a", SCENE_NOON_MS - 4000,
		   "{'reason':'failed','error':'no luck','attempts':3}");
	item = scene_put("io", BROKER_DEAD, "nonsense", SCENE_NOON_MS - 3000);
	item->key = SLICE("k");
	item->info = SLICE("{\"reason\":\"unreadable\"}");
	scene_dead("cpu", "b", SCENE_NOON_MS - 2000,
		   "{'reason':'timeout','error':'out of luck, again'}");
	item = scene_put("io", BROKER_DEAD, "{'id':'c','name':'mul'}",
			 SCENE_NOON_MS - 1000);
	item->key = SLICE("c2");
	item->info = SLICE("[]");
	scene_queue("empty", false);
}

/* --- the list ------------------------------------------------------------ */

START_TEST(the_dead_are_listed_with_what_was_noted_of_them)
{
	bury();
	scene_is(list(),
		 "[{'key':'c2','task_id':'c','task_name':'mul','queue':'io',"
		 "'died_at':'2026-11-23T11:59:59.000000+00:00','reason':null,"
		 "'error':null,'worker':null,'attempts':null},"
		 "{'key':'b','task_id':'b','task_name':'add','queue':'cpu',"
		 "'died_at':'2026-11-23T11:59:58.000000+00:00',"
		 "'reason':'timeout','error':'out of luck, again',"
		 "'worker':null,'attempts':null},"
		 "{'key':'k','task_id':null,'task_name':null,'queue':'io',"
		 "'died_at':'2026-11-23T11:59:57.000000+00:00',"
		 "'reason':'unreadable','error':null,'worker':null,"
		 "'attempts':null},"
		 "{'key':'a','task_id':'a','task_name':'add','queue':'io',"
		 "'died_at':'2026-11-23T11:59:56.000000+00:00',"
		 "'reason':'failed','error':'no luck','worker':null,"
		 "'attempts':3}]");
	scene_journal_is("queues; workers; view io; view cpu; ");
}
END_TEST

START_TEST(all_that_a_filter_says_must_hold)
{
	static const char *const k[] = {"k"}, *const c[] = {"nope", "c"},
				 *const c2[] = {"c2"};
	static const struct {
		struct dead_filter filter;
		const char *keys;
	} cases[] = {
	    {{.tasks.queue = "cpu"}, "['b']"},
	    {{.tasks.queue = "empty"}, "[]"},
	    {{.tasks.task = "add"}, "['b','a']"},
	    {{.tasks.task = "add", .tasks.queue = "io"}, "['a']"},
	    {{.tasks.error = "luck"}, "['b','a']"},
	    {{.tasks.error = "luck", .tasks.reason = "timeout"}, "['b']"},
	    {{.tasks.reason = "luck"}, "[]"},
	    {{.tasks.reason = "unreadable"}, "['k']"},
	    {{.tasks.before_us = SCENE_NOON_US - 3000000}, "['a']"},
	    {{.ids = k, .n_ids = 1}, "['k']"},
	    {{.ids = c, .n_ids = 2}, "['c2']"},
	    {{.ids = c2, .n_ids = 1}, "['c2']"},
	    {{.ids = c2, .n_ids = 1, .tasks.task = "add"}, "[]"},
	    {{.ids = k, .n_ids = 1, .tasks.task = "add"}, "[]"},
	};
	size_t i;

	bury();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		query.filter = cases[i].filter;
		scene_is(scene_column(list(), "key"), cases[i].keys);
	}
}
END_TEST

START_TEST(a_list_ends_at_its_limit_or_at_its_depth)
{
	bury();
	scene.page_max = 1;
	query.limit = 2;
	scene_is(scene_column(list(), "key"), "['c2','b']");
	ck_assert(!query.stopped);
	query.limit = 10;
	query.depth = 1;
	scene_is(scene_column(list(), "key"), "['c2','b']");
	ck_assert(query.stopped);
	query.depth = 100;
	json_decref(list());
	ck_assert(!query.stopped);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_shown_in_base64)
{
	static const char *const texts[][2] = {{"\xff", "['/w==']"},
					       {"\xff\xfe", "['//4=']"},
					       {"\xff\xfe\xfd", "['//79']"}};
	struct broker_item *item =
	    scene_put("io", BROKER_DEAD, texts[_i][0], SCENE_NOON_MS);

	item->key = SLICE("k");
	query.bytes = true;
	scene_is(scene_column(list(), "bytes_base64"), texts[_i][1]);
	scene_is(scene_column(list(), "bytes"), "[null]");
	scene_is(scene_column(list(), "task"), "[null]");
	scene_is(scene_column(list(), "info"), "[null]");
}
END_TEST

/* --- putting back, and deleting ------------------------------------------ */

START_TEST(a_task_is_put_back_with_all_its_attempts_and_a_record)
{
	scene_dead("io", "a", SCENE_NOON_MS, "{}");
	scene_record("a", "{'status':'failed'}");
	scene_is(run_change(),
		 "{'dry_run':false,'matched':1,'done':1,'refused':0,"
		 "'missing':[],'tasks':[{'key':'a','task_id':'a','task_name':"
		 "'add','queue':'io','outcome':'retried','message':null}]}");
	/* The record is pending before anybody can claim the task. */
	scene_journal_is(
	    "queues; workers; view io; get a; reopen a; requeue io; "
	    "view io; ");
	scene_is(scene_json(scene_record_of("a")),
		 "{'task_id':'a','status':'pending','task_name':'add',"
		 "'result':null,'error':null,'submitted_at':"
		 "'2026-11-23T12:00:00.000000+00:00','started_at':null,"
		 "'finished_at':null,'retries':0,'args':[1],'kwargs':{},"
		 "'queue':'io'}");
	ck_assert_uint_eq(scene_count("io", BROKER_DEAD), 0);
	ck_assert_uint_eq(scene_count("io", BROKER_WAITING), 1);
	ck_assert_int_eq(last_progress, 1);
}
END_TEST

START_TEST(a_dry_run_changes_nothing)
{
	bury();
	change.dry_run = true;
	change.filter.tasks.queue = "io";
	scene_is(run_change(),
		 "{'dry_run':true,'matched':3,'done':0,'refused':1,'missing':"
		 "[],'tasks':[{'key':'c2','task_id':'c','task_name':'mul',"
		 "'queue':'io','outcome':'matched','message':null},{'key':'a',"
		 "'task_id':'a','task_name':'add','queue':'io','outcome':"
		 "'matched','message':null},{'key':'k','task_id':null,"
		 "'task_name':null,'queue':'io','outcome':'refused','message':"
		 "'not JSON: a value is expected here (byte 0)'}]}");
	scene_journal_is("queues io; view io; ");
}
END_TEST

START_TEST(what_cannot_be_read_can_be_deleted_but_not_put_back)
{
	static const char *const k[] = {"k"};

	bury();
	change.filter = (struct dead_filter){.ids = k, .n_ids = 1};
	scene_is(scene_column(json_pack("[o]", run_change()), "refused"),
		 "[1]");
	change.retry = false;
	scene_is(run_change(),
		 "{'dry_run':false,'matched':1,'done':1,'refused':0,"
		 "'missing':[],'tasks':[{'key':'k','task_id':null,'task_name':"
		 "null,'queue':'io','outcome':'deleted','message':null}]}");
	ck_assert_uint_eq(scene_count("io", BROKER_DEAD), 2);
	ck_assert_uint_eq(scene_count("io", BROKER_WAITING), 0);
}
END_TEST

START_TEST(ids_that_are_not_found_are_missing)
{
	static const char *const ids[] = {"x\xff", "a", "c", "y"};

	bury();
	change.filter = (struct dead_filter){.ids = ids, .n_ids = 4};
	change.retry = false;
	scene_is(scene_column(json_pack("[o]", run_change()), "missing"),
		 "[['x?','y']]");
	scene_refused(
	    (change.filter.tasks.queue = "nope", run_change()), ERR_NOT_FOUND,
	    "no such queue \"nope\": it has never held a task, and no worker "
	    "serves it");
}
END_TEST

START_TEST(a_change_ends_where_it_is_told_to_and_says_how_far_it_came)
{
	json_t *answer;

	bury();
	scene.page_max = 1;
	change.retry = false;
	stop_at = 1;
	answer = run_change();
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "done")),
			 1);
	ck_assert(json_is_true(json_object_get(answer, "stopped")));
	json_decref(answer);
	ck_assert_uint_eq(scene_count("io", BROKER_DEAD) +
			      scene_count("cpu", BROKER_DEAD),
			  3);
	stop_at = 0;
	answer = run_change();
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "done")),
			 3);
	ck_assert_ptr_null(json_object_get(answer, "stopped"));
	json_decref(answer);
}
END_TEST

/* In any order, twice, and more than an operator would type. */
START_TEST(thousands_of_ids_can_be_named)
{
	enum { N = 3000 };
	static char names[N][16];
	static const char *ids[N + 2];
	json_t *answer;
	size_t i;

	for (i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "t%zu", i);
		ids[(i * 7) % N] = names[i];
		if (i < 1000)
			scene_dead("io", names[i], SCENE_NOON_MS - 5000, "{}");
	}
	ids[N] = "t5";
	ids[N + 1] = "t2999";
	change.filter = (struct dead_filter){.ids = ids, .n_ids = N + 2};
	change.retry = false;
	answer = run_change();
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "done")),
			 1000);
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "missing")),
			  N - 1000 + 1);
	json_decref(answer);
}
END_TEST

/* Appends the keys of a page; returns how many there are. */
static size_t
append_keys(char *seen, const json_t *answer)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(answer, "items"), i, item)
		strcat(seen, json_string_value(json_object_get(item, "key")));
	return i;
}

START_TEST(the_dead_of_all_queues_are_merged_by_time_step_by_step)
{
	static const char *const queues[] = {"a", "b", "c"};
	struct dead_filter filter = {.tasks = {.queue = NULL}};
	struct page_query page;
	char id[16], cursor[256] = "", seen[2048] = "";
	int number, before = 59;
	json_t *answer;
	const char *next;
	size_t i, n = 0;

	/* Some died at the same time, in one queue and in several. */
	for (i = 0; i < 60; i++) {
		snprintf(id, sizeof(id), "%02zu", i);
		scene_dead(queues[i % 3], id,
			   SCENE_NOON_MS + (int64_t)(i / 4) * 1000, "{}");
	}
	scene.page_max = 2;
	do {
		page = (struct page_query){.cursor = cursor, .limit = 7};
		answer = dead_page(scene.client, &filter, &page, &scene.err);
		ck_assert_msg(answer != NULL, "%s", scene.err.msg);
		n += append_keys(seen, answer);
		next = json_string_value(json_object_get(answer, "next"));
		snprintf(cursor, sizeof(cursor), "%s",
			 next != NULL ? next : "");
		json_decref(answer);
		/* What comes in at the front moves nothing. */
		snprintf(id, sizeof(id), "new%zu", n);
		scene_dead("b", id, SCENE_NOON_MS + 1000000, "{}");
	} while (next != NULL);
	ck_assert_uint_eq(n, 60);
	/* The time never rises, and each is there once. */
	for (i = 0; i < 60; i++) {
		snprintf(id, sizeof(id), "%02zu", i);
		ck_assert_ptr_nonnull(strstr(seen, id));
		number = 10 * (seen[2 * i] - '0') + seen[2 * i + 1] - '0';
		ck_assert_int_le(number / 4, before / 4);
		before = number;
	}
}
END_TEST

/* Pages of two, each of which takes 5 ms: one of each queue, and one turn more. */
START_TEST(groups_end_in_time_and_say_that_they_are_not_whole)
{
	static const char *const queues[] = {"a", "b", "c", "d"};
	struct dead_filter filter = {.tasks = {.queue = NULL}};
	json_t *answer;
	char id[16];
	size_t i;

	for (i = 0; i < 400; i++) {
		snprintf(id, sizeof(id), "%zu", i);
		scene_dead(queues[i % 4], id, SCENE_NOON_MS,
			   i % 4 == 3 ? "{'error':'x'}" : "{}");
	}
	scene_view_takes(5000);
	scene.page_max = 2;
	answer = dead_groups(scene.client, &filter, &scene.err);
	ck_assert_msg(answer != NULL, "%s", scene.err.msg);
	ck_assert(json_is_false(json_object_get(answer, "complete")));
	ck_assert_int_gt(
	    json_integer_value(json_object_get(answer, "looked_at")), 7);
	ck_assert_int_lt(
	    json_integer_value(json_object_get(answer, "looked_at")), 40);
	/* No queue hides another: the last one has the other group. */
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "items")), 2);
	json_decref(answer);
}
END_TEST

START_TEST(groups_count_all_that_there_is_time_for)
{
	struct dead_filter filter = {.tasks = {.queue = NULL}};
	char id[16], queue[16];
	json_t *answer;
	size_t i;

	/* Of different lengths, and more than are asked together. */
	for (i = 0; i < 2000; i++) {
		snprintf(id, sizeof(id), "%zu", i);
		snprintf(queue, sizeof(queue), "q%zu", i % (3 + i % 26));
		scene_dead(queue, id, SCENE_NOON_MS, "{}");
	}
	scene_view_takes(0);
	scene.page_max = 3;
	answer = dead_groups(scene.client, &filter, &scene.err);
	ck_assert_msg(answer != NULL, "%s", scene.err.msg);
	ck_assert(json_is_true(json_object_get(answer, "complete")));
	scene_is(scene_column(json_incref(json_object_get(answer, "items")),
			      "count"),
		 "[2000]");
	json_decref(answer);
	/* What died before is not looked for. */
	buf_reset(&scene.journal);
	filter.tasks.after_us = SCENE_NOON_US;
	json_decref(dead_groups(scene.client, &filter, &scene.err));
	ck_assert_ptr_null(strstr(scene.journal.data, "view q"));
}
END_TEST

START_TEST(pages_are_read_until_there_is_nothing_to_be_done)
{
	char id[16];
	int i;

	for (i = 0; i < 1200; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		scene_dead("io", id, SCENE_NOON_MS - 2000 + i, "{}");
	}
	change.retry = false;
	scene_is(scene_column(json_pack("[o]", run_change()), "done"),
		 "[1200]");
	ck_assert_int_eq(last_progress, 1200);
	ck_assert_uint_eq(scene_count("io", BROKER_DEAD), 0);
}
END_TEST

START_TEST(the_first_thousand_are_listed_and_the_rest_counted)
{
	char id[16];
	json_t *answer;
	int i;

	for (i = 0; i < DEAD_TASKS_MAX + 1; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		scene_dead("io", id, SCENE_NOON_MS - 2000 + i, "{}");
	}
	change.retry = false;
	answer = run_change();
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "tasks")),
			  DEAD_TASKS_MAX);
	scene_is(json_incref(json_object_get(answer, "matched")), "1001");
	json_decref(answer);
}
END_TEST

/* Each task that is put back fails, and dies again, at once. */
static void
die_again(enum scene_call call)
{
	if (call == SCENE_requeue)
		scene_dead("io", "a", SCENE_NOON_MS + 1, "{}");
}

START_TEST(what_dies_once_more_is_not_put_back_once_more)
{
	scene_dead("io", "a", SCENE_NOON_MS, "{}");
	scene.on_call = die_again;
	scene_is(scene_column(json_pack("[o]", run_change()), "done"), "[1]");
	ck_assert_uint_eq(scene_count("io", BROKER_DEAD), 1);
}
END_TEST

/* What is taken out of the list is there again, as in a damaged store. */
static void
stay_dead(enum scene_call call)
{
	if (call == SCENE_requeue)
		scene_dead("io", "a", SCENE_NOON_MS, "{}");
}

START_TEST(a_list_that_does_not_get_shorter_is_left)
{
	scene_dead("io", "a", SCENE_NOON_MS, "{}");
	scene.on_call = stay_dead;
	ck_assert_ptr_null(dead_change(scene.client, &change, &scene.err));
	ck_assert_int_eq(scene.err.code, ERR_DATA);
	ck_assert_str_eq(scene.err.msg,
			 "after 40 tasks: the dead list of queue io does not "
			 "get shorter; its store may be damaged");
}
END_TEST

/* --- faults -------------------------------------------------------------- */

START_TEST(a_task_that_leaves_the_list_first_gets_its_old_record_back)
{
	scene_dead("io", "a", SCENE_NOON_MS, "{}");
	scene_record("a", "{'status':'failed','error':'old'}");
	scene.hide_next = true;
	scene_is(run_change(),
		 "{'dry_run':false,'matched':1,'done':0,'refused':0,"
		 "'missing':[],'tasks':[{'key':'a','task_id':'a','task_name':"
		 "'add','queue':'io','outcome':'gone','message':null}]}");
	scene_journal_is(
	    "queues; workers; view io; get a; reopen a; requeue io; "
	    "put a; counts; ");
	scene_is(scene_json(scene_record_of("a")),
		 "{'status':'failed','error':'old'}");
}
END_TEST

START_TEST(a_task_that_the_broker_does_not_take_stays_dead)
{
	scene_dead("io", "a", SCENE_NOON_MS, "{}");
	scene_record("a", "{'status':'failed','error':'old'}");
	scene_fail(SCENE_requeue, 0, 1, ERR_FULL, "the queue is full");
	scene_is(run_change(),
		 "{'dry_run':false,'matched':1,'done':0,'refused':1,'missing':"
		 "[],'tasks':[{'key':'a','task_id':'a','task_name':'add',"
		 "'queue':'io','outcome':'refused','message':"
		 "'the queue is full'}]}");
	ck_assert_uint_eq(scene_count("io", BROKER_DEAD), 1);
	scene_is(scene_json(scene_record_of("a")),
		 "{'status':'failed','error':'old'}");
}
END_TEST

START_TEST(a_task_whose_record_cannot_be_stored_stays_dead)
{
	scene_dead("io", "a", SCENE_NOON_MS, "{}");
	scene_dead("io", "b", SCENE_NOON_MS, "{}");
	scene_fail(SCENE_reopen, 1, 1, ERR_REFUSED, "the backend is full");
	/* The second is refused; the first goes, and all is read again. */
	scene_is(scene_column(json_pack("[o]", run_change()), "refused"),
		 "[0]");
	ck_assert_uint_eq(scene_count("io", BROKER_DEAD), 0);
	scene_dead("io", "c", SCENE_NOON_MS, "{}");
	scene_fail(SCENE_reopen, 0, 1, ERR_REFUSED, "the backend is full");
	scene_is(scene_column(json_pack("[o]", run_change()), "refused"),
		 "[1]");
	ck_assert_uint_eq(scene_count("io", BROKER_DEAD), 1);
}
END_TEST

START_TEST(a_change_fails_with_what_the_store_says)
{
	static const struct {
		enum scene_call call;
		unsigned int skip;
		const char *words;
	} cases[] = {{SCENE_queues, 0, "not allowed"},
		     {SCENE_view, 0, "not allowed"},
		     {SCENE_get, 0, "not allowed"},
		     {SCENE_view, 1, "after 1 tasks: not allowed"}};

	scene_dead("io", "a", SCENE_NOON_MS, "{}");
	scene_fail(cases[_i].call, cases[_i].skip, 1, ERR_REFUSED,
		   "not allowed");
	scene_refused(run_change(), ERR_REFUSED, cases[_i].words);
	if (_i < 2)
		scene_refused(
		    (scene_fail(cases[_i].call, 0, 1, ERR_REFUSED, "no"),
		     list()),
		    ERR_REFUSED, "no");
}
END_TEST

SUITE("manager-dead")
{
	tcase_add_checked_fixture(suite_case_, begin, scene_end);
	TEST(the_dead_are_listed_with_what_was_noted_of_them);
	TEST(all_that_a_filter_says_must_hold);
	TEST(a_list_ends_at_its_limit_or_at_its_depth);
	TEST_LOOP(bytes_that_are_no_text_are_shown_in_base64, 0, 3);
	TEST(a_task_is_put_back_with_all_its_attempts_and_a_record);
	TEST(a_dry_run_changes_nothing);
	TEST(what_cannot_be_read_can_be_deleted_but_not_put_back);
	TEST(ids_that_are_not_found_are_missing);
	TEST(a_change_ends_where_it_is_told_to_and_says_how_far_it_came);
	TEST(thousands_of_ids_can_be_named);
	TEST(the_dead_of_all_queues_are_merged_by_time_step_by_step);
	TEST(groups_end_in_time_and_say_that_they_are_not_whole);
	TEST(groups_count_all_that_there_is_time_for);
	TEST(pages_are_read_until_there_is_nothing_to_be_done);
	TEST(the_first_thousand_are_listed_and_the_rest_counted);
	TEST(what_dies_once_more_is_not_put_back_once_more);
	TEST(a_list_that_does_not_get_shorter_is_left);
	TEST(a_task_that_leaves_the_list_first_gets_its_old_record_back);
	TEST(a_task_that_the_broker_does_not_take_stays_dead);
	TEST(a_task_whose_record_cannot_be_stored_stays_dead);
	TEST_LOOP(a_change_fails_with_what_the_store_says, 0, 4);
}
