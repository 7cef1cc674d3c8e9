/* SPDX-License-Identifier: MIT */
/* Tasks that handlers submit, with all options, on both stores. */
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"

#define ID "an-id-of-its-own-of-thirty-six-bytes"

START_TEST(a_handler_submits_with_all_options)
{
	const struct world_options o = {.embedded = _i == 1,
					.modules = "submit_options plain",
					.config = "[worker]\nqueues = io q\n"};
	struct world *w = world_start(&o);
	const char *json;

	ctl_ok(w, "queue pause q");
	ck_assert_str_eq(submit(w, "today --wait"), "[0,36]");
	json = ctl_ok(w, "export");
	ck_assert_msg(strstr(json, ID) != NULL &&
			  strstr(json, "retry_jitter\\\":0.5") != NULL &&
			  strstr(json, "retry_backoff\\\":1.25") != NULL &&
			  strstr(json, "retry_delay_max\\\":8.5") != NULL &&
			  strstr(json, "2030-03-17T17:46:40") != NULL,
		      "%s", json);
	/* Both give the same id, that of the first. */
	ck_assert_str_eq(submit(w, "at --wait"), "[0,36]");
	ck_assert_str_eq(submit(w, "at --wait"), "[0,36]");
	ck_assert_str_eq(
	    ctl_ok(w, "export | grep -c 'due_at\":\"2027-01-15T08:00:00'"),
	    "1");
	world_stop(w);
}
END_TEST

SUITE("subtask")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_handler_submits_with_all_options, 0, 2);
}
