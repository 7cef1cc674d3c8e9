/* SPDX-License-Identifier: MIT */
/* Schedules from what people write, and as JSON. */
#include "manager/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "manager/scene.h"
#include "manager/schedule_json.h"
#include "manager/schedules.h"
#include "schedules/health.h"
#include "suite.h"
#include "util/conf.h"

#define HOUR_US INT64_C(3600000000)

static struct schedule_form form;
static struct schedule_draft draft;
static struct schedule_fault fault;
static const struct schedule_form *const drafted = &form;

static void
begin(void)
{
	scene_begin();
	schedule_form_init(&form);
}

/* NULL: it was refused. */
static const struct schedule_form *
make(enum schedule_type type, const char *rule)
{
	form.type = schedule_type_name(type);
	if (form.task == NULL)
		form.task = "add";
	form.rule = rule;
	return schedule_draft(&form, NULL, SCENE_NOON_US, &draft, &fault,
			      &scene.err) == 0
		   ? drafted
		   : NULL;
}

static void
made(enum schedule_type type, const char *rule)
{
	ck_assert_msg(make(type, rule) != NULL, "%s: %s", rule, scene.err.msg);
}

/* --- rules --------------------------------------------------------------- */

START_TEST(a_rule_says_when_it_fires_first)
{
	static const struct {
		enum schedule_type type;
		const char *rule, *stored;
		int64_t first_us; /* after noon */
	} cases[] = {
	    {SCHEDULE_INTERVAL, "300", "300s", INT64_C(300000000)},
	    {SCHEDULE_INTERVAL, "5m", "300s", INT64_C(300000000)},
	    {SCHEDULE_INTERVAL, "1.5", "1500ms", 1500000},
	    {SCHEDULE_INTERVAL, "0.1", "100ms", 100000},
	    {SCHEDULE_INTERVAL, "0.1505", "0.150500", 150500},
	    {SCHEDULE_ONCE, "2026-11-23T15:00:00+02:00",
	     "2026-11-23T13:00:00.000000+00:00", HOUR_US},
	    {SCHEDULE_ONCE, "in 1h", "2026-11-23T13:00:00.000000+00:00",
	     HOUR_US},
	    {SCHEDULE_CRON, "0 * * * *", "0 * * * *", HOUR_US},
	    {SCHEDULE_CRON, "CRON_TZ=Europe/Berlin 0 14 * * *",
	     "CRON_TZ=Europe/Berlin 0 14 * * *", HOUR_US},
	};

	made(cases[_i].type, cases[_i].rule);
	ck_assert_str_eq(draft.schedule.rule, cases[_i].stored);
	ck_assert_int_eq(draft.schedule.next_run_us - SCENE_NOON_US,
			 cases[_i].first_us);
	ck_assert_int_eq(draft.schedule.due_us, draft.schedule.next_run_us);
	ck_assert_uint_gt(strlen(draft.schedule.id), 30);
	/* One that is disabled knows when, but is not due. */
	form.enabled = false;
	made(cases[_i].type, cases[_i].rule);
	ck_assert_int_eq(draft.schedule.due_us, 0);
	ck_assert_int_gt(draft.schedule.next_run_us, SCENE_NOON_US);
}
END_TEST

static const struct {
	enum schedule_type type;
	const char *rule, *words;
} bad_rules[] = {
    {SCHEDULE_INTERVAL, "soon", "\"soon\" is not a duration; write seconds "},
    {SCHEDULE_INTERVAL, "0",
     "a period of 0 µs is out of range; write 100ms to 36525d"},
    {SCHEDULE_ONCE, "2026-11-23T12:00:00Z",
     "\"2026-11-23T12:00:00Z\" is in the past; give a future time"},
    {SCHEDULE_ONCE, "in 0", "\"in 0\" is in the past; give a future time"},
    {SCHEDULE_ONCE, "in a while", "\"in a while\": not a time"},
    {SCHEDULE_ONCE, "noon", "\"noon\": not a time"},
    {SCHEDULE_CRON, "0 0 30 2 *", ""},
    {SCHEDULE_CRON, "61 * * * *", ""},
};

