/* SPDX-License-Identifier: MIT */
/*
 * The items of a field that are not values: H, which spreads schedules evenly
 * and is the same each time for the same schedule (Jenkins has it), and L, the
 * last day.
 */
#include "cron/field.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "cron/flags.h"

/* One number of the seed for each field: the finalizer of SplitMix64. */
static uint64_t
item_mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t
cron_seed(struct slice id)
{
	/* Offset and prime of FNV-1a with 64 bits. It mixes its last bytes
	 * badly, and ids differ there: so item_mix() follows. */
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	size_t i;

	for (i = 0; i < id.len; i++)
		hash =
		    (hash ^ (unsigned char)id.p[i]) * UINT64_C(0x100000001b3);
	return item_mix(hash);
}

/* Reads "a-b)". */
static int
read_bounds(struct scan *s, unsigned int *first, unsigned int *last)
{
	const char *from = s->p;

	if (value_read(s, first) != 0)
		return -1;
	if (s->p < s->end && *s->p == '-') {
		s->p++;
		if (value_read(s, last) != 0)
			return -1;
		if (*first > *last)
			return scan_fault(s, CRON_REVERSED_RANGE, from, s->p,
					  "the smaller value comes first");
		if (s->p < s->end && *s->p == ')') {
			s->p++;
			return 0;
		}
	}
	return scan_fault(s, CRON_BAD_ITEM, from - 2, s->end,
			  "write H(a-b) or H(a-b)/n");
}

int
item_read_drawn(struct scan *s, struct field_set *set)
{
	const struct field *field = &fields[s->field];
	const char *from = s->p;
	unsigned int first = field->min, last = field->drawn, step;
	/* Another number for each field, or minute and second would be
	 * alike. */
	uint64_t drawn = item_mix(s->seed ^ item_mix(s->field));
	unsigned int choices;
	bool steps;

	s->p++;
	if (s->p < s->end && *s->p == '(') {
		s->p++;
		if (read_bounds(s, &first, &last) != 0)
			return -1;
	}
	steps = s->p < s->end && *s->p == '/';
	if (item_read_step(s, &step) != 0)
		return -1;
	if (s->p < s->end && isalpha((unsigned char)*s->p))
		return value_fault_name(s, from, s->end);
	if (s->p < s->end)
		return scan_fault(s, CRON_BAD_ITEM, from, s->end,
				  "write H, H/n, H(a-b) or H(a-b)/n");
	/* The first of the values, so that at least one is in the range. */
	choices = last - first + 1;
	if (steps && step < choices)
		choices = step;
	first += (unsigned int)(drawn % choices);
	field_set_add(set, s->field, first, steps ? last : first, step);
	return 0;
}

int
item_read_last_day(struct scan *s)
{
	const char *from = s->p;
	size_t len = (size_t)(s->end - from);
	unsigned int before = 0;

	s->cron->flags |= CRON_SPECIAL_DAYS;
	if (len == 2 && toupper((unsigned char)from[1]) == 'W') {
		/* Bit 31 is LW: the 32nd day is free. */
		s->cron->nearest |= UINT32_C(1) << 31;
		return 0;
	}
	if (len > 1 && isalpha((unsigned char)from[1]))
		return value_fault_name(s, from, s->end);
	if (len > 1 && from[1] != '-')
		return scan_fault(s, CRON_BAD_ITEM, from, s->end,
				  "write L, LW or L-n");
	if (len > 1) {
		s->p = from + 2;
		if (value_read(s, &before) != 0)
			return -1;
		if (s->p < s->end || before > 30)
			return scan_fault(s, CRON_OUT_OF_RANGE, from, s->end,
					  "write L-1 to L-30");
	}
	s->cron->from_last |= UINT32_C(1) << (31 - before);
	return 0;
}
