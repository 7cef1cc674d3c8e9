/* SPDX-License-Identifier: MIT */
/* Whether the whole works, and what is wrong with it. */
#include "manager/health.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "manager/doctor.h"
#include "manager/scene.h"
#include "schedules/claim.h"
#include "schedules/health.h"
#include "schedules/schedules.h"
#include "suite.h"
#include "util/conf.h"

static struct schedules *db;

static void
begin(void)
{
	const struct schedules_options options = {.timeout_ms = 5000};
	struct schedules_options with_url = options;

	scene_begin();
	with_url.url = scene.client->conf->scheduler.database_url;
	ck_assert_msg((db = schedules_open(&with_url, &scene.err)) != NULL,
		      "%s", scene.err.msg);
}

static void
end(void)
{
	schedules_close(db);
	scene_end();
}

static void
add_schedule(const char *id, int64_t due_us)
{
	const struct schedule schedule = {.id = id,
					  .task = "add",
					  .type = SCHEDULE_INTERVAL,
					  .rule = id,
					  .enabled = true,
					  .settings = TASK_SETTINGS_UNSET,
					  .grace_us = SCHEDULE_UNSET,
					  .next_run_us = due_us,
					  .due_us = due_us};
	char stored[SCHEDULE_ID_MAX + 1];
	bool existing;

	ck_assert_msg(schedules_create(db, &schedule, SCENE_NOON_US, stored,
				       &existing, &scene.err) == 0,
		      "%s", scene.err.msg);
}

static void
add_scheduler(const char *id, int64_t seen_us, int64_t lag_us)
{
	const struct schedules_scheduler one = {.id = id,
						.host = "here",
						.pid = 1,
						.seen_us = seen_us,
						.lag_us = lag_us};

	ck_assert_msg(schedules_beat(db, &one, &scene.err) == 0, "%s",
		      scene.err.msg);
}

static void
set_aside(const struct schedule *s, struct schedule_verdict *verdict, void *arg)
{
	verdict->fault = "no such day";
}

/* Some were missed, and it is due again in an hour. */
static void
miss(const struct schedule *s, struct schedule_verdict *verdict, void *arg)
{
	const struct schedule_fire fire = {
	    .fire_us = s->next_run_us, .queue = "io", .task = "{}"};

	verdict->skipped[SCHEDULE_LATE] = 2;
	verdict->next.next_run_us = SCENE_NOON_US + INT64_C(3600000000);
	verdict->next.due_us = verdict->next.next_run_us;
	ck_assert_int_eq(schedule_fire_add(verdict, &fire), 0);
}

static void
decide(schedule_decide_fn *decide_one)
{
	const struct schedules_claim claim = {
	    .now_us = SCENE_NOON_US, .limit = 10, .decide = decide_one};
	struct schedules_claimed claimed;

	ck_assert_msg(schedules_claim(db, &claim, &claimed, &scene.err) == 0,
		      "%s", scene.err.msg);
	schedules_fires_free(claimed.fires);
}

/* --- health -------------------------------------------------------------- */

/* What is said of a component; NULL: it is healthy with that message. */
static void
component_is(size_t at, bool healthy, const char *message)
{
	json_t *all = health_check(scene.client), *one;

	ck_assert_uint_eq(json_array_size(all), 7);
	one = json_array_get(all, at);
	ck_assert_str_eq(json_string_value(json_object_get(one, "message")),
			 message);
	ck_assert(json_is_true(json_object_get(one, "healthy")) == healthy);
	ck_assert(!health_is_good(all) || healthy);
	json_decref(all);
}
enum { BROKER, BACKEND, WORKERS, DATABASE, SCHEDULERS, SCHEDULES, TASKS };

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
	component_is(TASKS, true, "workers know all that they met");
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

/* --- schedules --------------------------------------------------------- */

static void
add_state(const char *id, const char *state, int64_t clock_off_us,
	  const char *lacks)
{
	const struct schedules_scheduler one = {.id = id,
						.host = "here",
						.seen_us = SCENE_NOON_US,
						.clock_off_us = clock_off_us,
						.state = state,
						.lacks = lacks};

	ck_assert_msg(schedules_beat(db, &one, &scene.err) == 0, "%s",
		      scene.err.msg);
}

/* Its next run is what `us` says, whatever its rule says. */
static void
move_schedule(const char *id, int64_t us)
{
	const struct schedule_next next = {us, us, ""};

	ck_assert_msg(
	    schedules_enable(db, id, &next, SCENE_NOON_US, &scene.err) == 0,
	    "%s", scene.err.msg);
}

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