START_TEST(a_rule_that_is_none_is_refused)
{
	ck_assert_ptr_null(make(bad_rules[_i].type, bad_rules[_i].rule));
	ck_assert_int_eq(scene.err.code, ERR_DATA);
	ck_assert_msg(strncmp(scene.err.msg, bad_rules[_i].words,
			      strlen(bad_rules[_i].words)) == 0,
		      "%s", scene.err.msg);
	/* Where an expression is wrong is told, too. */
	ck_assert_str_eq(fault.field, "rule");
	ck_assert((fault.cron.code != CRON_NONE) ==
		  (bad_rules[_i].type == SCHEDULE_CRON));
}
END_TEST

/* --- forms --------------------------------------------------------------- */

static const struct {
	struct schedule_form form;
	const char *words;
} bad_forms[] = {
    {{.queue = "a b"},
     "\"a b\" is not a valid queue name; allowed: 1 to 128 of the characters "
     "A-Z a-z "
     "0-9 _ . -"},
    {{.id = "a b"},
     "\"a b\" is not a valid ID: 1 to 128 printable ASCII characters without "
     "spaces"},
    {{.start_us = 2, .end_us = 1},
     "end-at is before start-at; set end-at after start-at"},
    {{.misfire = "never"}, "misfire \"never\": not one of skip, once, all"},
    {{.group = "a\nb"},
     "the group \"a\nb\" is not valid: it must be 1 to 200 bytes of "
     "UTF-8 without control characters"},
    {{.overlap = "queue"},
     "overlap \"queue\": not one of allow, skip, replace"},
    {{.day_match = "xor"}, "day-match \"xor\": not one of or, and"},
    {{.args = "{}"}, "args must be a JSON array"},
    {{.kwargs = "[]"}, "kwargs must be a JSON object"},
    {{.kwargs = "{"}, "kwargs: not JSON: "},
    {{.args = "[1e400]"}, "args: the number 1e400 is beyond the range"},
    {{.kwargs = "{\"k\":\"\\u0000\"}"}, "kwargs: a string holds \\u0000"},
    {{.tz = "Mars/Base"}, "unknown time zone \"Mars/Base\" in "},
    {{.tz = "Europe/Paris"},
     "the expression already has a time zone, Europe/Berlin; remove one of "
     "the two"},
    {{.end_us = SCENE_NOON_US}, "it never fires between its start and its end"},
};

START_TEST(a_form_that_says_what_cannot_be_is_refused)
{
	const char *rule = "0 14 * * *";

	form = bad_forms[_i].form;
	if (form.tz != NULL && strcmp(form.tz, "Europe/Paris") == 0)
		rule = "CRON_TZ=Europe/Berlin 0 14 * * *";
	ck_assert_ptr_null(make(SCHEDULE_CRON, rule));
	ck_assert_int_eq(scene.err.code, ERR_DATA);
	ck_assert_msg(strncmp(scene.err.msg, bad_forms[_i].words,
			      strlen(bad_forms[_i].words)) == 0,
		      "%s", scene.err.msg);
}
END_TEST

START_TEST(a_task_must_have_a_name_that_tasks_can_have)
{
	form.task = "a b";
	scene_refused(
	    make(SCHEDULE_INTERVAL, "5m"), ERR_DATA,
	    "\"a b\" is not a valid task name; allowed: 1 to 200 of the "
	    "characters A-Z a-z 0-9 _ . -");
}
END_TEST

