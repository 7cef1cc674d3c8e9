/* SPDX-License-Identifier: MIT */
/* How values look in a table: for people, short. A value of another type than
 * expected leaves the cell empty (shown as "-"), since anybody may write to the
 * stores. --json has the values as they are. */
#include <stdint.h>
#include <string.h>

#include "table.h"
#include "util/clock.h"

#define US_PER_S 1000000

/* -1: it is not a time. */
static int
read_time(const json_t *value, int64_t *ret_us)
{
	return json_is_string(value)
		   ? clock_parse(json_string_value(value), ret_us, NULL)
		   : -1;
}

/* Whether what read_time() took has no offset. */
static bool
is_naive(const char *text)
{
	return strpbrk(text + strlen("2026-11-23T"), "Zz+-") == NULL;
}

/* Whether cell_time() tells times from now. Only while a table is drawn for a
 * person. */
static bool relative;

void
cells_relative(bool on)
{
	relative = on;
}

/* The two largest units, "3d4h": more digits are noise at that age. Below 10 s
 * with a tenth, since that is the range in which tasks run. A negative one is a
 * clock that differs, and shown as 0. */
static void
add_duration(double seconds, struct buf *out)
{
	static const struct {
		int64_t seconds;
		char letter;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	int64_t left = seconds > 0 ? (int64_t)seconds : 0;
	int shown = 0;
	size_t i;

	if (seconds < 10) {
		buf_addf(out, "%.1fs", seconds > 0 ? seconds : 0);
		return;
	}
	for (i = 0; i < sizeof(units) / sizeof(units[0]) && shown < 2; i++) {
		if (shown == 0 && left < units[i].seconds)
			continue;
		if (shown == 0 || left >= units[i].seconds)
			buf_addf(out, "%lld%c",
				 (long long)(left / units[i].seconds),
				 units[i].letter);
		left %= units[i].seconds;
		shown++;
	}
}

/* "3m12s ago", "in 2h"; a moment is "now". */
static void
add_distance(int64_t us, struct buf *out)
{
	const double seconds = (double)(us - clock_wall_us()) / US_PER_S;

	if (seconds > -1 && seconds < 1) {
		buf_adds(out, "now");
		return;
	}
	buf_adds(out, seconds > 0 ? "in " : "");
	add_duration(seconds > 0 ? seconds : -seconds, out);
	buf_adds(out, seconds > 0 ? "" : " ago");
}

/* To the second, in UTC, with the Z that says so. */
void
cell_time(const json_t *value, struct buf *out)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t us;

	if (read_time(value, &us) != 0)
		return;
	/* A local time without an offset is shown as it is. */
	if (is_naive(json_string_value(value))) {
		buf_addf(out, "%.19s", json_string_value(value));
		return;
	}
	if (relative) {
		add_distance(us, out);
		return;
	}
	clock_format(us, text);
	buf_addf(out, "%.19sZ", text);
}

void
cell_when(const json_t *value, struct buf *out)
{
	int64_t us;

	if (relative && read_time(value, &us) == 0 &&
	    !is_naive(json_string_value(value)))
		add_distance(us, out);
	else if (json_is_string(value))
		buf_adds(out, json_string_value(value));
}

void
cell_age(const json_t *value, struct buf *out)
{
	int64_t us;

	if (read_time(value, &us) == 0)
		add_duration((double)(clock_wall_us() - us) / US_PER_S, out);
}

void
cell_duration(const json_t *value, struct buf *out)
{
	if (json_is_number(value))
		add_duration(json_number_value(value), out);
}

/* Powers of 1024 with one digit, as ls -h and systemctl status show memory. */
void
cell_bytes(const json_t *value, struct buf *out)
{
	static const char units[] = "KMGT";
	double n = json_number_value(value);
	size_t i;

	if (!json_is_number(value))
		return;
	if (n < 1024) {
		buf_addf(out, "%.0f", n);
		return;
	}
	n /= 1024;
	for (i = 0; n >= 1024 && i + 2 < sizeof(units); i++)
		n /= 1024;
	buf_addf(out, "%.1f%c", n, units[i]);
}

/* What is not a text is left out, not shown as JSON. */
void
cell_list(const json_t *value, struct buf *out)
{
	const char *text;
	json_t *one;
	size_t i;

	json_array_foreach (value, i, one)
		if ((text = json_string_value(one)) != NULL)
			buf_addf(out, "%s%s", out->len > 0 ? "," : "", text);
}

void
cell_paused(const json_t *value, struct buf *out)
{
	buf_adds(out, json_is_true(value) ? "paused" : "active");
}

/* "io 1/4, cpu 0/2": those that are busy, and those there are. */
void
cell_slots(const json_t *value, struct buf *out)
{
	const char *name;
	json_t *kind;

	json_object_foreach ((json_t *)value, name, kind)
		buf_addf(out, "%s%s %lld/%lld", out->len > 0 ? ", " : "", name,
			 (long long)json_integer_value(
			     json_object_get(kind, "tasks")),
			 (long long)json_integer_value(
			     json_object_get(kind, "slots")));
}
