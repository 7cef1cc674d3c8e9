/* SPDX-License-Identifier: MIT */
/* Many tasks at once. */
#include "e2e/load.h"

#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"

struct run *
submit_many_start(struct world *w, size_t n, const char *name, const char *args)
{
	return run_start(w,
			 "yes '{\"name\":\"%s\",\"args\":%s}' | head -n %zu | "
			 "flowrractl --config flowrra.conf submit --stdin "
			 "--force --queue io >/dev/null",
			 name, args, n);
}

void
submit_many(struct world *w, size_t n, const char *name, const char *args)
{
	ck_run(run_end(w, submit_many_start(w, n, name, args)), 0, "");
}

long long
count_records(struct world *w, const char *text)
{
	static const char script[] =
	    "local n = 0 "
	    "for _, k in ipairs(redis.call('KEYS', 'flowrra:task:*')) do "
	    "if string.find(redis.call('GET', k), ARGV[1], 1, true) then "
	    "n = n + 1 end end return n";

	return redis_integer(world_backend(w), "EVAL %s 0 %s", script, text);
}

void
wait_all_done(struct world *w, long long n)
{
	const int64_t deadline = now_ms() + 2 * PATIENCE_MS;
	unsigned int turn = 0;
	long long left = n, flight = 0;

	for (;;) {
		left = n - count_records(w, "\"status\":\"success\"");
		flight =
		    waiting(w, "io") + in_flight(w, "io") + delayed(w, "io");
		if (left == 0 && flight == 0)
			return;
		ck_assert_msg(wait_a_moment(deadline, &turn),
			      "%lld of %lld tasks have no result, %lld are in "
			      "the queue; not successful: %lld failed",
			      left, n, flight,
			      count_records(w, "\"status\":\"failed\""));
	}
}

size_t
count_marks(struct world *w, const char *file)
{
	return strtoul(run(w, "wc -l <%s", file)->out, NULL, 10);
}

size_t
count_different_marks(struct world *w, const char *file)
{
	return strtoul(run(w, "sort -u %s | wc -l", file)->out, NULL, 10);
}