START_TEST(what_a_form_says_is_stored_in_microseconds)
{
	const struct schedule *s = &draft.schedule;

	form.id = "report";
	form.retry_delay_s = 1.5;
	form.timeout_s = 60;
	form.max_retries = 7;
	form.expires_s = 0.25;
	form.grace_s = 2;
	form.jitter_s = 0.5;
	form.misfire = "all";
	form.overlap = "skip";
	form.day_match = "and";
	form.max_runs = 3;
	made(SCHEDULE_CRON, "0 14 1 * mon");
	ck_assert_str_eq(s->id, "report");
	ck_assert_int_eq(s->settings.retry.delay_us, 1500000);
	ck_assert_int_eq(s->settings.timeout_us, 60000000);
	ck_assert_int_eq(s->settings.max_retries, 7);
	ck_assert_int_eq(s->settings.retry.delay_max_us, TASK_UNSET);
	ck_assert_int_eq(s->expires_us, 250000);
	ck_assert_int_eq(s->grace_us, 2000000);
	ck_assert_int_eq(s->jitter_us, 500000);
	ck_assert_int_eq(s->misfire, SCHEDULE_ALL);
	ck_assert_int_eq(s->overlap, SCHEDULE_OVERLAP_SKIP);
	ck_assert_int_eq(s->day_match, SCHEDULE_DAYS_AND);
	ck_assert_int_eq(s->max_catchup, SCHEDULE_CATCHUP_STANDARD);
	ck_assert_int_eq(s->max_runs, 3);
	/* The jitter moves when it is done, not when it fires. */
	ck_assert_int_ge(s->due_us, s->next_run_us);
	ck_assert_int_le(s->due_us, s->next_run_us + 500000);
}
END_TEST

/* --- in a database ------------------------------------------------------- */

static struct schedules *
database(void)
{
	const struct schedules_options options = {
	    .url = scene.client->conf->scheduler.database_url};
	struct schedules *db = schedules_open(&options, &scene.err);

	ck_assert_msg(db != NULL, "%s", scene.err.msg);
	return db;
}

#define UNSET_JSON                                                             \
	"'args':[],'kwargs':{},'workflow':null,'last_run':null,'runs':0,'"     \
	"queue':null,"                                                         \
	"'group':null,'max_retries':null,'retry_delay':null,'retry_backoff':"  \
	"null,"                                                                \
	"'retry_delay_max':null,'retry_jitter':null,'timeout':null,"           \
	"'expires':null,'priority':0,'description':null,'fault':null,"         \
	"'misfire':'once','max_catchup':1000,'grace':null,"                    \
	"'overlap':'allow','jitter':0.0,'day_match':'or','start_at':null,"     \
	"'end_at':null,'max_runs':0,'created_at':'2026-11-23T12:00:00+00:00'," \
	"'updated_at':'2026-11-23T12:00:00+00:00','owner':null,"               \
	"'traceparent':null"

START_TEST(a_schedule_comes_back_from_the_database_as_json)
{
	struct schedules *db = database();
	struct schedules_list *list;
	char id[SCHEDULE_ID_MAX + 1];
	bool existing;

	form.id = "report";
	made(SCHEDULE_INTERVAL, "1.5");
	ck_assert_int_eq(schedules_create(db, &draft.schedule, SCENE_NOON_US,
					  id, &existing, &scene.err),
			 0);
	ck_assert_int_eq(schedules_get(db, id, &list, &scene.err), 0);
	scene_is(schedule_json(&list->items[0]),
		 "{'id':'report','task':'add','type':'interval',"
		 "'rule':'1500ms',"
		 "'words':'every 1500 "
		 "milliseconds','state':'enabled','tz':'UTC','enabled':true,"
		 "'next_run':'2026-11-23T12:00:01.500000+00:00'," UNSET_JSON
		 "}");
	schedules_list_free(list);
	ck_assert_int_eq(schedules_disable(db, id, SCENE_NOON_US, &scene.err),
			 0);
	ck_assert_int_eq(schedules_get(db, id, &list, &scene.err), 0);
	scene_is(
	    schedule_json(&list->items[0]),
	    "{'id':'report','task':'add','type':'interval',"
	    "'rule':'1500ms',"
	    "'words':'every 1500 milliseconds','state':'disabled','tz':'UTC',"
	    "'enabled':false,'next_run':"
	    "'2026-11-23T12:00:01.500000+00:00'," UNSET_JSON "}");
	schedules_list_free(list);
	schedules_close(db);
}
END_TEST

