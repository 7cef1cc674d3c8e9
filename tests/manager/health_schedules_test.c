/* SPDX-License-Identifier: MIT */
/* Whether schedules fire, and if not, why: as health tells it, and the doctor. */
#include <stdio.h>
#include <string.h>

#include "manager/health.h"
#include "manager/health_scene.h"
#include "suite.h"

START_TEST(schedules_that_are_overdue_are_told_with_what_holds_them_up)
{
	static const struct {
		const char *state, *why;
	} states[] = {
	    {"", ""},
	    {SCHEDULES_STATE_DISABLED,
	     ": scheduler a is disabled ([scheduler] enabled = no)"},
	    {SCHEDULES_STATE_BROKER, ": scheduler a does not reach the broker"},
	    {SCHEDULES_STATE_CLOCK,
	     ": scheduler a has a clock that is not the database's and claims "
	     "nothing"}};
	char text[200];
	size_t i;

	add_schedule("s1", SCENE_NOON_US);
	component_is(SCHEDULES, true, "none is overdue");
	move_schedule("s1", SCENE_NOON_US - 60000000);
	component_is(SCHEDULES, false,
		     "1 overdue, s1 for 60 s: no scheduler is alive");
	add_scheduler("old", SCENE_NOON_US - HEALTH_SCHEDULER_LIFE_US - 1, 0);
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		add_state("a", states[i].state, 0, "");
		snprintf(text, sizeof(text), "1 overdue, s1 for 60 s%s",
			 states[i].why);
		component_is(SCHEDULES, false, text);
	}
	/* One that nothing hinders is enough. */
	add_state("b", "", 0, "");
	component_is(SCHEDULES, false, "1 overdue, s1 for 60 s");
}
END_TEST

START_TEST(next_runs_that_are_too_far_away_are_told)
{
	/* The rule is its ID. */
	add_schedule("90s", SCENE_NOON_US);
	add_scheduler("a", SCENE_NOON_US, 0);
	move_schedule("90s", SCENE_NOON_US + 2 * HEALTH_FAR_US / 3);
	component_is(SCHEDULES, true, "none is overdue");
	move_schedule("90s", SCENE_NOON_US + 1000 * HEALTH_FAR_US);
	component_is(SCHEDULES, false,
		     "the next run of 90s, 2029-08-19T12:00:00, is further "
		     "away than its rule allows (flowrractl doctor)");
}
END_TEST

/* A clock that was ahead has made it: that was no change yet to come. */
START_TEST(next_runs_by_a_change_in_the_future_are_told)
{
	const int64_t wrong_us = SCENE_NOON_US + 1000 * HEALTH_FAR_US;
	const struct schedule_next next = {wrong_us, wrong_us, ""};

	add_schedule("90s", SCENE_NOON_US);
	add_scheduler("a", SCENE_NOON_US, 0);
	ck_assert_int_eq(
	    schedules_enable(health_db, "90s", &next, wrong_us, &scene.err), 0);
	component_is(SCHEDULES, false,
		     "the next run of 90s, 2029-08-19T12:00:00, is further "
		     "away than its rule allows (flowrractl doctor)");
}
END_TEST

/* The fake store stays what it is; only the URL is looked at. */
START_TEST(schedules_in_a_file_beside_shared_queues_are_told_of)
{
	static const struct {
		const char *url;
		bool told;
	} urls[] = {
	    {"redis://redis.example.com:6379/0", true},
	    {"rediss://u:p@192.0.2.1/0", true},
	    {"redis://[2001:db8::1]/0", true},
	    {"redis://localhost/0", false},
	    {"redis://127.0.0.2:6380/0", false},
	    {"redis://[::1]/0", false},
	    {"redis:///0", false},
	    {"unix:///run/redis.sock", false},
	    {"sqlite:///var/lib/flowrra/flowrra.db", false},
	};
	const char *what = "schedules are in a file of this machine, but the "
			   "queues are shared with others";
	size_t i;

	set_broker_url(urls[0].url);
	ck_assert_ptr_null(strstr(findings(), what));
	add_schedule("s1", SCENE_NOON_US);
	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		set_broker_url(urls[i].url);
		ck_assert_msg((strstr(findings(), what) != NULL) ==
				  urls[i].told,
			      "%s: %s", urls[i].url, findings());
		component_is(DATABASE, true,
			     urls[i].told
				 ? "1 schedules, in a file of this machine, "
				   "but the queues are shared: set [scheduler] "
				   "database_url"
				 : "1 schedules");
	}
}
END_TEST

