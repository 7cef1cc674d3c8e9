/* SPDX-License-Identifier: MIT */
/*
 * Writes the members of a JSON object.
 *
 * A key comes as text that includes its quotes, its colon and the brace or
 * comma before it (WRITE_FIRST, WRITE_NEXT), made by the compiler: a member
 * costs two copies and no formatting. printf() would be most of the cost of a
 * record.
 */
#include "codec/write.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/scan.h"
#include "util/clock.h"

#define US_PER_S UINT64_C(1000000)
/* A sign and 19 digits. */
#define INT64_DIGITS 20

static void
write_bytes(struct buf *out, struct slice text)
{
	buf_add(out, text.p, text.len);
}

void
write_text(struct buf *out, struct slice key, struct slice text)
{
	write_bytes(out, key);
	scan_quote(out, text);
}

void
write_json(struct buf *out, struct slice key, struct slice json,
	   struct slice otherwise)
{
	write_bytes(out, key);
	write_bytes(out, json.len > 0 ? json : otherwise);
}

void
write_bool(struct buf *out, struct slice key, bool value)
{
	write_bytes(out, key);
	write_bytes(out, value ? SLICE("true") : SLICE("false"));
}

void
write_int64(struct buf *out, int64_t value)
{
	char digits[INT64_DIGITS];
	char *p = digits + sizeof(digits);
	/* As unsigned, since -INT64_MIN does not fit. */
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do
		*--p = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (value < 0)
		*--p = '-';
	buf_add(out, p, (size_t)(digits + sizeof(digits) - p));
}

void
write_whole(struct buf *out, struct slice key, int64_t value)
{
	write_bytes(out, key);
	write_int64(out, value);
}

void
write_double(struct buf *out, struct slice key, double value)
{
	/* glibc has this locale ready: nothing to free. Others write 1,5. */
	locale_t c = newlocale(LC_ALL_MASK, "C", NULL);
	locale_t before = uselocale(c);
	char text[32];

	/* 17 digits give any double back, but turn 0.1 into
	 * 0.10000000000000001. */
	snprintf(text, sizeof(text), "%.15g", value);
	if (strtod(text, NULL) != value)
		snprintf(text, sizeof(text), "%.17g", value);
	uselocale(before);
	write_bytes(out, key);
	buf_adds(out, text);
}

/* Exact, from the whole number. At least one digit follows the point, so that
 * typed readers see a floating-point number in every case. */
void
write_seconds(struct buf *out, struct slice key, int64_t us)
{
	uint64_t left = us < 0 ? -(uint64_t)us : (uint64_t)us;
	uint64_t scale = US_PER_S / 10;

	write_bytes(out, key);
	if (us < 0)
		buf_addc(out, '-');
	write_int64(out, (int64_t)(left / US_PER_S));
	buf_addc(out, '.');
	left %= US_PER_S;
	do {
		buf_addc(out, (char)('0' + left / scale));
		left %= scale;
		scale /= 10;
	} while (left > 0);
}

void
write_time(struct buf *out, struct slice key, int64_t wall_us)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(wall_us, text);
	write_bytes(out, key);
	buf_addc(out, '"');
	buf_add(out, text, CLOCK_TEXT_SIZE - 1);
	buf_addc(out, '"');
}

void
write_time_as(struct buf *out, struct slice key, enum clock_form form,
	      int64_t wall_us)
{
	char text[CLOCK_TEXT_SIZE];

	if (form == CLOCK_FORM_UTC) {
		write_time(out, key, wall_us);
		return;
	}
	clock_format_as(form, wall_us, text);
	write_bytes(out, key);
	buf_addc(out, '"');
	buf_adds(out, text);
	buf_addc(out, '"');
}

void
write_end(struct buf *out)
{
	buf_addc(out, '}');
}
