/* SPDX-License-Identifier: MIT */
/*
 * Reads an expression: the prefix, the words with an @, and the fields. It is
 * read once, when a schedule is made or claimed; what comes out is searched
 * (next.c) without the text.
 */
#include "cron/cron.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "cron/field.h"
#include "cron/flags.h"
#include "util/clock.h"
#include "util/closest.h"
#include "util/err.h"

/* As in cronie's tables and in Go's cron; it goes before the schedule's own
 * zone. */
#define ZONE_PREFIX "CRON_TZ="
/* In the environment, and in Go's cron. */
#define TZ_PREFIX "TZ="
#define EVERY "@every"
#define ALL_DAYS UINT32_C(0x7fffffff) /* 31 */
#define ALL_WEEKDAYS 0x7f	      /* 7 */
#define US_PER_S INT64_C(1000000)
#define ANCHOR_END_US (INT64_C(7258118400) * US_PER_S) /* the year 2200 */

_Static_assert(sizeof(struct cron) <= 104, "schedulers hold very many");

/* Vixie cron's, and Go's @every. @reboot has no meaning here. */
static const struct macro {
	const char *name;
	const char *fields;
} macros[] = {
    {"@yearly", "0 0 1 1 *"},  {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},  {EVERY, NULL},
};

#define N_MACROS (sizeof(macros) / sizeof(macros[0]))

