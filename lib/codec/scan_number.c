/* SPDX-License-Identifier: MIT */
/*
 * Numbers in a JSON text.
 *
 * They are checked when the text is scanned, and converted only when somebody
 * asks: most numbers are arguments of a handler, whose own parser reads them.
 */
#include "codec/scan_int.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/err.h"

static bool
is_digit(const struct scan *s, const unsigned char *p)
{
	return p < s->end && *p >= '0' && *p <= '9';
}

static const unsigned char *
skip_digits(const struct scan *s, const unsigned char *p)
{
	if (!is_digit(s, p))
		return scan_fail(s, p, "a digit is expected here");
	while (is_digit(s, p))
		p++;
	return p;
}

/* Digits of any whole number of 64 bits, and of any number whose exponent has
 * two digits and which is finite and not rounded to zero. */
#define WHOLE_DIGITS 18
#define PLAIN_LENGTH 100
#define PLAIN_EXPONENT 2

/* Whether a program that knows int64_t and double can take it. Nearly all
 * numbers are so short that nothing needs to be converted. */
static bool
number_is_exact(const unsigned char *begin, const unsigned char *exponent,
		const unsigned char *end, bool whole)
{
	const struct scan_value number = {
	    .type = SCAN_NUMBER,
	    .text = {(const char *)begin, (size_t)(end - begin)}};
	const unsigned char *p = begin;
	int64_t integer;
	double real = 0;

	if (whole)
		return end - begin <= WHOLE_DIGITS ||
		       scan_int64(&number, &integer, NULL) == 0;
	if (end - begin <= PLAIN_LENGTH && end - exponent <= PLAIN_EXPONENT)
		return true;
	if (scan_double(&number, &real, NULL) != 0)
		return false;
	while (p < end && *p != 'e' && *p != 'E' && (*p < '1' || *p > '9'))
		p++;
	return real != 0 || p == end || *p == 'e' || *p == 'E';
}

static const unsigned char *
skip_exponent(const struct scan *s, const unsigned char *p,
	      const unsigned char **ret_digits)
{
	p++;
	if (p < s->end && (*p == '+' || *p == '-'))
		p++;
	*ret_digits = p;
	return skip_digits(s, p);
}

/* What follows a whole number that is not negative and short, which most
 * numbers are; NULL for any other. */
static const unsigned char *
scan_short_whole(const struct scan *s, const unsigned char *p)
{
	const unsigned char *begin = p;

	while (is_digit(s, p))
		p++;
	if (p == begin || p - begin > WHOLE_DIGITS ||
	    (*begin == '0' && p - begin > 1) ||
	    (p < s->end && (*p == '.' || *p == 'e' || *p == 'E')))
		return NULL;
	return p;
}

/* The grammar of RFC 8259, section 6. `p` is at a digit or at '-'. */
const unsigned char *
scan_number(struct scan *s, const unsigned char *p)
{
	const unsigned char *begin = p, *exponent = NULL;
	const unsigned char *end = scan_short_whole(s, p);
	bool whole = true;

	if (end != NULL)
		return end;
	if (*p == '-' && ++p < s->end && *p == 'I')
		return scan_fail(s, p - 1, "-Infinity is not JSON");
	if (p < s->end && *p == '0' && is_digit(s, p + 1))
		return scan_fail(s, p, "a number may not begin with 0");
	if ((p = skip_digits(s, p)) == NULL)
		return NULL;
	if (p < s->end && *p == '.') {
		whole = false;
		if ((p = skip_digits(s, p + 1)) == NULL)
			return NULL;
	}
	if (p < s->end && (*p == 'e' || *p == 'E')) {
		whole = false;
		if ((p = skip_exponent(s, p, &exponent)) == NULL)
			return NULL;
	}
	if (!number_is_exact(begin, exponent != NULL ? exponent : p, p, whole))
		scan_note_inexact(s, begin);
	return p;
}

/*
 * Exact, and not by way of a double, which has only 53 bits. "1.0" and "1e3"
 * are refused, though their values are whole: other readers of the same task
 * (Lua, Go, Python) would take them for another type.
 */
int
scan_int64(const struct scan_value *number, int64_t *ret, struct err *err)
{
	const char *p = number->text.p;
	const char *end = p + number->text.len;
	bool negative = *p == '-';
	int64_t value = 0;

	/* Negative, because there is one more of these. */
	for (p += negative; p < end; p++) {
		if (*p < '0' || *p > '9')
			return err_set(err, ERR_DATA,
				       "must be a whole number without "
				       "fraction or exponent");
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, *p - '0', &value))
			goto range;
	}
	if (!negative && __builtin_sub_overflow(0, value, &value))
		goto range;
	*ret = value;
	return 0;
range:
	return err_set(err, ERR_DATA, "the number does not fit into 64 bits");
}

/* With at most this many digits, the digits without their point are a double
 * that is exact, and so is the power of ten that they are to be divided by. */
#define EXACT_DIGITS 15

/* What nearly all numbers of a task are: "0.0", "2.5". One division rounds
 * once, as strtod() does. False for any other. */
static bool
scan_short_double(struct slice text, double *ret)
{
	static const double powers[EXACT_DIGITS + 1] = {
	    1e0, 1e1, 1e2,  1e3,  1e4,	1e5,  1e6,  1e7,
	    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	const char *p = text.p, *end = p + text.len, *point = end;
	const bool negative = *p == '-';
	int64_t digits = 0;
	double value;

	/* A processor that calculates with more bits would round twice. */
	if (FLT_EVAL_METHOD != 0 || text.len > EXACT_DIGITS + 1)
		return false;
	for (p += negative; p < end; p++) {
		if (*p == '.')
			point = p + 1;
		else if (*p >= '0' && *p <= '9')
			digits = digits * 10 + (*p - '0');
		else
			return false;
	}
	value = (double)digits / powers[end - point];
	*ret = negative ? -value : value;
	return true;
}

int
scan_double(const struct scan_value *number, double *ret, struct err *err)
{
	locale_t locale;
	char small[64];
	char *text = small;
	double value;

	if (scan_short_double(number->text, ret))
		return 0;
	/* glibc has this locale ready: nothing to free. Others write 1,5. */
	locale = newlocale(LC_ALL_MASK, "C", NULL);
	/* A copy with a NUL, since the number may be the last of its text. */
	if (number->text.len >= sizeof(small) &&
	    (text = malloc(number->text.len + 1)) == NULL)
		return err_nomem(err);
	memcpy(text, number->text.p, number->text.len);
	text[number->text.len] = '\0';
	value = strtod_l(text, NULL, locale);
	if (text != small)
		free(text);
	if (!isfinite(value))
		return err_set(err, ERR_DATA,
			       "the number is beyond the range of a double");
	*ret = value;
	return 0;
}
