/* SPDX-License-Identifier: MIT */
/* What a program loads when it starts, and what only once it is used. */
#include <string.h>

#include "e2e/world.h"

/* What some programs never use; a worker on Redis has no database, and so on. */
static const char *const seldom[] = {"libsqlite3", "libhiredis",
				     "libevent_extra", "libevent_openssl",
				     "libsmartcols"};
#define N_SELDOM (sizeof(seldom) / sizeof(seldom[0]))

START_TEST(no_program_begins_with_what_it_may_not_use)
{
	static const char *const programs[] = {
	    "bin/flowrractl", "bin/flowrrad", "bin/flowrra-beat",
	    "bin/flowrra-web", "lib/libflowrra.so.0"};
	struct world *w = world_start(
	    &(struct world_options){.embedded = true, .no_worker = true});
	const char *needed;
	size_t i, n;

	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		needed = run(w, "readelf -d %s | grep NEEDED",
			     world_built(w, programs[i]))
			     ->out;
		ck_assert_msg(strstr(needed, "libjansson") != NULL, "%s: %s",
			      programs[i], needed);
		for (n = 0; n < N_SELDOM; n++)
			ck_assert_msg(strstr(needed, seldom[n]) == NULL,
				      "%s links %s", programs[i], seldom[n]);
	}
	world_stop(w);
}
END_TEST

/* Whether the loader has mentioned any of a list while a task was submitted. */
static void
submission_loads(struct world *w, const char *only)
{
	const char *told = run(w, "LD_DEBUG=files flowrractl -c flowrra.conf "
				  "submit add 2 3 2>&1")
			       ->out;
	size_t n;

	for (n = 0; n < N_SELDOM; n++)
		ck_assert_msg((strstr(told, seldom[n]) != NULL) ==
				  (strcmp(seldom[n], only) == 0),
			      "%s", seldom[n]);
}

START_TEST(a_submission_into_a_file_loads_sqlite)
{
	/* Where no worker submits for it. */
	struct world *w = world_start(
	    &(struct world_options){.embedded = true, .no_worker = true});

	submission_loads(w, "libsqlite3");
	world_stop(w);
}
END_TEST

START_TEST(a_submission_to_a_server_loads_hiredis)
{
	struct world *w = world_start(NULL);

	submission_loads(w, "libhiredis");
	world_stop(w);
}
END_TEST

/* In front of the true one, under each of its names, lies a file that is no
 * library. */
static struct run *
without(struct world *w, const char *library, const char *command)
{
	return run(w,
		   "mkdir -p broken && (cd broken && touch $(ls /lib/*/%s.so.* "
		   "/usr/lib/%s.so.* 2>/dev/null | sed 's|.*/||')) && "
		   "LD_LIBRARY_PATH=$PWD/broken %s; s=$?; rm -r broken; "
		   "exit $s",
		   library, library, command);
}

START_TEST(a_library_that_cannot_be_loaded_is_named)
{
	/* A worker would submit for it, without the library. */
	struct world *w = world_start(
	    &(struct world_options){.embedded = true, .no_worker = true});

	ck_complains(without(w, "libsqlite3",
			     "flowrractl -c flowrra.conf submit add 2 3"),
		     78, "cannot load the library for SQLite");
	ck_run(without(w, "libsqlite3", "flowrractl --version >/dev/null"), 0,
	       "");
	world_stop(w);
}
END_TEST

START_TEST(so_is_that_of_redis)
{
	struct world *w = world_start(NULL);

	ck_complains(without(w, "libhiredis",
			     "flowrractl -c flowrra.conf submit add 2 3"),
		     78, "cannot load the library for the protocol of Redis");
	world_stop(w);
}
END_TEST

START_TEST(tables_are_drawn_by_a_library_that_terminals_alone_need)
{
	static const char on_terminal[] =
	    "script -qec 'flowrractl -c flowrra.conf queues' /dev/null "
	    "</dev/null";
	struct world *w =
	    world_start(&(struct world_options){.embedded = true});

	ctl_ok(w, "submit add 2 3 --queue io --delay 2h");
	ck_assert_ptr_null(strstr(run(w, "LD_DEBUG=files flowrractl -c "
					 "flowrra.conf queues 2>&1")
				      ->out,
				  "libsmartcols"));
	ck_run(without(w, "libsmartcols",
		       "flowrractl -c flowrra.conf queues >/dev/null"),
	       0, "");
	ck_assert_ptr_nonnull(strstr(run(w, "%s", on_terminal)->out, "QUEUE"));
	ck_assert_ptr_nonnull(
	    strstr(without(w, "libsmartcols", on_terminal)->out,
		   "cannot load the library for tables"));
	world_stop(w);
}
END_TEST

SUITE("start")
{
	TEST(no_program_begins_with_what_it_may_not_use);
	TEST(a_submission_into_a_file_loads_sqlite);
	TEST(a_submission_to_a_server_loads_hiredis);
	TEST(a_library_that_cannot_be_loaded_is_named);
	TEST(so_is_that_of_redis);
	TEST(tables_are_drawn_by_a_library_that_terminals_alone_need);
}
