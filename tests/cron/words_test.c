/* SPDX-License-Identifier: MIT */
/*
 * Rules in words. That the words are true is proved by reading them: a reader
 * that knows nothing of lib/cron asks the words whether a local time matches, and
 * must come to the same answer as the matcher that reads the expression.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cron/cron.h"
#include "cron/expression.h"
#include "suite.h"
#include "util/buf.h"
#include "util/err.h"

#define VECTORS "tests/cron/vectors.tsv"
#define SEED UINT64_C(20261124)
#define EXPRESSIONS 2000
#define DAYS_A_RULE 400

static const char *const months[] = {
    "January", "February", "March",	"April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
static const char *const weekdays[] = {"Sunday",    "Monday",	"Tuesday",
				       "Wednesday", "Thursday", "Friday",
				       "Saturday"};

/* NULL: it cannot be parsed. Free it. */
static char *
words_of(const char *text, bool both)
{
	const struct cron_options options = {.match_both = both};
	struct buf out = BUF_INIT;
	struct cron cron;

	if (cron_parse(text, &options, &cron, NULL, NULL) != 0)
		return NULL;
	cron_words(&cron, &out);
	ck_assert(!out.failed);
	return buf_take(&out);
}

/* --- reading words ------------------------------------------------------- */

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* A number, or one of `n` names from `base` on; what follows is in *rest. */
static int
read_value(const char *text, const char *const *names, int n, int base,
	   const char **rest)
{
	char *end;
	int i, value;

	for (i = 0; names != NULL && i < n; i++)
		if (begins(text, names[i])) {
			*rest = text + strlen(names[i]);
			if (**rest == 's')
				++*rest;
			return i + base;
		}
	value = (int)strtol(text, &end, 10);
	ck_assert_msg(end != text, "no value: \"%s\"", text);
	*rest = end;
	return value;
}

/* Whether a list or a range of values, to the end of the text, has `value`. */
static bool
list_has(const char *text, const char *const *names, int n, int base, int value)
{
	bool has = false;
	int a, b;

	for (;;) {
		a = b = read_value(text, names, n, base, &text);
		if (begins(text, " through "))
			b = read_value(text + strlen(" through "), names, n,
				       base, &text);
		has = has || (value >= a && value <= b);
		if (*text == '\0')
			return has;
		if (begins(text, ", "))
			text += 2;
		else if (begins(text, " and "))
			text += 5;
		else if (begins(text, " or "))
			text += 4;
		else
			ck_abort_msg("no list: \"%s\"", text);
	}
}

/* "minutes 0 and 5", "every minute", "every 2nd minute from 1 through 9" */
static bool
unit_has(const char *text, const char *unit, int min, int max, int value)
{
	int step, first = min, last = max, used = 0;
	char ending[3], word[16];

	if (begins(text, unit))
		return list_has(strchr(text, ' ') + 1, NULL, 0, 0, value);
	if (sscanf(text, "every %d%2s %15s from %d through %d%n", &step, ending,
		   word, &first, &last, &used) != 5 &&
	    sscanf(text, "every %d%2s %15s%n", &step, ending, word, &used) !=
		3) {
		ck_assert_int_eq(sscanf(text, "every %15s%n", word, &used), 1);
		step = 1;
	}
	ck_assert_msg(strcmp(word, unit) == 0 && text[used] == '\0',
		      "not of a %s: \"%s\"", unit, text);
	return value >= first && value <= last && (value - first) % step == 0;
}

static int
last_day(const struct tm *tm)
{
	struct tm next = {.tm_year = tm->tm_year,
			  .tm_mon = tm->tm_mon + 1,
			  .tm_mday = 0,
			  .tm_hour = 12};

	timegm(&next);
	return next.tm_mday;
}

static bool
is_workday(const struct tm *tm, int day)
{
	const int weekday = (tm->tm_wday + day - tm->tm_mday + 70) % 7;

	return weekday != 0 && weekday != 6 && day >= 1 && day <= last_day(tm);
}

/* The workday nearest to a day: the one before goes before the one behind. */
static int
nearest(const struct tm *tm, int day)
{
	int away;

	if (day > last_day(tm))
		return -1;
	for (away = 0;; away++) {
		if (is_workday(tm, day - away))
			return day - away;
		if (is_workday(tm, day + away))
			return day + away;
	}
}

