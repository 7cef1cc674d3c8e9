/* SPDX-License-Identifier: MIT */
#include "codec/task_text.h"

#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "util/err.h"

struct task *
task_text_decode(const char *text)
{
	/* A block of the exact size, gone before the task is looked at. */
	size_t len = strlen(text);
	char *exact = malloc(len);
	struct task *task = NULL;
	struct err err = ERR_INIT;

	memcpy(exact, text, len);
	ck_assert_msg(task_decode((struct slice){exact, len}, &task, &err) == 0,
		      "%s", err.msg);
	memset(exact, '#', len);
	free(exact);
	return task;
}
