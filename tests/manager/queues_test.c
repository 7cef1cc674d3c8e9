/* SPDX-License-Identifier: MIT */
/* Queues, workers and figures of the whole. */
#include "manager/queues.h"

#include "manager/scene.h"
#include "manager/stats.h"
#include "manager/workers.h"
#include "suite.h"

static json_t *
list(const char *name)
{
	return queues_list(scene.client, name, &scene.err);
}

START_TEST(queues_are_listed_with_what_is_in_them)
{
	scene_task("io", BROKER_WAITING, "a", 0);
	scene_task("io", BROKER_DELAYED, "b", SCENE_NOON_MS + 1000);
	scene_task("io", BROKER_DELAYED, "c", SCENE_NOON_MS);
	scene_task("io", BROKER_IN_FLIGHT, "d", 0);
	scene_dead("io", "e", 0, "{}");
	scene_queue("empty", true);
	scene_is(list(NULL),
		 "[{'queue':'io','waiting':1,'delayed':2,'in_flight':1,"
		 "'dead':1,'oldest_at':null,'next_due_at':"
		 "'2026-11-23T12:00:00.000000+00:00','paused':false,"
		 "'set_aside':0,'held':0,'unknown':[]},{'queue':'empty','"
		 "waiting':0,'"
		 "delayed':0,'in_flight':0,"
		 "'dead':0,'oldest_at':null,'next_due_at':null,"
		 "'paused':true,'set_aside':0,'held':0,'unknown':[]}]");
	scene_journal_is("queues; workers; ");
}
END_TEST

START_TEST(an_empty_queue_is_one_if_somebody_has_named_it)
{
	scene_queue("empty", false);
	scene_queue("paused", true);
	scene_task("io", BROKER_WAITING, "a", 0);
	scene_is(scene_column(list("empty"), "queue"), "['empty']");
	scene_journal_is("queues empty; queues; workers; ");
	/* What is used need not be looked for. */
	scene_is(scene_column(list("io"), "waiting"), "[1]");
	scene_is(scene_column(list("paused"), "paused"), "[true]");
	scene_journal_is("queues io; queues paused; ");
	scene_refused(list("nope"), ERR_NOT_FOUND,
		      "no such queue \"nope\": it has never held a task, and "
		      "no worker serves it");
	scene_fail(SCENE_queues, 1, 1, ERR_REFUSED, "not allowed");
	scene_refused(list("nope"), ERR_REFUSED, "not allowed");
}
END_TEST

/* A producer of another kind has named none. */
START_TEST(queues_that_are_configured_or_served_are_listed_in_any_case)
{
	scene_queue("cpu", false);
	scene_worker("here:1", true, 0,
		     "{'queues':['mail','io',7,'a b','cpu']}");
	scene_worker("here:2", true, 0, "{'queues':'x'}");
	scene_worker("here:3", false, 0, "{'queues':['gone']}");
	scene_is(scene_column(list(NULL), "queue"), "['cpu','io','mail']");
	scene_journal_is("queues; queues io; workers; queues mail; ");
	scene_is(scene_column(list("mail"), "waiting"), "[0]");
	scene_journal_is(
	    "queues mail; queues; queues io; workers; queues mail; ");
	scene_fail(SCENE_workers, 0, 1, ERR_REFUSED, "not allowed");
	scene_refused(list(NULL), ERR_REFUSED, "not allowed");
}
END_TEST

START_TEST(a_name_that_no_queue_can_have_is_not_asked_for)
{
	static const char *const names[] = {"", "a b", "a/b", "\xc3\xa4"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_ptr_null(list(names[i]));
		ck_assert_int_eq(scene.err.code, ERR_DATA);
		ck_assert_ptr_null(
		    queues_pause(scene.client, names[i], true, &scene.err));
		ck_assert_int_eq(scene.err.code, ERR_DATA);
	}
	scene_journal_is("");
}
END_TEST