static bool
weekday_has(const char *text, const struct tm *tm)
{
	if (begins(text, "weekday") && !begins(text, "weekdays nearest"))
		return is_workday(tm, tm->tm_mday);
	if (begins(text, "weekend day"))
		return !is_workday(tm, tm->tm_mday);
	return list_has(text, weekdays, 7, 0, tm->tm_wday);
}

/* One alternative of a date. */
static bool
day_has(char *text, const struct tm *tm)
{
	char *of = strstr(text, " of the month"), ending[3], name[16];
	int n;

	if (of == NULL)
		return weekday_has(text, tm);
	*of = '\0';
	if (strcmp(text, "the last day") == 0)
		return tm->tm_mday == last_day(tm);
	if (strstr(text, " day before ") != NULL &&
	    sscanf(text, "the %d%2s", &n, ending) == 2)
		return tm->tm_mday == last_day(tm) - n;
	if (strcmp(text, "the last weekday") == 0)
		return tm->tm_mday == nearest(tm, last_day(tm));
	if (sscanf(text, "the weekday nearest day %d", &n) == 1)
		return tm->tm_mday == nearest(tm, n);
	if (sscanf(text, "the last %15s", name) == 1)
		return strcmp(name, weekdays[tm->tm_wday]) == 0 &&
		       tm->tm_mday + 7 > last_day(tm);
	if (sscanf(text, "the %d%2s %15s", &n, ending, name) == 3)
		return strcmp(name, weekdays[tm->tm_wday]) == 0 &&
		       (tm->tm_mday + 6) / 7 == n;
	return unit_has(text, "day", 1, 31, tm->tm_mday);
}

/* "… or on …" */
static bool
days_have(const char *text, const struct tm *tm)
{
	char copy[1024], *p = copy, *next;
	bool has = false;

	snprintf(copy, sizeof(copy), "%s", text);
	for (; p != NULL; p = next) {
		if ((next = strstr(p, " or on ")) != NULL) {
			*next = '\0';
			next += strlen(" or on ");
		}
		has = day_has(p, tm) || has;
	}
	return has;
}

/* Cuts the clause that begins with `mark` off, up to the next clause. */
static bool
clause(const char *words, const char *mark, char *to, size_t size)
{
	static const char *const marks[] = {", on ", ", only on ", ", in "};
	const char *from = strstr(words, mark), *end, *next;
	size_t i;

	if (from == NULL)
		return false;
	from += strlen(mark);
	end = from + strlen(from);
	for (i = 0; i < 3; i++)
		if ((next = strstr(from, marks[i])) != NULL && next < end)
			end = next;
	snprintf(to, size, "%.*s", (int)(end - from), from);
	return true;
}

static bool
date_matches(const char *words, const struct tm *tm)
{
	const char *p = words, *at = strstr(words, " at ");
	char text[1024], day[64];

	/* "every Monday and Friday at 09:00" */
	if (begins(words, "every ") && at != NULL) {
		snprintf(day, sizeof(day), "%.*s", (int)(at - words - 6),
			 words + 6);
		if (strcmp(day, "day") != 0 && !weekday_has(day, tm))
			return false;
	}
	if (clause(words, ", on ", text, sizeof(text)) && !days_have(text, tm))
		return false;
	if (clause(words, ", only on ", text, sizeof(text)) &&
	    !days_have(text, tm))
		return false;
	for (; (p = strstr(p, ", in ")) != NULL; p++) {
		clause(p, ", in ", text, sizeof(text));
		if (text[0] >= '0' && text[0] <= '9'
			? !list_has(text, NULL, 0, 0, tm->tm_year + 1900)
			: !list_has(text, months, 12, 0, tm->tm_mon))
			return false;
	}
	return true;
}

/* "09:00, 09:30 and 18:00"; all have seconds, or none has. */
static bool
clock_matches(const char *text, const struct tm *tm)
{
	int hour, minute, second, used;

	for (;;) {
		second = 0;
		ck_assert_int_eq(
		    sscanf(text, "%2d:%2d%n", &hour, &minute, &used), 2);
		text += used;
		if (sscanf(text, ":%2d%n", &second, &used) == 1)
			text += used;
		if (hour == tm->tm_hour && minute == tm->tm_min &&
		    second == tm->tm_sec)
			return true;
		if (begins(text, " and "))
			text += 5;
		else if (begins(text, ", "))
			text += 2;
		else
			return false;
	}
}

