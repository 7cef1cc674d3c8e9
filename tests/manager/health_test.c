/* SPDX-License-Identifier: MIT */
/* Whether the whole works. */
#include "manager/health.h"

#include "manager/health_scene.h"
#include "suite.h"

START_TEST(all_is_well_where_nothing_is_wrong)
{
	json_t *all;

	scene_worker("here:1", true, 0, NULL);
	all = health_check(scene.client);
	ck_assert(health_is_good(all));
	scene_is(all,
		 "[{'component':'broker','healthy':true,'message':"
		 "'broker of the scene'},{'component':'backend','healthy':true,"
		 "'message':'backend of the scene'},{'component':'workers',"
		 "'healthy':true,'message':'1 alive, 1 take tasks'},"
		 "{'component':'scheduler_database','healthy':true,'message':"
		 "'0 schedules'},{'component':'schedulers','healthy':true,"
		 "'message':'none is alive, and none is needed: no schedule is "
		 "enabled'},{'component':'schedules','healthy':true,"
		 "'message':'none is "
		 "overdue'},{'component':'tasks','healthy':true,'message':"
		 "'workers know all that they met'}]");
}
END_TEST

START_TEST(each_component_is_judged_by_itself)
{
	component_is(WORKERS, false, "none is alive; start flowrrad");
	scene_worker("a", false, 0, NULL);
	scene_worker("b", true, 0, "{'state':'quiet'}");
	component_is(WORKERS, false,
		     "1 alive, but none takes tasks (flowrractl worker "
		     "resume)");
	scene_worker("c", true, 0, NULL);
	component_is(WORKERS, true, "2 alive, 1 take tasks");
	scene_fail(SCENE_registered, 0, 1, ERR_REFUSED, "no broker");
	component_is(BROKER, false, "no broker");
	scene_fail(SCENE_get, 0, 1, ERR_REFUSED, "no backend");
	component_is(BACKEND, false, "no backend");
	scene_fail(SCENE_workers, 0, 1, ERR_REFUSED, "no workers");
	component_is(WORKERS, false, "no workers");
	/* Nobody's record, and nobody's text. */
	scene_record("-", "[1]");
	component_is(BACKEND, false,
		     "cannot parse the record of task -: not a JSON object");
}
END_TEST

START_TEST(tasks_that_no_worker_has_are_not_healthy)
{
	static const struct slice names[] = {SLICE("resize"), SLICE("sleep")};

	scene_queue("io", false);
	/* That alone is not unhealthy. */
	component_is(TASKS, true,
		     "workers know all that they met; 2 of 2 registered tasks "
		     "are served by no living worker");
	scene.names = names;
	scene.n_names = 2;
	scene.unknown = (struct slice)SLICE("resiez\0sleep\0c\0d\0e\0");
	component_is(TASKS, false,
		     "queue io: no living worker has task \"resiez\" (similar "
		     "names: \"resize\"), \"sleep\" (a worker had it before), "
		     "\"c\" and 2 more");
	scene_fail(SCENE_queues, 0, 1, ERR_REFUSED, "no queues");
	component_is(TASKS, false, "no queues");
}
END_TEST

START_TEST(schedulers_are_healthy_while_they_are_seen_and_in_time)
{
	add_schedule("s1", SCENE_NOON_US);
	component_is(DATABASE, true, "1 schedules");
	component_is(SCHEDULERS, false, "none is alive; start flowrra-beat");
	add_scheduler("old", SCENE_NOON_US - HEALTH_SCHEDULER_LIFE_US - 1, 0);
	component_is(SCHEDULERS, false, "none is alive; start flowrra-beat");
	add_scheduler("a", SCENE_NOON_US - HEALTH_SCHEDULER_LIFE_US, 1000);
	add_scheduler("b", SCENE_NOON_US, HEALTH_LAG_US);
	component_is(SCHEDULERS, true, "2 alive, lag 5.000 s");
	add_scheduler("b", SCENE_NOON_US, HEALTH_LAG_US + 1000);
	component_is(SCHEDULERS, false, "2 alive, lag 5.001 s");
	add_scheduler("b", SCENE_NOON_US, 0);
	decide(miss);
	component_is(SCHEDULERS, true,
		     "2 alive, lag 0.001 s; 2 missed by more than its grace");
	add_scheduler("b", SCENE_NOON_US + HEALTH_LAG_US, 0);
	component_is(SCHEDULERS, true,
		     "2 alive, lag 0.001 s; 2 missed by more than its grace");
	/* Seen in the future: somebody's clock is wrong. */
	add_scheduler("b", SCENE_NOON_US + HEALTH_LAG_US + 1000000, 0);
	component_is(SCHEDULERS, false,
		     "the clock of scheduler b is 6.0 s ahead of this "
		     "machine's; 2 missed by more than its grace");
}
END_TEST

START_TEST(schedulers_are_unknown_without_their_database)
{
	set_database_url("nonsense://x");
	component_is(SCHEDULERS, false,
		     "unknown while their database is unreachable");
	set_database_url("sqlite:///dev/null/s.db");
	component_is(SCHEDULERS, false,
		     "unknown while their database is unreachable");
}
END_TEST

SUITE("manager-health")
{
	tcase_add_checked_fixture(suite_case_, health_begin, health_end);
	TEST(all_is_well_where_nothing_is_wrong);
	TEST(each_component_is_judged_by_itself);
	TEST(tasks_that_no_worker_has_are_not_healthy);
	TEST(schedulers_are_healthy_while_they_are_seen_and_in_time);
	TEST(schedulers_are_unknown_without_their_database);
}
