/* SPDX-License-Identifier: MIT */
/* What a task's id and names may look like. */
#include "core/task.h"

bool
task_name_valid(struct slice text, size_t max)
{
	return name_valid(text, max);
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