/* "every 5 minutes" has no remainder behind its unit. */
static bool
frequency_matches(const char *text, const struct tm *tm, bool *ret)
{
	static const char *const units[] = {"second", "minute", "hour"};
	const int values[] = {tm->tm_sec, tm->tm_min, tm->tm_hour};
	char word[16];
	int n = 1, used = 0, i;

	if (sscanf(text, "every %d %15[a-z]%n", &n, word, &used) != 2 &&
	    sscanf(text, "every %15[a-z]%n", word, &used) != 1)
		return false;
	if (text[used] != '\0' || word[0] == '\0')
		return false;
	for (i = 0; i < 3 && !begins(word, units[i]); i++)
		;
	if (i == 3)
		return false;
	*ret = values[i] % n == 0;
	while (i-- > 0)
		*ret = *ret && values[i] == 0;
	return true;
}

static bool
time_matches(const char *words, const struct tm *tm)
{
	char text[1024], *p, *past, *of;
	const char *end = NULL, *next;
	bool matches;

	for (next = words; (next = strstr(next, ", ")) != NULL; next++)
		if (end == NULL &&
		    (begins(next, ", on ") || begins(next, ", only on ") ||
		     begins(next, ", in ")))
			end = next;
	snprintf(text, sizeof(text), "%.*s",
		 end != NULL ? (int)(end - words) : (int)strlen(words), words);
	if (frequency_matches(text, tm, &matches))
		return matches;
	if ((p = strstr(text, "at ")) != NULL && strchr(text, ':') != NULL)
		return clock_matches(p + 3, tm);
	p = begins(text, "at ") ? text + 3 : text;
	matches = true;
	if ((past = strstr(p, " past ")) != NULL) {
		*past = '\0';
		matches = unit_has(past + 6, "hour", 0, 23, tm->tm_hour);
	}
	if ((of = strstr(p, " of ")) != NULL) {
		*of = '\0';
		matches = matches && unit_has(p, "second", 0, 59, tm->tm_sec);
		p = of + 4;
	} else {
		matches = matches && tm->tm_sec == 0;
	}
	return matches && unit_has(p, "minute", 0, 59, tm->tm_min);
}

/* --- tests --------------------------------------------------------------- */

static bool
expression_time(const struct expression *e, const struct tm *tm)
{
	return expression_part(e, SECOND, tm) &&
	       expression_part(e, MINUTE, tm) && expression_part(e, HOUR, tm);
}

/* Each value of each field of the time, beside one of the others that match, so
 * that no mistake hides behind another field. */
static void
compare_times(const struct expression *e, const char *words, uint64_t *state)
{
	struct tm tm = {.tm_mday = 1}, probe;
	int i, seconds;

	for (i = 0; i < 2000 && !expression_time(e, &tm); i++) {
		seconds = (int)draw(state, 86400);
		tm.tm_sec = draw(state, 2) ? 0 : seconds % 60;
		tm.tm_min = seconds / 60 % 60;
		tm.tm_hour = seconds / 3600;
	}
	for (i = 0; i < 60 + 60 + 24; i++) {
		probe = tm;
		if (i < 60)
			probe.tm_sec = i;
		else if (i < 120)
			probe.tm_min = i - 60;
		else
			probe.tm_hour = i - 120;
		ck_assert_msg(time_matches(words, &probe) ==
				  expression_time(e, &probe),
			      "\"%s\" at %02d:%02d:%02d: \"%s\"", e->text,
			      probe.tm_hour, probe.tm_min, probe.tm_sec, words);
	}
}

static void
compare_dates(const struct expression *e, const char *words, uint64_t *state)
{
	struct tm tm;
	time_t day = 0;
	int i;

	for (i = 0; i < DAYS_A_RULE; i++) {
		/* 1970 to 2107; a run of days, now and then. */
		day = i % 40 == 0 ? (time_t)draw(state, 50000) : day + 1;
		gmtime_r(&(time_t){day * 86400}, &tm);
		ck_assert_msg(date_matches(words, &tm) ==
				  expression_date(e, &tm),
			      "\"%s\"%s on %04d-%02d-%02d: \"%s\"", e->text,
			      e->both ? " (both)" : "", tm.tm_year + 1900,
			      tm.tm_mon + 1, tm.tm_mday, words);
	}
}

