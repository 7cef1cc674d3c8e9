/* SPDX-License-Identifier: MIT */
/*
 * The Gregorian calendar of the years 1970 to 2199, counted in days since
 * 1970-01-01, as fast as it can be told from them: between 1968 and 2200 only
 * one year, 2100, is not a leap year although 4 divides it.
 */
#ifndef CRON_DAYS_H
#define CRON_DAYS_H

#include <stdbool.h>
#include <stdint.h>

#define DAYS_END 84006		/* 2200-01-01 */
#define DAYS_NO_LEAP_2100 47541 /* 2100-03-01 */
#define DAY_S 86400

struct date {
	unsigned int year;  /* 1970-2199 */
	unsigned int month; /* 0-11 */
	unsigned int day;   /* 0-30 */
};

static inline bool
days_is_leap(unsigned int year)
{
	return year % 4 == 0 && year != 2100;
}

/* Sunday is 0; 1970 began on a Thursday. */
static inline unsigned int
days_weekday(unsigned int days)
{
	return (days + 4) % 7;
}

/* The date, with years that begin in March so that the leap day is the last of
 * its year; the missing one of 2100 is put in. */
static inline struct date
days_date(unsigned int days)
{
	unsigned int since = days + 671; /* 1968-03-01 */
	unsigned int years, in_year, march;

	since += days >= DAYS_NO_LEAP_2100;
	years = (4 * since + 3) / 1461;
	in_year = since - 1461 * years / 4;
	march = (5 * in_year + 2) / 153; /* months since March */
	return (struct date){.year = 1968 + years + (march >= 10),
			     .month = march < 10 ? march + 2 : march - 10,
			     .day = in_year - (153 * march + 2) / 5};
}

/* The days before a year, and those before one of its months. */
static inline unsigned int
days_before_year(unsigned int year)
{
	unsigned int years = year - 1970;

	return 365 * years + (years + 1) / 4 - (year > 2100);
}

static inline unsigned int
days_before_month(bool leap, unsigned int month)
{
	static const uint16_t before[2][12] = {
	    {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334},
	    {0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335},
	};

	return before[leap][month];
}

static inline unsigned int
days_in_month(bool leap, unsigned int month)
{
	static const uint8_t in[12] = {31, 28, 31, 30, 31, 30,
				       31, 31, 30, 31, 30, 31};

	return in[month] + (leap && month == 1);
}

#endif
