/* SPDX-License-Identifier: MIT */
/* What is wrong with the whole, and what to do about it. */
#include "manager/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "manager/health.h"
#include "manager/health_scene.h"
#include "suite.h"
#include "util/conf.h"

START_TEST(the_doctor_finds_nothing_where_nothing_is_wrong)
{
	be_well();
	scene_task("io", BROKER_WAITING, "a", 0);
	scene_task("io", BROKER_DELAYED, "b", SCENE_NOON_MS - 10000);
	scene_dead("io", "c", SCENE_NOON_MS - 3600001, "{}");
	add_schedule("s1", SCENE_NOON_US);
	add_scheduler("a", SCENE_NOON_US, HEALTH_LAG_US);
	scene.clock_us = SCENE_NOON_US + 1000000;
	ck_assert_str_eq(findings(), "");
}
END_TEST

START_TEST(without_a_broker_that_is_what_is_wrong)
{
	scene.client->one_store = false;
	scene_reach(false, true);
	ck_assert_str_eq(findings(), "error broker: wrong password\n"
				     "error backend: wrong password\n");
	scene_reach(true, false);
	scene_fail(SCENE_queues, 0, 1, ERR_REFUSED, "no queues");
	ck_assert_str_eq(findings(), "error broker: no queues\n");
	scene_fail(SCENE_workers, 0, 1, ERR_REFUSED, "no workers");
	ck_assert_str_eq(findings(), "error broker: no workers\n");
}
END_TEST

START_TEST(what_the_broker_finds_is_passed_on_the_errors_first)
{
	static const struct broker_finding found[] = {
	    {.what = "it is old", .remedy = "Upgrade."},
	    {.error = true, .what = "it forgets", .remedy = "Remember."}};

	be_well();
	scene.findings = found;
	scene.n_findings = 2;
	ck_assert_str_eq(findings(), "error broker: it forgets\n"
				     "warning broker: it is old\n");
}
END_TEST

START_TEST(clocks_that_differ_are_found)
{
	be_well();
	scene.clock_us = SCENE_NOON_US + 1500000;
	ck_assert_str_eq(findings(), "warning clock: the broker's clock is "
				     "1.5 s ahead of this machine's\n");
	scene.clock_us = SCENE_NOON_US - 60000000;
	ck_assert_str_eq(findings(), "warning clock: the broker's clock is "
				     "60.0 s behind this machine's\n");
}
END_TEST

/* A worker that spoke nearly a life ago is not behind. */
START_TEST(a_worker_whose_clock_differs_is_named)
{
	be_well();
	scene.clock_us = SCENE_NOON_US;
	scene_worker("slow", true, 0,
		     "{'heartbeat_at':'2026-11-23T11:59:50+00:00'}");
	scene_worker("well", true, 0,
		     "{'heartbeat_at':'2026-11-23T12:00:00.9+00:00'}");
	scene_worker("gone", false, 0,
		     "{'heartbeat_at':'2026-11-20T12:00:00+00:00'}");
	ck_assert_str_eq(findings(), "");
	scene_worker("ahead", true, 0,
		     "{'heartbeat_at':'2026-11-23T13:00:00+00:00'}");
	scene_worker("behind", true, 0,
		     "{'heartbeat_at':'2026-11-22T11:59:50+00:00'}");
	ck_assert_str_eq(findings(),
			 "warning clock: the clock of worker ahead is about "
			 "3600 s ahead of the broker's\n"
			 "warning clock: the clock of worker behind is about "
			 "86400 s behind the broker's\n");
}
END_TEST

START_TEST(a_certificate_that_is_not_verified_is_a_warning)
{
	struct conf *conf = scene.client->conf;

	be_well();
	free(conf->broker.url);
	conf->broker.url = strdup("rediss://u:pw@h?ssl_cert_reqs=none");
	ck_assert_str_eq(findings(),
			 "warning broker: the server's certificate is not "
			 "verified: anybody on the way to it can read and "
			 "change tasks\n");
	free(conf->broker.url);
	conf->broker.url = strdup("rediss://u:pw@h?ssl_check_hostname=no");
	ck_assert_str_eq(findings(), "");
}
END_TEST

START_TEST(workers_are_examined_one_by_one)
{
	ck_assert_str_eq(findings(), "error workers: no worker is alive\n");
	scene_worker("gone", false, 0, NULL);
	scene_worker("dead", false, 2, NULL);
	ck_assert_str_eq(findings(),
			 "error workers: no worker is alive\n"
			 "error workers: worker dead is dead and has 2 tasks "
			 "in flight\n");
	scene_worker("old", true, 0, "{'version':'0.0'}");
	scene_worker("quiet", true, 0, "{'state':'quiet'}");
	ck_assert_str_eq(
	    findings(),
	    "warning workers: worker dead is dead and has 2 tasks in flight\n"
	    "warning workers: worker old has version 0.0, this "
	    "program " FLOWRRA_VERSION "\n"
	    "warning workers: worker quiet is quiet: it takes no tasks\n");
}
END_TEST