static const char *findings(void);

static void
set_broker_url(const char *url)
{
	free(scene.client->conf->broker.url);
	scene.client->conf->broker.url = strdup(url);
}

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

static void
break_database(const char *url)
{
	free(scene.client->conf->scheduler.database_url);
	scene.client->conf->scheduler.database_url = strdup(url);
}

START_TEST(schedulers_are_unknown_without_their_database)
{
	break_database("nonsense://x");
	component_is(SCHEDULERS, false,
		     "unknown while their database is unreachable");
	break_database("sqlite:///dev/null/s.db");
	component_is(SCHEDULERS, false,
		     "unknown while their database is unreachable");
}
END_TEST

/* --- the doctor ---------------------------------------------------------- */

/* The findings, as "level about: what". */
static const char *
findings(void)
{
	static char text[4096];
	json_t *all = doctor_examine(scene.client), *one;
	const char *level, *about, *what, *remedy;
	size_t i, n = 0;

	text[0] = '\0';
	json_array_foreach (all, i, one) {
		ck_assert_int_eq(json_unpack(one, "{s:s,s:s,s:s,s:s}", "level",
					     &level, "about", &about, "what",
					     &what, "remedy", &remedy),
				 0);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %s: %s\n",
				      level, about, what);
	}
	ck_assert(doctor_found_error(all) == (strstr(text, "error ") == text));
	json_decref(all);
	return text;
}

static void
be_well(void)
{
	scene_worker("w1", true, 0,
		     "{'queues':['io',5],'version':'" FLOWRRA_VERSION "'}");
}

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
	    "warning queues: queue net has 1 tasks and none of its workers "
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

START_TEST(schedules_are_examined)
{
	be_well();
	add_schedule("s1", SCENE_NOON_US);
	add_scheduler("old", SCENE_NOON_US - 31000000, 0);
	ck_assert_str_eq(findings(),
			 "error schedules: 1 schedules are enabled, but no "
			 "scheduler is alive\n"
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
	break_database("nonsense://x");
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
	ck_assert_int_eq(
	    schedules_set_pruned(db, SCENE_NOON_US + 1000000, &scene.err), 0);
	ck_assert_str_eq(
	    findings(),
	    "error clock: the clock is behind now, or was ahead: the fires of "
	    "schedules are known up to 2026-11-23T12:00:01.000000+00:00\n"
	    "error clock: the clock of scheduler a is 600.0 s behind the "
	    "database's: it claims nothing\n"
	    "error schedules: 1 schedules are overdue, s1 for 60 s: scheduler "
	    "b is disabled ([scheduler] enabled = no)\n"
	    "error schedules: the next runs of 1 schedules are further away "
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

SUITE("manager-health")
{
	tcase_add_checked_fixture(suite_case_, begin, end);
	TEST(all_is_well_where_nothing_is_wrong);
	TEST(each_component_is_judged_by_itself);
	TEST(schedulers_are_healthy_while_they_are_seen_and_in_time);
	TEST(tasks_that_no_worker_has_are_not_healthy);
	TEST(tasks_that_no_worker_has_are_found);
	TEST(schedules_in_a_file_beside_shared_queues_are_told_of);
	TEST(schedulers_are_unknown_without_their_database);
	TEST(schedules_that_are_overdue_are_told_with_what_holds_them_up);
	TEST(next_runs_that_are_too_far_away_are_told);
	TEST(what_holds_schedules_up_is_examined);
	TEST(schedules_that_were_set_aside_are_named_up_to_a_limit);
	TEST(the_doctor_finds_nothing_where_nothing_is_wrong);
	TEST(without_a_broker_that_is_what_is_wrong);
	TEST(what_the_broker_finds_is_passed_on_the_errors_first);
	TEST(clocks_that_differ_are_found);
	TEST(a_worker_whose_clock_differs_is_named);
	TEST(a_certificate_that_is_not_verified_is_a_warning);
	TEST(workers_are_examined_one_by_one);
	TEST(a_worker_that_lacks_a_module_is_unhealthy_and_named);
	TEST(queues_are_examined_one_by_one);
	TEST(the_dead_of_the_last_hour_are_counted_up_to_a_page);
	TEST(a_dead_list_that_is_full_is_found);
	TEST(schedules_are_examined);
	TEST(files_that_others_may_change_are_found);
}