START_TEST(the_state_of_a_schedule_is_what_it_comes_to)
{
	static const struct {
		struct schedule schedule;
		const char *state;
	} cases[] = {
	    {{.enabled = true, .next_run_us = 1, .fault = ""}, "['enabled']"},
	    {{.enabled = true, .next_run_us = 0, .fault = ""}, "['ended']"},
	    {{.enabled = true, .next_run_us = INT64_MAX, .fault = ""},
	     "['ended']"},
	    {{.enabled = false, .next_run_us = 0, .fault = ""}, "['disabled']"},
	    {{.enabled = true, .next_run_us = 1, .fault = "bad day"},
	     "['set aside']"},
	};
	struct schedule s;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = cases[i].schedule;
		s.id = s.task = s.rule = s.tz = s.queue = s.description = "";
		s.group = s.workflow = "";
		/* What is in the database may be no JSON. */
		s.args = s.kwargs = "nonsense";
		s.settings = (struct task_settings)TASK_SETTINGS_UNSET;
		scene_is(
		    scene_column(json_pack("[o]", schedule_json(&s)), "state"),
		    cases[i].state);
		scene_is(
		    scene_column(json_pack("[o]", schedule_json(&s)), "args"),
		    "['nonsense']");
	}
}
END_TEST

START_TEST(figures_of_schedules_name_what_was_missed_and_skipped)
{
	struct schedules_scheduler one = {.id = "a",
					  .host = "here",
					  .pid = 7,
					  .started_us = SCENE_NOON_US - HOUR_US,
					  .seen_us = SCENE_NOON_US - 1500000,
					  .lag_us = 250000,
					  .max_lag_us = 500000,
					  .fires = 9,
					  .clock_off_us = -1500000,
					  .state = "clock",
					  .lacks = "Asia/Tokyo"};
	const struct schedules_stats stats = {
	    .schedules = 4,
	    .enabled = 3,
	    .set_aside = 1,
	    .due = 2,
	    .unsent = 1,
	    .oldest_unsent_us = SCENE_NOON_US,
	    .next_due_us = INT64_MAX,
	    .runs = 5,
	    .skipped = {[SCHEDULE_LATE] = 6, [SCHEDULE_OVERLAP] = 7},
	    .schedulers = &one,
	    .n_schedulers = 1};

	scene_is(
	    schedule_stats_json(&stats, SCENE_NOON_US),
	    "{'schedules':4,'enabled':3,'set_aside':1,'due':2,'unsent':1,"
	    "'oldest_unsent':'2026-11-23T12:00:00+00:00','next_due':null,'runs'"
	    ":5,"
	    "'missed':{'merged':0,'misfire':0,'catchup':0,'late':6,'changed':0}"
	    ","
	    "'skipped':{'overlap':7,'replaced':0,'refused':0},'schedulers':[{'"
	    "id':'a',"
	    "'host':'here','pid':7,'started_at':'2026-11-23T11:00:00+00:00',"
	    "'seen_at':'2026-11-23T11:59:58.500000+00:00','seen_ago':1.5,"
	    "'lag':0.25,'max_lag':0.5,'fires':9,'clock_off':-1.5,"
	    "'state':'clock','lacks':'Asia/Tokyo'}]}");
}
END_TEST

/* --- enabling ------------------------------------------------------------ */

/* As it stands in a database. */
static struct schedule
disabled_schedule(enum schedule_type type, const char *rule)
{
	return (struct schedule){.id = "s",
				 .task = "add",
				 .type = type,
				 .rule = rule,
				 .tz = "",
				 .args = "[]",
				 .kwargs = "{}",
				 .queue = "",
				 .description = "",
				 .tz_data = "",
				 .fault = "",
				 .settings = TASK_SETTINGS_UNSET,
				 .grace_us = SCHEDULE_UNSET};
}

static const struct schedule_form *
resume(const struct schedule *s)
{
	schedule_form_of(s, &form);
	form.enabled = true;
	return schedule_draft(&form, s, SCENE_NOON_US, &draft, &fault,
			      &scene.err) == 0
		   ? drafted
		   : NULL;
}

