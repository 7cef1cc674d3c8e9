/* SPDX-License-Identifier: MIT */
/* The verb schedule next: when an expression fires. Needs neither server nor
 * database: it runs the code that the scheduler runs (beat/rule.h), so that
 * what it prints is what will happen. */
#include <stdio.h>

#include "beat/rule.h"
#include "cron/tz.h"
#include "manager/schedule_json.h"
#include "schedule.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

/* A moment that nobody can ask for: 1970 is one. */
#define NOT_GIVEN INT64_MIN

/* `id` is the seed of H in an expression: fires of two schedules with the same
 * expression differ by it. Without one, H is as for an empty ID. */
struct next_options {
	const char *tz, *day_match, *id;
	int64_t after_us;
	int count;
};

/* Five show the rhythm of nearly all expressions, and fit above the prompt. */
static void
next_init(void *options)
{
	struct next_options *o = options;

	o->count = 5;
	o->after_us = NOT_GIVEN;
}

#define OPTION(...) VERB_OPTION(struct next_options, 0, __VA_ARGS__)

static const struct option_spec next_options[] = {
    OPTION("tz", "ZONE", TEXT, tz, 0, 0,
	   "the time zone, such as Europe/Berlin, or local; see [scheduler] "
	   "timezone for the default"),
    OPTION("after", "TIME", TIME, after_us, 0, 0,
	   "print fires after this time; now by default"),
    OPTION("count", "N", INT, count, 1, 1000000, "print N fires; 5 by default"),
    OPTION("day-match", "MATCH", TEXT, day_match, 0, 0,
	   "or: one of the two day fields must match (the default); and: both"),
    OPTION("id", "ID", TEXT, id, 0, 0, "the schedule's ID, on which H depends"),
};

#define US_PER_S INT64_C(1000000)
/* More of them say nothing new. */
#define NOTES_MAX 5

/* On standard error: scripts read the times. */
static void
print_note(struct ctl *ctl, const struct rule *rule, int64_t at, const char *tz)
{
	static const char *const notes[] = {
	    [RULE_GAP] = "leaves out the local time that is meant; it fires "
			 "right after",
	    [RULE_FOLD] = "shows this local time twice"};
	char text[MOMENT_SIZE];

	moment_text(at, text);
	complain(ctl, "%s: the clock of %s %s", text, tz,
		 notes[rule_note(rule, at)]);
}

/* As the clock of the zone shows it, which is what the expression is about. */
static void
print_moment(const struct rule *rule, int64_t at)
{
	char text[MOMENT_SIZE];

	moment_text_in(at, tz_offset_s(rule->zone, at / US_PER_S), text);
	puts(text);
}

/* Fewer than asked for if the expression ends. With --json the array is printed
 * as one line, and so as a whole. */
static void
print_next(struct ctl *ctl, const struct rule *rule,
	   const struct next_options *o)
{
	json_t *list = json_array();
	int64_t at = o->after_us;
	int i, notes = 0;

	for (i = 0; i < o->count && (at = rule_next(rule, at)) != 0; i++) {
		if (o->tz != NULL && notes < NOTES_MAX &&
		    rule_note(rule, at) != RULE_PLAIN) {
			print_note(ctl, rule, at, o->tz);
			notes++;
		}
		if (ctl->globals.json)
			json_array_append_new(list, moment_json(at));
		else
			print_moment(rule, at);
	}
	if (ctl->globals.json)
		print_json_line(list);
	else
		json_decref(list);
}

/* A schedule that is made up for it, so that the rule is read as a scheduler
 * reads it, with its checks. */
static int
read_next(const char *text, const struct next_options *o, struct tz_set *zones,
	  struct rule *ret, struct cron_fault *fault, struct err *err)
{
	int day_match = SCHEDULE_DAYS_OR;
	struct schedule s = {.type = SCHEDULE_CRON,
			     .id = o->id,
			     .rule = text,
			     .tz = o->tz,
			     .created_us = o->after_us};

	if (o->day_match != NULL &&
	    (day_match = schedule_day_match_of(o->day_match)) < 0)
		return err_set(err, ERR_DATA,
			       "--day-match \"%.64s\": not one of or, and",
			       o->day_match);
	s.day_match = (enum schedule_day_match)day_match;
	if (zone_check(text, o->tz, err) != 0 ||
	    rule_read(&s, zones, ret, fault, err) != 0)
		return -1;
	return cron_check(&ret->cron, ret->zone, o->after_us, fault, err);
}

static int
run_next(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct cron_fault fault = {.code = CRON_NONE};
	struct next_options *o = options;
	struct err err = ERR_INIT;
	struct tz_set *zones = tz_set_new(NULL, &err);
	struct rule rule = {.zone = tz_utc()};
	struct zone_words words = {.local = ""};
	int status = 0;

	if (o->after_us == NOT_GIVEN)
		o->after_us = clock_wall_us();
	if (zones == NULL)
		return complain_of_err(ctl, &err);
	if (choose_zone(ctl, &words, argv[0], &o->tz, &err) != 0)
		status = complain_of_err(ctl, &err);
	else if (read_next(argv[0], o, zones, &rule, &fault, &err) != 0)
		status = complain_of_rule(ctl, argv[0], &fault, &err);
	else
		print_next(ctl, &rule, o);
	if (status == 0)
		warn_of_rule(ctl, argv[0]);
	tz_set_free(zones);
	return status;
}

const struct verb verb_schedule_next = {
    .name = "schedule next",
    .looks = true,
    .summary = "Print the fire times of a cron expression, one per line",
    .usage = "EXPRESSION [--tz ZONE] [--after TIME] [--count N]",
    .options = next_options,
    .n_options = sizeof(next_options) / sizeof(next_options[0]),
    .options_size = sizeof(struct next_options),
    .init = next_init,
    .min_args = 1,
    .max_args = 1,
    .run = run_next,
};
