/* SPDX-License-Identifier: MIT */
/* What a task's id and names may look like. */
#include "core/task.h"

static bool
is_name_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

bool
task_name_valid(struct slice text, size_t max)
{
	size_t i;

	if (text.len == 0 || text.len > max)
		return false;
	for (i = 0; i < text.len; i++)
		if (!is_name_byte((unsigned char)text.p[i]))
			return false;
	return true;
}

bool
task_id_valid(struct slice text)
{
	size_t i;

	if (text.len == 0 || text.len > TASK_ID_MAX)
		return false;
	for (i = 0; i < text.len; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return false;
	return true;
}