START_TEST(a_schedule_is_resumed_unless_it_cannot_fire_any_more)
{
	static const struct {
		enum schedule_type type;
		const char *rule;
		int64_t end_us, max_runs, runs;
		const char *words; /* NULL: it is resumed */
	} cases[] = {
	    {SCHEDULE_CRON, "0 13 * * *", 0, 0, 9, NULL},
	    {SCHEDULE_CRON, "CRON_TZ=Europe/Berlin 0 14 * * *", 0, 10, 9, NULL},
	    {SCHEDULE_CRON, "0 13 * * *", 0, 9, 9,
	     "schedule s does not fire again: it has run 9 times, its limit"},
	    {SCHEDULE_CRON, "0 13 * * *", SCENE_NOON_US, 0, 0,
	     "schedule s does not fire again: its end has passed"},
	    {SCHEDULE_ONCE, "2026-11-23T11:00:00.000000+00:00", 0, 0, 0,
	     "schedule s does not fire again: its time has passed"},
	};
	struct schedule s = disabled_schedule(cases[_i].type, cases[_i].rule);

	s.end_us = cases[_i].end_us;
	s.max_runs = cases[_i].max_runs;
	s.runs = cases[_i].runs;
	if (cases[_i].words != NULL) {
		scene_refused(resume(&s), ERR_REFUSED, cases[_i].words);
		return;
	}
	ck_assert_msg(resume(&s) != NULL, "%s", scene.err.msg);
	ck_assert_int_eq(draft.schedule.next_run_us, SCENE_NOON_US + HOUR_US);
	ck_assert_int_eq(draft.schedule.due_us, SCENE_NOON_US + HOUR_US);
	ck_assert((draft.tz_data[0] != '\0') == (strchr(s.rule, '/') != NULL));
}
END_TEST

START_TEST(a_rule_that_cannot_be_read_is_not_resumed)
{
	const struct schedule s = disabled_schedule(SCHEDULE_CRON, "nonsense");

	ck_assert_ptr_null(resume(&s));
	ck_assert_int_eq(scene.err.code, ERR_DATA);
	ck_assert_str_eq(fault.field, "rule");
}
END_TEST

/* --- JSON ---------------------------------------------------------------- */

START_TEST(what_a_schedule_says_of_itself_makes_the_same_schedule)
{
	struct buf scratch = BUF_INIT;
	struct schedule_form again;
	struct schedule_draft copy;
	const char *field;
	struct schedule s;
	char *text;
	json_t *json;

	form.id = "report";
	form.tz = "Europe/Berlin";
	form.args = "[1,{\"a\":2}]";
	form.queue = "mail";
	form.priority = -3;
	form.timeout_s = 60;
	form.retry_backoff = 1.5;
	form.max_retries = 7;
	form.expires_s = 0.25;
	form.grace_s = 2;
	form.jitter_s = 0.5;
	form.misfire = "all";
	form.overlap = "skip";
	form.day_match = "and";
	form.max_runs = 3;
	form.max_catchup = 0;
	form.end_us = SCENE_NOON_US + 9000 * HOUR_US;
	form.enabled = false;
	made(SCHEDULE_CRON, "0 14 1 * mon");
	s = draft.schedule;
	s.fault = "";
	json = schedule_json(&s);
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	schedule_form_init(&again);
	ck_assert_msg(schedule_form_read(slice_of(text), &again, &scratch,
					 &field, &scene.err) == 0,
		      "%s", scene.err.msg);
	ck_assert_int_eq(schedule_draft(&again, NULL, SCENE_NOON_US, &copy,
					&fault, &scene.err),
			 0);
	json = schedule_json(&copy.schedule);
	copy.schedule.fault = "";
	free(text);
	text = json_dumps(json, JSON_COMPACT);
	for (char *p = text; *p != '\0'; p++)
		if (*p == '"')
			*p = '\'';
	scene_is(schedule_json(&s), text);
	json_decref(json);
	free(text);
	buf_done(&scratch);
}
END_TEST