START_TEST(a_worker_that_lacks_a_module_is_unhealthy_and_named)
{
	scene_worker("b", true, 0, "{'refused':[]}");
	scene_worker("gone", false, 0, "{'refused':['module z: no']}");
	component_is(WORKERS, true, "1 alive, 1 take tasks");
	scene_worker("a:1", true, 0, "{'refused':['module x: no','y']}");
	component_is(WORKERS, false,
		     "2 alive, 1 could not load all modules (a:1); flowrractl "
		     "doctor names them");
	scene_worker("c", true, 0,
		     "{'refused':[7],'reloads':{'count':1,'error':'bad'}}");
	ck_assert_str_eq(
	    findings(),
	    "error workers: worker a:1 could not load a module or command: "
	    "module x: no\n"
	    "error workers: worker a:1 could not load a module or command: y\n"
	    "error workers: worker c could not load a module or command: it "
	    "does not say which\n"
	    "warning workers: worker c could not reload and keeps its old "
	    "configuration: bad\n");
}
END_TEST

START_TEST(tasks_that_no_worker_has_are_found)
{
	be_well();
	scene_queue("io", false);
	scene.unknown = (struct slice){"c", 2};
	ck_assert_str_eq(findings(),
			 "warning queues: queue io: no living worker "
			 "has task \"c\"\n");
}
END_TEST

/* Whether it is meant, only people know. */
START_TEST(a_limit_that_holds_tasks_for_long_is_named)
{
	static struct broker_limit limits[] = {
	    {.rule = {.kind = LIMIT_GROUP, .key = {"acme", 4}},
	     .held = 1,
	     .held_since_ms = SCENE_NOON_MS - 600000},
	    {.rule = {.kind = LIMIT_EACH_GROUP},
	     .held = 3,
	     .held_since_ms = SCENE_NOON_MS - 599999}};

	be_well();
	scene_task("io", BROKER_WAITING, "a", 0);
	scene.limits = limits;
	scene.n_limits = 2;
	ck_assert_str_eq(findings(), "");
	scene_task("io", BROKER_WAITING, "b", 0)->held = true;
	ck_assert_str_eq(
	    findings(),
	    "warning queues: queue io: 1 task is held by the limit "
	    "of group acme since 2026-11-23T11:50:00.000000+00:00\n");
	limits[1].held_since_ms = SCENE_NOON_MS - 600000;
	ck_assert_ptr_nonnull(strstr(
	    findings(), "queue io: 3 tasks are held by the limit of each "
			"group since "));
}
END_TEST

START_TEST(workers_that_declare_different_limits_are_named)
{
	static struct broker_limit limits[] = {
	    {.rule = {.kind = LIMIT_TASK, .key = {"nap", 3}},
	     .declared_by = {"w1", 2},
	     .disputed_by = {"w2", 2}}};

	be_well();
	scene_task("io", BROKER_WAITING, "a", 0);
	scene.limits = limits;
	scene.n_limits = 1;
	/* One that is gone says nothing any more. */
	ck_assert_str_eq(findings(), "");
	scene_worker("w2", true, 0, "{'state':'running','queues':['io']}");
	ck_assert_str_eq(findings(),
			 "warning queues: queue io: workers w1 and w2 declare "
			 "different limits of task nap; that of w1 is in "
			 "force\n");
}
END_TEST

START_TEST(workers_that_no_limit_binds_are_named)
{
	static struct broker_limit limit = {
	    .rule = {.kind = LIMIT_TASK, .key = {"nap", 3}}};

	be_well();
	scene_queue("io", false);
	scene.foreign = 2;
	ck_assert_str_eq(findings(), "");
	scene.limits = &limit;
	scene.n_limits = 1;
	ck_assert_str_eq(
	    findings(),
	    "warning queues: queue io has limits, which workers of the Python "
	    "package ignore: 2 clients of the broker take tasks the way they "
	    "do (BRPOP), from this queue or another one\n");
}
END_TEST

START_TEST(queues_are_examined_one_by_one)
{
	be_well();
	scene_worker("w2", true, 0, "{'state':'stopping','queues':['net']}");
	scene_task("lost", BROKER_WAITING, "a", 0);
	scene_task("lost", BROKER_DELAYED, "b", SCENE_NOON_MS - 60000);
	scene_task("net", BROKER_WAITING, "c", 0);
	scene_task("io", BROKER_DELAYED, "d", SCENE_NOON_MS - 11000);
	scene_dead("io", "e", SCENE_NOON_MS - 3600000, "{}");
	scene_dead("io", "f", SCENE_NOON_MS, "{}");
	ck_assert_str_eq(
	    findings(),
	    "error queues: queue lost has 2 tasks and no worker serves it\n"
	    "error queues: queue io has a delayed task that was due 11 s ago\n"
	    "warning queues: queue net has 1 task and none of its workers "
	    "takes any\n"
	    "warning queues: queue io: 2 tasks died within the last hour\n");
	scene_queue("io", true);
	ck_assert_ptr_nonnull(strstr(findings(),
				     "warning queues: queue io is paused, with "
				     "0 tasks waiting\n"));
	ck_assert_ptr_null(strstr(findings(), "was due"));
}
END_TEST

