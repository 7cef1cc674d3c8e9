/* SPDX-License-Identifier: MIT */
/* Tasks as texts, for tests that read or write them. */
#ifndef TESTS_CODEC_TASK_TEXT_H
#define TESTS_CODEC_TASK_TEXT_H

#include "codec/task_json.h"

/* As the Python package writes it. */
#define PYTHON_TASK                                                            \
	"{\"id\": \"8fb37713-716f-438c-884e-c73492692d08\", "                  \
	"\"name\": \"add\", \"args\": [1, 2], \"kwargs\": {}, "                \
	"\"max_retries\": 3, \"retry_delay\": 1.0, \"current_retry\": 0, "     \
	"\"priority\": 0, \"cpu_bound\": false}"
/* The beginning of a task, with what it must have. */
#define BASE "{\"id\":\"1\",\"name\":\"n\","

/* The task, which must be one; task_free() it. */
struct task *task_text_decode(const char *text);

#endif