static const struct {
	const char *json, *field, *words;
} bad_json[] = {
    {"{\"rule\":5}", "rule", "\"rule\" must be a string"},
    {"{\"args\":{}}", "args", "\"args\" must be an array"},
    {"{\"timeout\":-1}", "timeout", "\"timeout\": -1: out of range"},
    {"{\"grace\":\"soon\"}", "grace", "\"grace\": \"soon\" is not a duration"},
    {"{\"enabled\":1}", "enabled", "\"enabled\" must be true or false"},
    {"{\"max_runs\":1,\"max_runs\":2}", "max_runs",
     "\"max_runs\" is given twice"},
    {"{\"tz\":\"UTC\",\"colour\":1}", "colour",
     "unknown schedule field \"colour\""},
    {"{", NULL, ""},
    {"[]", NULL, ""},
};

START_TEST(a_bad_field_of_json_is_named)
{
	struct buf scratch = BUF_INIT;
	const char *field = "none";

	ck_assert_int_eq(schedule_form_read(slice_of(bad_json[_i].json), &form,
					    &scratch, &field, &scene.err),
			 -1);
	ck_assert_int_eq(scene.err.code, ERR_DATA);
	ck_assert_msg(strncmp(scene.err.msg, bad_json[_i].words,
			      strlen(bad_json[_i].words)) == 0,
		      "%s", scene.err.msg);
	ck_assert_pstr_eq(field, bad_json[_i].field);
	buf_done(&scratch);
}
END_TEST

/* --- tasks that must be there --------------------------------------------- */

static int
create(const char *task, bool force, char id[SCHEDULE_ID_MAX + 1])
{
	struct schedules *db = database();
	int64_t next_us;
	bool existing;
	int result;

	form.task = task;
	form.type = "interval";
	form.rule = "5m";
	form.force = force;
	result = schedule_create(db, scene.client, &form, SCENE_NOON_US, id,
				 &existing, &next_us, &fault, &scene.err);
	if (result == 0)
		ck_assert_int_eq(next_us, SCENE_NOON_US + INT64_C(300000000));
	schedules_close(db);
	return result;
}

START_TEST(a_task_that_no_worker_has_registered_is_refused_unless_forced)
{
	static const struct slice names[] = {{"resize", 6}};
	char id[SCHEDULE_ID_MAX + 1];

	scene.names = names;
	scene.n_names = 1;
	ck_assert_int_eq(create("resiez", false, id), -1);
	ck_assert_int_eq(scene.err.code, ERR_DATA);
	ck_assert_str_eq(fault.field, "task");
	ck_assert(fault.forcible);
	ck_assert_msg(strstr(scene.err.msg, "similar names: \"resize\"") !=
			  NULL,
		      "%s", scene.err.msg);
	ck_assert_int_eq(create("resiez", true, id), 0);
	/* A name that no task can have is not stored by force either. */
	ck_assert_int_eq(create("re size", true, id), -1);
	ck_assert_str_eq(fault.field, "task");
	ck_assert(!fault.forcible);
}
END_TEST

SUITE("manager-schedule")
{
	tcase_add_checked_fixture(suite_case_, begin, scene_end);
	TEST_LOOP(a_rule_says_when_it_fires_first, 0, 7);
	TEST_LOOP(a_rule_that_is_none_is_refused, 0,
		  sizeof(bad_rules) / sizeof(bad_rules[0]));
	TEST_LOOP(a_form_that_says_what_cannot_be_is_refused, 0,
		  sizeof(bad_forms) / sizeof(bad_forms[0]));
	TEST(a_task_must_have_a_name_that_tasks_can_have);
	TEST(what_a_form_says_is_stored_in_microseconds);
	TEST(a_schedule_comes_back_from_the_database_as_json);
	TEST(the_state_of_a_schedule_is_what_it_comes_to);
	TEST(figures_of_schedules_name_what_was_missed_and_skipped);
	TEST_LOOP(a_schedule_is_resumed_unless_it_cannot_fire_any_more, 0, 5);
	TEST(a_rule_that_cannot_be_read_is_not_resumed);
	TEST(what_a_schedule_says_of_itself_makes_the_same_schedule);
	TEST_LOOP(a_bad_field_of_json_is_named, 0,
		  sizeof(bad_json) / sizeof(bad_json[0]));
	TEST(a_task_that_no_worker_has_registered_is_refused_unless_forced);
}