START_TEST(a_queue_is_paused_and_resumed)
{
	scene_queue("io", false);
	scene_is(queues_pause(scene.client, "io", true, &scene.err),
		 "{'queue':'io','paused':true}");
	scene_is(scene_column(list("io"), "paused"), "[true]");
	/* That it is so already does not matter. */
	scene_fail(SCENE_pause, 0, 1, ERR_UNAVAILABLE, "connection lost");
	scene_is(queues_pause(scene.client, "io", false, &scene.err),
		 "{'queue':'io','paused':false}");
	scene_is(scene_column(list("io"), "paused"), "[false]");
	scene_fail(SCENE_pause, 0, 1, ERR_REFUSED, "not allowed");
	scene_refused(queues_pause(scene.client, "io", true, &scene.err),
		      ERR_REFUSED, "not allowed");
}
END_TEST

/* --- workers ------------------------------------------------------------- */

static json_t *
workers(void)
{
	return workers_list(scene.client, &scene.err);
}

START_TEST(a_worker_is_listed_with_what_it_says_of_itself)
{
	scene_worker("here:1", true, 2,
		     "{'id':'x','worker':'x','in_flight':9,'stopping':false,"
		     "'host':'here','pid':7,'version':'1.0','started_at':"
		     "'2026-11-23T11:59:00Z','queues':['io'],'slots':{'io':"
		     "{'slots':4,'tasks':1}},'memory':{'flowrrad':10,"
		     "'executors':[{'bytes':5},{'bytes':6},{}]},'more':[1]}");
	scene_is(workers(),
		 "[{'worker':'here:1','state':'running','in_flight':2,'frozen':"
		 "false,"
		 "'host':'here','pid':7,'version':'1.0','started_at':"
		 "'2026-11-23T11:59:00Z','uptime':60.0,'queues':['io'],"
		 "'slots':{'io':{'slots':4,'tasks':1}},'memory':{'flowrrad':"
		 "10,'executors':[{'bytes':5},{'bytes':6},{}],'total':21},"
		 "'more':[1]}]");
}
END_TEST

START_TEST(what_a_worker_does_not_say_is_null)
{
	scene_worker("here:1", true, 0, NULL);
	scene_worker("here:2", true, 0, "[1]");
	scene_is(
	    workers(),
	    "[{'worker':'here:1','state':'running','in_flight':0,'frozen':"
	    "false,"
	    "'host':null,'pid':null,'version':null,'started_at':null,"
	    "'uptime':null,'queues':null,'slots':null,'memory':null},"
	    "{'worker':'here:2','state':'running','in_flight':0,'frozen':false,"
	    "'host':null,'pid':null,'version':null,'started_at':null,"
	    "'uptime':null,'queues':null,'slots':null,'memory':null}]");
}
END_TEST

START_TEST(the_state_of_a_worker_is_what_it_says_while_it_lives)
{
	scene_worker("a", true, 0, "{'state':'quiet'}");
	scene_worker("b", true, 0, "{'stopping':true}");
	scene_worker("c", true, 0, "{'state':7}");
	scene_worker("d", false, 0, "{'state':'running'}");
	/* A clock that was set back, and one that cannot be read. */
	scene_worker("e", true, 0, "{'started_at':'2026-11-23T12:30:00Z'}");
	scene_worker("f", true, 0, "{'started_at':'noon'}");
	scene_is(scene_column(workers(), "state"),
		 "['quiet','stopping','running','dead','running','running']");
	scene_is(scene_column(workers(), "uptime"),
		 "[null,null,null,null,0.0,null]");
}
END_TEST

static json_t *
order(const char *name, enum worker_order what)
{
	return worker_order(scene.client, name, what, &scene.err);
}