START_TEST(the_dead_of_the_last_hour_are_counted_up_to_a_page)
{
	char id[16];
	int i;

	be_well();
	for (i = 0; i < BROKER_PAGE_MAX + 1; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		scene_dead("io", id, SCENE_NOON_MS, "{}");
	}
	ck_assert_str_eq(findings(), "warning queues: queue io: 500 tasks or "
				     "more died within the last hour\n");
}
END_TEST

START_TEST(a_dead_list_that_is_full_is_found)
{
	be_well();
	scene.client->conf->worker.dead_max = 2;
	scene_dead("io", "e", SCENE_NOON_MS - 7200000, "{}");
	ck_assert_str_eq(findings(), "");
	scene_dead("io", "f", SCENE_NOON_MS - 7200000, "{}");
	ck_assert_str_eq(findings(),
			 "warning queues: queue io: the dead list is full, "
			 "with 2 tasks; the oldest are deleted\n");
	scene.client->conf->worker.dead_max = 0;
	ck_assert_str_eq(findings(), "");
}
END_TEST

/* --- files --------------------------------------------------------------- */

/* Makes a file, or the directory itself, with that mode. */
static char *
in_dir(const char *name, mode_t mode)
{
	char *path;
	FILE *f;

	ck_assert_int_gt(asprintf(&path, "%s%s", scene.dir, name), 0);
	if (name[0] != '\0') {
		ck_assert_ptr_nonnull(f = fopen(path, "we"));
		fclose(f);
	}
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

START_TEST(files_that_others_may_change_are_found)
{
	struct conf *conf = scene.client->conf;
	char wanted[1024], *path = in_dir("/m.so", 0666);

	be_well();
	free(conf->worker.modules);
	ck_assert_int_gt(asprintf(&conf->worker.modules,
				  "%s %s/none.so nope ./x.so", path, scene.dir),
			 0);
	free(conf->file.path);
	conf->file.path = in_dir("/flowrra.conf", 0606);
	conf->file.secrets = true;
	free(in_dir("", 0770));
	snprintf(wanted, sizeof(wanted),
		 "error files: %s contains a password and every user may read "
		 "it\n"
		 "error files: every user may write to %s\n"
		 "error files: the state directory %s is writable by its "
		 "group\n"
		 "error files: module %s is writable by every user: workers "
		 "refuse it\n"
		 "warning files: module %s/none.so is not on this machine "
		 "(%s/none.so)\n"
		 "warning files: module nope is not on this machine (",
		 conf->file.path, conf->file.path, scene.dir, path, scene.dir,
		 scene.dir);
	ck_assert_int_eq(strncmp(findings(), wanted, strlen(wanted)), 0);
	free(path);
	free(in_dir("/m.so", 0660));
	free(in_dir("/flowrra.conf", 0604));
	free(in_dir("", 0777));
	conf->file.secrets = false;
	snprintf(wanted, sizeof(wanted),
		 "error files: the state directory %s is writable by every "
		 "user\n"
		 "error files: module %s/m.so is writable by its group: "
		 "workers refuse it\n",
		 scene.dir, scene.dir);
	ck_assert_int_eq(strncmp(findings(), wanted, strlen(wanted)), 0);
}
END_TEST

SUITE("manager-doctor")
{
	tcase_add_checked_fixture(suite_case_, health_begin, health_end);
	TEST(the_doctor_finds_nothing_where_nothing_is_wrong);
	TEST(without_a_broker_that_is_what_is_wrong);
	TEST(what_the_broker_finds_is_passed_on_the_errors_first);
	TEST(clocks_that_differ_are_found);
	TEST(a_worker_whose_clock_differs_is_named);
	TEST(a_certificate_that_is_not_verified_is_a_warning);
	TEST(workers_are_examined_one_by_one);
	TEST(a_worker_that_lacks_a_module_is_unhealthy_and_named);
	TEST(tasks_that_no_worker_has_are_found);
	TEST(a_limit_that_holds_tasks_for_long_is_named);
	TEST(workers_that_declare_different_limits_are_named);
	TEST(workers_that_no_limit_binds_are_named);
	TEST(queues_are_examined_one_by_one);
	TEST(the_dead_of_the_last_hour_are_counted_up_to_a_page);
	TEST(a_dead_list_that_is_full_is_found);
	TEST(files_that_others_may_change_are_found);
}