START_TEST(the_words_of_random_expressions_are_true)
{
	uint64_t state = SEED;
	struct expression e;
	bool both;
	char *words;
	int i;

	for (i = 0; i < EXPRESSIONS; i++) {
		expression_draw(&e, &state);
		both = !draw(&state, 8);
		words = words_of(e.text, both);
		ck_assert_msg(words != NULL, "\"%s\"", e.text);
		e.both = e.both || both;
		compare_times(&e, words, &state);
		compare_dates(&e, words, &state);
		free(words);
	}
}
END_TEST

START_TEST(every_expression_that_parses_has_words)
{
	FILE *file = fopen(VECTORS, "re");
	char line[512], *p, *text, *words;
	int n = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
	while (fgets(line, sizeof(line), file) != NULL) {
		p = line;
		strsep(&p, "\t");
		text = strsep(&p, "\t");
		if ((words = words_of(text, false)) == NULL)
			continue;
		ck_assert_msg(begins(words, "every ") || begins(words, "at "),
			      "\"%s\": \"%s\"", text, words);
		n++;
		free(words);
	}
	fclose(file);
	ck_assert_int_ge(n, 36);
}
END_TEST

static const struct {
	const char *text, *words;
} cases[] = {
    {"0 9 * * MON-FRI", "every weekday at 09:00"},
    {"0 8-18/2 * * *", "at minute 0 past every 2nd hour from 8 through 18"},
    {"@every 90s", "every 90 seconds"},
    {"@every 1h", "every hour"},
    {"@every 24h", "every 24 hours"},
    {"@every 1.5s", "every 1500 milliseconds"},
    {"* * * * *", "every minute"},
    {"*/5 * * * *", "every 5 minutes"},
    {"*/7 * * * *", "every 7th minute"},
    {"*/10 * * * * *", "every 10 seconds"},
    {"* * * * * *", "every second"},
    {"0 */3 * * *", "every 3 hours"},
    {"0 */6 * * *", "every day at 00:00, 06:00, 12:00 and 18:00"},
    {"@hourly", "every hour"},
    {"@daily", "every day at 00:00"},
    {"@weekly", "every Sunday at 00:00"},
    {"@monthly", "at 00:00, on day 1 of the month"},
    {"@yearly", "at 00:00, on day 1 of the month, in January"},
    {"30 5 9,17 * * *", "every day at 09:05:30 and 17:05:30"},
    {"0 9 * * 0,6", "every weekend day at 09:00"},
    {"0 9 * * MON,WED,FRI", "every Monday, Wednesday and Friday at 09:00"},
    {"0 9 * * MON-THU", "every Monday through Thursday at 09:00"},
    {"*/5 9-17 * * MON-FRI",
     "every 5th minute past hours 9 through 17, on weekdays"},
    {"15 0 L * *", "at 00:15, on the last day of the month"},
    {"15 0 L-2 * *",
     "at 00:15, on the 2nd day before the last day of the month"},
    {"15 0 LW * *", "at 00:15, on the last weekday of the month"},
    {"15 0 15W * *", "at 00:15, on the weekday nearest day 15 of the month"},
    {"15 0 * * TUE#2", "at 00:15, on the 2nd Tuesday of the month"},
    {"15 0 * * 5L", "at 00:15, on the last Friday of the month"},
    {"0 0 1,15 * 5", "at 00:00, on days 1 and 15 of the month or on Fridays"},
    {"0 0 1-7 * +MON",
     "at 00:00, on days 1 through 7 of the month, only on Mondays"},
    {"0 0 0 1 1 * 2030",
     "at 00:00, on day 1 of the month, in January, in 2030"},
    {"0 0 1-31 * 1", "every day at 00:00"},
};

START_TEST(a_rule_is_told_as_a_person_would_tell_it)
{
	char *words = words_of(cases[_i].text, false);

	ck_assert_ptr_nonnull(words);
	ck_assert_str_eq(words, cases[_i].words);
	free(words);
}
END_TEST

SUITE("cron-words")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(a_rule_is_told_as_a_person_would_tell_it, 0,
		  sizeof(cases) / sizeof(cases[0]));
	TEST(every_expression_that_parses_has_words);
	TEST(the_words_of_random_expressions_are_true);
}