START_TEST(an_order_goes_to_a_worker_that_lives)
{
	scene_worker("here:1", true, 0, NULL);
	scene_worker("here:2", false, 0, NULL);
	scene_is(order("here:1", WORKER_QUIET),
		 "{'worker':'here:1','order':'quiet'}");
	scene_journal_is("workers; control {\"order\":\"quiet\","
			 "\"worker\":\"here:1\"}; ");
	scene_is(order("here:1", WORKER_RESUME),
		 "{'worker':'here:1','order':'resume'}");
	scene_is(order("here:1", WORKER_STOP),
		 "{'worker':'here:1','order':'stop'}");
	scene_refused(order("here:2", WORKER_STOP), ERR_NOT_FOUND,
		      "worker \"here:2\" is dead");
	scene_refused(order("nope", WORKER_STOP), ERR_NOT_FOUND,
		      "unknown worker \"nope\"; `flowrractl workers` lists "
		      "them");
}
END_TEST

/* What the worker of a test says after the order; NULL: it is gone. */
static const char *says_then;

static void
on_look(enum scene_call call)
{
	if (call == SCENE_control)
		scene_worker_says("here:1", says_then);
}

static json_t *
reload(const char *before, const char *then, double timeout_s, bool *ret_told)
{
	scene_worker_says("here:1", before);
	says_then = then;
	scene.on_call = on_look;
	return worker_reload(scene.client, "here:1", timeout_s, ret_told,
			     &scene.err);
}

#define BEFORE "{'started_at':'a','reloads':{'count':1,'error':'old'}}"

START_TEST(a_reload_is_awaited_until_the_worker_says_how_it_has_ended)
{
	bool told = false;

	scene_worker("here:1", true, 0, NULL);
	scene_is(reload(BEFORE, "{'started_at':'a','reloads':{'count':2}}", 5,
			&told),
		 "{'worker':'here:1','order':'reload','reloaded':true}");
	ck_assert(told);
	scene_refused(reload(BEFORE,
			     "{'started_at':'a','reloads':{'count':2,'error':"
			     "'module x: no'}}",
			     5, &told),
		      ERR_CONFIG,
		      "worker \"here:1\" could not reload and keeps its old "
		      "configuration: module x: no");
	/* The error of the reload before is not the answer. */
	scene_refused(reload(BEFORE, BEFORE, 0.2, &told), ERR_TIMEOUT,
		      "worker \"here:1\" has not ended its reload after 0.2 s; "
		      "its log has the reason");
	scene_refused(reload(BEFORE, "{'started_at':'b','reloads':{'count':0}}",
			     5, &told),
		      ERR_UNAVAILABLE,
		      "worker \"here:1\" was restarted while it reloaded; its "
		      "log has the reason");
	scene_refused(reload(BEFORE, NULL, 5, &told), ERR_UNAVAILABLE,
		      "worker \"here:1\" ended while it reloaded; its log has "
		      "the reason");
}
END_TEST

START_TEST(a_worker_that_does_not_tell_of_its_reloads_is_not_awaited)
{
	bool told = true;

	scene_worker("here:1", true, 0, NULL);
	scene_is(reload("{'started_at':'a'}", "{'started_at':'a'}", 5, &told),
		 "{'worker':'here:1','order':'reload','reloaded':false}");
	ck_assert(!told);
	scene_refused(worker_reload(scene.client, "nope", 5, &told, &scene.err),
		      ERR_NOT_FOUND,
		      "unknown worker \"nope\"; `flowrractl workers` lists "
		      "them");
}
END_TEST

START_TEST(an_order_fails_with_what_the_store_says_and_is_not_repeated)
{
	scene_worker("here:1", true, 0, NULL);
	scene_fail(SCENE_workers, 0, 1, ERR_REFUSED, "not allowed");
	scene_refused(order("here:1", WORKER_STOP), ERR_REFUSED, "not allowed");
	scene_fail(SCENE_control, 0, 1, ERR_UNAVAILABLE, "connection lost");
	scene_refused(order("here:1", WORKER_STOP), ERR_UNAVAILABLE,
		      "connection lost");
}
END_TEST

/* --- figures ------------------------------------------------------------- */