/* One that is dead tells no machine; one of another program may tell anything. */
START_TEST(workers_on_several_machines_share_the_queues)
{
	const char *what = "the queues are shared with others";

	add_schedule("s1", SCENE_NOON_US);
	set_broker_url("redis://localhost/0");
	scene_worker("a:1", true, 0, "{'host':'a','queues':['io']}");
	scene_worker("b:1", false, 0, NULL);
	scene_worker("c:1", true, 0, "{'host':7}");
	scene_worker("d:1", true, 0, "{'host':'a'}");
	ck_assert_ptr_null(strstr(findings(), what));
	component_is(DATABASE, true, "1 schedules");
	scene_worker("e:1", true, 0, "{'host':'e'}");
	ck_assert_ptr_nonnull(strstr(findings(), what));
	component_is(DATABASE, true,
		     "1 schedules, in a file of this machine, but the queues "
		     "are shared: set [scheduler] database_url");
}
END_TEST

START_TEST(schedules_are_examined)
{
	be_well();
	add_schedule("s1", SCENE_NOON_US);
	add_scheduler("old", SCENE_NOON_US - 31000000, 0);
	ck_assert_str_eq(findings(),
			 "error schedules: no scheduler is alive for 1 "
			 "enabled schedule\n"
			 "warning schedules: scheduler old was last seen 31 s "
			 "ago\n");
	add_scheduler("old", SCENE_NOON_US, HEALTH_LAG_US + 500000);
	decide(miss);
	add_schedule("s2", SCENE_NOON_US);
	decide(set_aside);
	ck_assert_str_eq(findings(),
			 "warning schedules: scheduler old is 5.5 s late\n"
			 "warning schedules: schedule s2 cannot fire and was "
			 "set aside: no such day\n");
	add_scheduler("old", SCENE_NOON_US + 7200000000, 0);
	ck_assert_ptr_nonnull(
	    strstr(findings(),
		   "error clock: the clock of scheduler old is 7200 s "
		   "ahead of this machine's: it fires that much earlier\n"));
	set_database_url("nonsense://x");
	ck_assert_ptr_eq(strstr(findings(), "error schedules: "), findings());
}
END_TEST

START_TEST(what_holds_schedules_up_is_examined)
{
	be_well();
	add_schedule("90s", SCENE_NOON_US);
	move_schedule("90s", SCENE_NOON_US + 1000 * HEALTH_FAR_US);
	add_schedule("s1", SCENE_NOON_US);
	move_schedule("s1", SCENE_NOON_US - 60000000);
	add_state("a", SCHEDULES_STATE_CLOCK, -600000000, "Asia/Tokyo");
	add_state("b", SCHEDULES_STATE_DISABLED, 0, "");
	ck_assert_int_eq(schedules_set_pruned(
			     health_db, SCENE_NOON_US + 1000000, &scene.err),
			 0);
	ck_assert_str_eq(
	    findings(),
	    "error clock: the clock is behind now, or was ahead: the fires of "
	    "schedules are known up to 2026-11-23T12:00:01.000000+00:00\n"
	    "error clock: the clock of scheduler a is 600.0 s behind the "
	    "database's: it claims nothing\n"
	    "error schedules: 1 schedules are overdue, s1 for 60 s: scheduler "
	    "b is disabled ([scheduler] enabled = no)\n"
	    "error schedules: the next runs of 1 schedule are further away "
	    "than their rules allow: 90s fires at "
	    "2029-08-19T12:00:00.000000+00:00, not at "
	    "2026-11-23T12:01:30.000000+00:00\n"
	    "warning schedules: scheduler a has no data of these time zones: "
	    "Asia/Tokyo\n"
	    "warning schedules: scheduler b is disabled: it enqueues "
	    "nothing\n");
}
END_TEST

START_TEST(schedules_that_were_set_aside_are_named_up_to_a_limit)
{
	char id[8];
	int i;

	be_well();
	add_scheduler("a", SCENE_NOON_US, 0);
	for (i = 0; i < 7; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		add_schedule(id, SCENE_NOON_US);
	}
	decide(set_aside);
	ck_assert_ptr_nonnull(
	    strstr(findings(), "warning schedules: schedule s4 cannot fire and "
			       "was set aside: no such day\n"
			       "warning schedules: 2 more schedules were set "
			       "aside\n"));
	component_is(SCHEDULES, true,
		     "none is overdue; 7 set aside (flowrractl doctor)");
}
END_TEST

SUITE("manager-health-schedules")
{
	tcase_add_checked_fixture(suite_case_, health_begin, health_end);
	TEST(schedules_that_are_overdue_are_told_with_what_holds_them_up);
	TEST(next_runs_that_are_too_far_away_are_told);
	TEST(next_runs_by_a_change_in_the_future_are_told);
	TEST(schedules_in_a_file_beside_shared_queues_are_told_of);
	TEST(workers_on_several_machines_share_the_queues);
	TEST(schedules_are_examined);
	TEST(what_holds_schedules_up_is_examined);
	TEST(schedules_that_were_set_aside_are_named_up_to_a_limit);
}
