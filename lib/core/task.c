/* SPDX-License-Identifier: MIT */
/* What a task's ID and names may look like. */
#include "core/task.h"

bool
task_name_valid(struct slice text, size_t max)
{
	return name_valid(text, max);
}

/*
 * Wider than names: producers bring IDs of their own (a UUID, an order's number
 * with slashes). Blanks and control characters would break log lines and the
 * lists of flowrractl; bytes beyond ASCII are refused, because equal text can
 * have different bytes in Unicode.
 */
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