static json_t *
stats(void)
{
	return stats_get(scene.client, &scene.err);
}

static void
fill(void)
{
	scene_task("io", BROKER_WAITING, "a", 0);
	scene_task("cpu", BROKER_WAITING, "b", 0);
	scene_task("cpu", BROKER_IN_FLIGHT, "c", 0);
	scene_queue("cpu", true);
	scene_worker("here:1", true, 1,
		     "{'slots':{'io':{'slots':4},'cpu':{'slots':2},'x':5}}");
	scene_worker("here:2", true, 0, "{'slots':[1]}");
	scene_worker("here:3", false, 0, "{'slots':{'io':{'slots':4}}}");
}

START_TEST(the_figures_are_sums_of_what_there_is)
{
	fill();
	scene_is(stats(),
		 "{'waiting':2,'delayed':0,'in_flight':1,'dead':0,"
		 "'succeeded':12,'failed':3,'queues':2,'paused':1,'workers':2,"
		 "'slots':6,'registered':2,'unserved':null}");
	scene_journal_is("queues; workers; counts; names; ");
	scene.counts = (struct results_counts){.succeeded = 0};
	scene.n_names = 0;
	scene_is(scene_column(json_pack("[o]", stats()), "succeeded"), "[0]");
	scene_is(scene_column(json_pack("[o]", stats()), "registered"), "[0]");
}
END_TEST

START_TEST(a_snapshot_has_all_that_a_live_view_shows)
{
	json_t *wanted, *answer;

	fill();
	wanted = json_pack("{s:s,s:o,s:o,s:o}", "at",
			   "2026-11-23T12:00:00.000000+00:00", "stats", stats(),
			   "queues", list(NULL), "workers", workers());
	answer = stats_snapshot(scene.client, 10, &scene.err);
	scene_is(scene_column(json_incref(json_object_get(answer, "running")),
			      "task_id"),
		 "['c']");
	json_object_del(answer, "running");
	ck_assert(json_equal(answer, wanted));
	json_decref(answer);
	json_decref(wanted);
}
END_TEST

START_TEST(figures_that_lack_a_part_are_none)
{
	static const enum scene_call calls[] = {
	    SCENE_queues, SCENE_workers, SCENE_counts, SCENE_names, SCENE_view};

	fill();
	scene_fail(calls[_i], 0, 1, ERR_REFUSED, "not allowed");
	scene_refused(stats_snapshot(scene.client, 10, &scene.err), ERR_REFUSED,
		      "not allowed");
	if (calls[_i] == SCENE_view)
		return;
	scene_fail(calls[_i], 0, 1, ERR_REFUSED, "not allowed");
	scene_refused(stats(), ERR_REFUSED, "not allowed");
}
END_TEST

SUITE("manager-queues")
{
	tcase_add_checked_fixture(suite_case_, scene_begin, scene_end);
	TEST(queues_are_listed_with_what_is_in_them);
	TEST(an_empty_queue_is_one_if_somebody_has_named_it);
	TEST(queues_that_are_configured_or_served_are_listed_in_any_case);
	TEST(a_name_that_no_queue_can_have_is_not_asked_for);
	TEST(a_queue_is_paused_and_resumed);
	TEST(a_worker_is_listed_with_what_it_says_of_itself);
	TEST(what_a_worker_does_not_say_is_null);
	TEST(the_state_of_a_worker_is_what_it_says_while_it_lives);
	TEST(an_order_goes_to_a_worker_that_lives);
	TEST(a_reload_is_awaited_until_the_worker_says_how_it_has_ended);
	TEST(a_worker_that_does_not_tell_of_its_reloads_is_not_awaited);
	TEST(an_order_fails_with_what_the_store_says_and_is_not_repeated);
	TEST(the_figures_are_sums_of_what_there_is);
	TEST(a_snapshot_has_all_that_a_live_view_shows);
	TEST_LOOP(figures_that_lack_a_part_are_none, 0, 5);
}