/* Other blanks are more likely a mistake than meant. */
static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *
skip_blanks(const char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

static const char *
skip_word(const char *p)
{
	while (*p != '\0' && !is_blank(*p))
		p++;
	return p;
}

struct slice
cron_zone(const char *text)
{
	const char *p = skip_blanks(text);

	if (strncmp(p, ZONE_PREFIX, strlen(ZONE_PREFIX)) != 0)
		return (struct slice){NULL, 0};
	p += strlen(ZONE_PREFIX);
	return (struct slice){p, (size_t)(skip_word(p) - p)};
}

/* No field is to blame: FIELDS is behind the last of them. */
static int
field_count(struct scan *s, unsigned int count)
{
	s->field = FIELDS;
	return scan_fault(s, CRON_FIELD_COUNT, s->start, s->stop,
			  "found %u; write minute hour day month weekday, or "
			  "six with seconds first, or seven with the year last",
			  count);
}

/* Puts a field's values where they belong. */
static void
parse_store(struct cron *c, enum field_id id, const struct field_set *set)
{
	uint64_t values = set->words[0];

	switch (id) {
	case FIELD_SECOND:
		c->seconds = values;
		break;
	case FIELD_MINUTE:
		c->minutes = values;
		break;
	case FIELD_HOUR:
		c->hours = (uint32_t)values;
		break;
	case FIELD_DAY:
		c->days = (uint32_t)values;
		break;
	case FIELD_MONTH:
		c->months = (uint16_t)values;
		break;
	case FIELD_WEEKDAY:
		/* 7 is Sunday. */
		c->weekdays = (uint8_t)((values | values >> 7) & ALL_WEEKDAYS);
		break;
	default:
		memcpy(c->years, set->words, sizeof(c->years));
	}
	if (id <= FIELD_HOUR && set->star)
		c->flags |= CRON_WILDCARD;
	if ((id == FIELD_DAY || id == FIELD_WEEKDAY) && set->bare)
		c->flags |= CRON_BOTH_DAYS;
}

/* A field's own bounds are kept for messages. "+" before the weekday asks
 * for both day fields to match. */
static int
parse_field(struct scan *s, enum field_id id)
{
	struct field_set set;

	s->field = id;
	s->start = s->p;
	s->stop = s->end;
	if (id == FIELD_WEEKDAY && *s->p == '+') {
		s->cron->flags |= CRON_BOTH_DAYS;
		s->p++;
	}
	if (field_read(s, &set) != 0)
		return -1;
	parse_store(s->cron, id, &set);
	return 0;
}

/* What follows from the fields together. */
static void
set_flags(struct cron *c)
{
	static const struct field_set none;
	struct field_set years = none;
	bool all_days = c->days == ALL_DAYS;
	bool all_weekdays = c->weekdays == ALL_WEEKDAYS;

	field_set_add(&years, FIELD_YEAR, CRON_YEAR_MIN, CRON_YEAR_MAX, 1);
	if (c->minutes == (UINT64_C(1) << 60) - 1 ||
	    c->hours == (UINT32_C(1) << 24) - 1)
		c->flags |= CRON_WILDCARD;
	if (c->months == (1U << 12) - 1 &&
	    memcmp(c->years, years.words, sizeof(c->years)) == 0 &&
	    (c->flags & CRON_BOTH_DAYS ? all_days && all_weekdays
				       : all_days || all_weekdays))
		c->flags |= CRON_EVERY_DAY;
}

/* A zone's name behind the fields, where other schedulers have it; a field of ours
 * has a slash before a number only. */
static int
check_no_zone(struct scan *s, const char *from, const char *to)
{
	const char *slash = memchr(from, '/', (size_t)(to - from));
	const bool utc = to - from == 3 && strncasecmp(from, "UTC", 3) == 0;

	if (!utc && (slash == NULL || to - slash < 2 ||
		     !isalpha((unsigned char)slash[1]) ||
		     !isalpha((unsigned char)*from)))
		return 0;
	return scan_fault(s, CRON_BAD_ZONE, from, to,
			  "it stands in front: write " ZONE_PREFIX
			  "%.*s, or use --tz",
			  (int)(to - from < 64 ? to - from : 64), from);
}

/* Finds where each field begins and ends before it reads any: their number
 * tells which the first is. */
static int
read_fields(struct scan *s, const char *p)
{
	const char *from[FIELDS], *to[FIELDS];
	unsigned int count = 0, i;
	enum field_id first;
	struct field_set set = {.bare = true};

	s->start = s->stop = p;
	for (; *p != '\0'; p = skip_blanks(p)) {
		if (count < FIELDS)
			from[count] = p;
		p = s->stop = skip_word(p);
		if (count < FIELDS)
			to[count] = p;
		count++;
	}
	if (count > 1 && count <= FIELDS &&
	    check_no_zone(s, from[count - 1], to[count - 1]) != 0)
		return -1;
	if (count < 5 || count > FIELDS)
		return field_count(s, count);
	if (count == 5) {
		field_set_add(&set, FIELD_SECOND, 0, 0, 1);
		parse_store(s->cron, FIELD_SECOND, &set);
	}
	if (count < FIELDS) {
		set = (struct field_set){.bare = true};
		field_set_add(&set, FIELD_YEAR, CRON_YEAR_MIN, CRON_YEAR_MAX,
			      1);
		parse_store(s->cron, FIELD_YEAR, &set);
	}
	/* Five fields are cron's; six have seconds in front, as in Quartz; with
	 * seven the year is last. What is not written is second 0, any year. */
	first = count == 5 ? FIELD_MINUTE : FIELD_SECOND;
	for (i = 0; i < count; i++) {
		s->p = from[i];
		s->end = to[i];
		if (parse_field(s, first + i) != 0)
			return -1;
	}
	set_flags(s->cron);
	return 0;
}

/* "@every" and what follows. clock_parse_duration() wants a text that ends, so
 * the word is copied. */
static int
read_every(struct scan *s, const char *p, int64_t anchor_us)
{
	struct err why = ERR_INIT;
	const char *end = skip_word(p);
	/* More than the longest duration that is not out of range. */
	char text[64];
	int64_t period_us;

	s->start = p;
	s->stop = end;
	if (*skip_blanks(end) != '\0' || end == p ||
	    (size_t)(end - p) >= sizeof(text))
		return scan_fault(s, CRON_BAD_DURATION, p, p + strlen(p),
				  "write one duration, as in @every 90s or "
				  "@every 1h30m");
	memcpy(text, p, (size_t)(end - p));
	text[end - p] = '\0';
	if (clock_parse_duration(text, &period_us, &why) != 0 ||
	    cron_interval(period_us, anchor_us, s->cron, &why) != 0)
		return scan_fault(s, CRON_BAD_DURATION, p, end, "%s", why.msg);
	return 0;
}

/* A word that is longer than all of them is not compared. */
static int
unknown_macro(const struct scan *s, const char *from, const char *to)
{
	char typed[16];
	struct closest close = CLOSEST_INIT(typed);
	char names[CLOSEST_TEXT_SIZE];
	size_t len = (size_t)(to - from), i;

	if (len < sizeof(typed)) {
		memcpy(typed, from, len);
		typed[len] = '\0';
		if (strcasecmp(typed, "@minutely") == 0 ||
		    strcasecmp(typed, "@every_minute") == 0)
			return scan_fault(s, CRON_UNKNOWN_NAME, from, to,
					  "write * * * * * or @every 1m");
		for (i = 0; i < N_MACROS; i++)
			closest_offer(&close, macros[i].name);
	}
	if (closest_write(&close, names) > 0)
		return scan_fault(s, CRON_UNKNOWN_NAME, from, to,
				  "did you mean %s?", names);
	return scan_fault(
	    s, CRON_UNKNOWN_NAME, from, to,
	    "known: @yearly, @monthly, @weekly, @daily, @hourly, @every");
}

/* In any case of letters: people write @Daily. */
static int
read_macro(struct scan *s, const char *p, int64_t anchor_us)
{
	const char *end = skip_word(p);
	const char *rest = skip_blanks(end);
	size_t i;

	for (i = 0; i < N_MACROS; i++)
		if (strlen(macros[i].name) == (size_t)(end - p) &&
		    strncasecmp(macros[i].name, p, (size_t)(end - p)) == 0)
			break;
	if (i == N_MACROS)
		return unknown_macro(s, p, end);
	if (macros[i].fields == NULL)
		return read_every(s, rest, anchor_us);
	if (*rest != '\0')
		return scan_fault(s, CRON_FIELD_COUNT, rest,
				  rest + strlen(rest), "%s must stand alone",
				  macros[i].name);
	return read_fields(s, macros[i].fields);
}

static int
parse_all(struct scan *s, const char *p, int64_t anchor_us)
{
	struct slice zone = cron_zone(p);

	p = skip_blanks(p);
	s->start = p;
	s->stop = p + strnlen(p, CRON_TEXT_MAX);
	if (*s->stop != '\0')
		return scan_fault(s, CRON_TOO_LONG, p, s->stop,
				  "at most %d bytes are allowed",
				  CRON_TEXT_MAX);
	if (strncmp(p, TZ_PREFIX, strlen(TZ_PREFIX)) == 0)
		return scan_fault(s, CRON_BAD_ZONE, p, skip_word(p),
				  "write " ZONE_PREFIX
				  "a zone such as Europe/Berlin, or use --tz");
	/* Its name is checked when the zone is looked for. */
	if (zone.p != NULL && zone.len == 0)
		return scan_fault(s, CRON_BAD_ZONE, p, zone.p,
				  "write " ZONE_PREFIX
				  "a zone such as Europe/Berlin");
	if (zone.p != NULL)
		p = skip_blanks(zone.p + zone.len);
	return *p == '@' ? read_macro(s, p, anchor_us) : read_fields(s, p);
}

/* Into a local first: *ret stays as it was if anything is wrong. */
int
cron_parse(const char *text, const struct cron_options *options,
	   struct cron *ret, struct cron_fault *fault, struct err *err)
{
	static const struct cron_options none;
	const struct cron_options *o = options != NULL ? options : &none;
	struct cron cron = {.flags = o->match_both ? CRON_BOTH_DAYS : 0};
	struct scan s = {.text = text,
			 .p = text,
			 .end = text,
			 .field = FIELDS,
			 .seed = o->seed,
			 .cron = &cron,
			 .fault = fault,
			 .err = err};

	if (parse_all(&s, text, o->anchor_us) != 0)
		return -1;
	if (fault != NULL)
		*fault = (struct cron_fault){.code = CRON_NONE};
	*ret = cron;
	return 0;
}

/* A second is what the scheduler can keep; a hundred years is more than anybody
 * waits for. */
int
cron_interval(int64_t period_us, int64_t anchor_us, struct cron *ret,
	      struct err *err)
{
	if (period_us < US_PER_S ||
	    period_us > INT64_C(36525) * 86400 * US_PER_S)
		return err_set(err, ERR_DATA,
			       "a period of %" PRId64 " µs is out of range; "
			       "write 1s to 36525d",
			       period_us);
	if (anchor_us < 0 || anchor_us >= ANCHOR_END_US)
		return err_set(err, ERR_DATA,
			       "a period must begin in the years 1970 to 2199");
	*ret = (struct cron){.period_us = period_us, .anchor_us = anchor_us};
	return 0;
}

bool
cron_doubts_weekdays(const struct cron *cron)
{
	return (cron->flags & CRON_QUARTZ_DAYS) != 0;
}

int
cron_check(const struct cron *cron, const struct tz *zone, int64_t after_us,
	   struct cron_fault *fault, struct err *err)
{
	char after[CLOCK_TEXT_SIZE];
	int64_t next_us;

	if (cron_next(cron, zone, after_us, &next_us))
		return 0;
	if (fault != NULL)
		*fault = (struct cron_fault){.code = CRON_NEVER};
	/* Never at all, or not any more: two different mistakes. */
	if (!cron_next(cron, zone, INT64_MIN, &next_us))
		return err_set(err, ERR_DATA,
			       "cron expression: it never fires, because no "
			       "date matches day of month, month, day of week "
			       "and year together; change one of them");
	clock_format(after_us, after);
	return err_set(
	    err, ERR_DATA,
	    "cron expression: it does not fire after %s; change its year",
	    after);
}
