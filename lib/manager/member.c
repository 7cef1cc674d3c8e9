/* SPDX-License-Identifier: MIT */
/* Members of the JSON objects that the manager makes and reads. */
#include "manager/member.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

/* In UTC, whatever the clock of the reader, and always with microseconds: so that
 * texts sort as times do. */
json_t *
member_of_time(int64_t wall_us)
{
	char text[CLOCK_TEXT_SIZE];

	if (wall_us == 0)
		return json_null();
	clock_format(wall_us, text);
	return json_string(text);
}

/* jansson refuses what is not UTF-8. Names of files and messages of a server
 * may be anything, and a question mark shows more than nothing. */
json_t *
member_of_text(const char *text)
{
	json_t *json = json_string(text);
	char *copy, *p;

	if (json != NULL || (copy = strdup(text)) == NULL)
		return json;
	for (p = copy; *p != '\0'; p++)
		if ((unsigned char)*p > 127)
			*p = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

const char *
member_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

int64_t
member_time_us(const json_t *object, const char *name)
{
	const char *text = member_text(object, name);
	int64_t us = 0;

	if (text == NULL || clock_parse(text, &us, NULL) != 0)
		return 0;
	return us;
}
