/* SPDX-License-Identifier: MIT */
/* Values that are too deep to be written: the task fails, the executor stays. */
#include <string.h>

#include "codec/scan.h"
#include "core/task.h"
#include "executor/driver.h"
#include "module/dump.h"
#include "suite.h"

_Static_assert(DUMP_DEPTH_MAX == TASK_DEPTH_MAX, "one limit of depth");

static const struct {
	const char *name, *args;
	enum ipc_outcome outcome;
	const char *text;
} deep[] = {
    {"deep", "[500]", IPC_SUCCESS, "[[[[[["},
    {"deep", "[501]", IPC_FAILED_FINAL,
     "the result is too deep: more than 500"},
    {"deep", "[300000]", IPC_FAILED_FINAL, "too deep"},
    {"deep_objects", "[500]", IPC_SUCCESS, "{\"a\":{\"a\":"},
    {"deep_objects", "[300000]", IPC_FAILED_FINAL, "too deep"},
    {"deep_async", "[500]", IPC_SUCCESS, "[[[[[["},
    {"deep_async", "[300000]", IPC_FAILED_FINAL, "too deep"},
    {"deep_failed", "[300000]", IPC_FAILED_FINAL, "on purpose"},
    {"deep_progress", "[300000]", IPC_FAILED_FINAL, "progress was refused"},
    {"deep_submit", "[300000]", IPC_FAILED_FINAL, "task was refused"},
    {"doubled", "[400]", IPC_FAILED_FINAL, "larger than 65536 bytes"},
    {"doubled", "[1000]", IPC_FAILED_FINAL, "too deep"},
};

/* The same executor answers afterwards: it has not crashed. */
START_TEST(what_is_too_deep_fails_its_task_alone)
{
	struct driver_end end;
	struct driver d;
	struct ipc_message m;
	struct scan_value value;

	driver_start(&d, 1, "deep noop");
	driver_run(&d, 1, deep[_i].name, deep[_i].args);
	do
		m = driver_next(&d);
	while (m.type == IPC_STARTED || m.type == IPC_LOG ||
	       m.type == IPC_PROGRESS);
	ck_assert_int_eq(m.type, IPC_DONE);
	ck_assert_uint_eq(((const struct ipc_done *)m.fixed)->outcome,
			  deep[_i].outcome);
	ck_assert_msg(memmem(m.rest.p, m.rest.len, deep[_i].text,
			     strlen(deep[_i].text)) != NULL,
		      "%.*s", (int)m.rest.len, m.rest.p);
	/* What is written is what the daemon takes. */
	ck_assert_int_eq(deep[_i].outcome == IPC_SUCCESS,
			 scan_check(m.rest, TASK_DEPTH_MAX, &value, NULL) == 0);
	driver_run(&d, 2, "noop", "[]");
	end = driver_end(&d);
	ck_assert_uint_eq(end.number, 2);
	ck_assert_uint_eq(end.done.outcome, IPC_SUCCESS);
	driver_stop(&d);
}
END_TEST

SUITE("executor-deep")
{
	TEST_LOOP(what_is_too_deep_fails_its_task_alone, 0,
		  sizeof(deep) / sizeof(deep[0]));
}
