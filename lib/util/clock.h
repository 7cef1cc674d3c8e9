/* SPDX-License-Identifier: MIT */
/*
 * Time. All of the project reads its clocks here, and tests put another source
 * in their place.
 *
 * The monotonic clock measures durations and deadlines inside a process; the
 * wall clock stamps what people and other machines see.
 */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>

/* Microseconds since some point in the past; never steps. */
int64_t clock_mono_us(void);
/* Milliseconds of the same clock. */
int64_t clock_mono_ms(void);
/* The same, but it goes on while the machine sleeps: for how long others have
 * heard nothing of us. */
int64_t clock_boot_us(void);
int64_t clock_boot_ms(void);
/* Microseconds since 1970-01-01T00:00:00Z; steps when somebody sets it. */
int64_t clock_wall_us(void);

/* Sources for tests; NULL gives the system's clock back. */
struct clock_source {
	int64_t (*mono_us)(void);
	int64_t (*wall_us)(void);
};
void clock_replace(const struct clock_source *source);

/* "2026-11-23T11:53:08.846827+00:00" and a NUL (RFC 3339, UTC). */
#define CLOCK_TEXT_SIZE 33
void clock_format(int64_t wall_us, char text[CLOCK_TEXT_SIZE]);

/*
 * How a time is written where programs of other kinds read it, too, and what
 * one without an offset means there.
 *
 *	utc	as clock_format() has it; without an offset it is UTC
 *	naive	local time without an offset, as Python's
 *		datetime.now().isoformat() has it
 *
 * A naive time is ambiguous in the hour that a clock is set back by.
 */
enum clock_form { CLOCK_FORM_UTC, CLOCK_FORM_NAIVE };
void clock_format_as(enum clock_form form, int64_t wall_us,
		     char text[CLOCK_TEXT_SIZE]);

/* How long it is, in seconds, for people: of any number, since a difference of
 * times that others wrote may be the lowest one, which has no negative. */
double clock_length_s(int64_t us);

struct err;
/*
 * Reads an RFC 3339 time; "T" may be a space, the fraction has 0 to 9 digits.
 * A time with no offset is taken as UTC. Years 1970 to 9999.
 */
int clock_parse(const char *text, int64_t *ret_wall_us, struct err *err);
int clock_parse_as(enum clock_form form, const char *text, int64_t *ret_wall_us,
		   struct err *err);

/*
 * Reads a duration: a number of seconds ("90", "1.5"), or numbers with the
 * units ms, s, m, h, d, w one after the other ("1h30m"). Not negative, at most
 * 100 years.
 */
int clock_parse_duration(const char *text, int64_t *ret_us, struct err *err);

#endif
