/* SPDX-License-Identifier: MIT */
/* Passwords do not come out of any program, however careless their URL is. */
#include <string.h>

#include "e2e/world.h"

#define SECRET "hunter2"

static const struct {
	const char *variable;
	const char *url;
} careless[] = {
    {"BROKER_URL", "redis://u:a@" SECRET "@127.0.0.1:1/0"},
    {"BROKER_URL", "redis://u:a/" SECRET "@127.0.0.1:1/0"},
    {"BROKER_URL", "redis://" SECRET "@127.0.0.1:1/0"},
    {"BACKEND_URL", "redis://u:a@" SECRET "@127.0.0.1:1/0"},
    {"BACKEND_URL", "unix://u:a@" SECRET "@/none"},
    {"SCHEDULER_DATABASE_URL", "postgresql://u:a@" SECRET "@127.0.0.1:1/d"},
    {"SCHEDULER_DATABASE_URL", "postgresql://u:a@" SECRET "/1@127.0.0.1:1/d"},
    {"SCHEDULER_DATABASE_URL", "postgresql://u:1/" SECRET "@127.0.0.1:1/d"},
    {"SCHEDULER_DATABASE_URL", "postgresql://127.0.0.1:1/d?password=" SECRET},
    {"SCHEDULER_DATABASE_URL", "mysql://u:a@" SECRET "@127.0.0.1:1/d"},
    {"SCHEDULER_DATABASE_URL", "mysql://u:1/" SECRET "@127.0.0.1"},
    {"SCHEDULER_DATABASE_URL", "host=127.0.0.1 port=1 password = " SECRET},
};

/* All that reads the URL, and may have something to say about it. */
START_TEST(the_password_of_a_careless_url_is_not_printed)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	struct run *r =
	    run(w,
		"export FLOWRRA_%s='%s' STATE_DIRECTORY=$PWD;"
		"for c in health doctor 'schedule list' 'submit add 1 2'; do"
		" flowrractl $c -c /dev/null; echo $?;"
		" flowrractl $c --json -c /dev/null;"
		"done; flowrrad --check -c /dev/null;"
		"flowrrad --dump-config -c /dev/null;"
		"timeout 1 flowrra-beat -c /dev/null;"
		"timeout 1 flowrra-web -c /dev/null -o web.listen=127.0.0.1:0;"
		"true",
		careless[_i].variable, careless[_i].url);

	ck_assert_int_eq(r->status, 0);
	ck_assert_msg(strstr(r->out, "69\n") != NULL ||
			  strstr(r->out, "78\n") != NULL,
		      "none of them needs the URL: %s", r->out);
	ck_assert_msg(strstr(r->out, SECRET) == NULL, "%s", r->out);
	ck_assert_msg(strstr(r->err, SECRET) == NULL, "%s", r->err);
	world_stop(w);
}
END_TEST

SUITE("secrets")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(the_password_of_a_careless_url_is_not_printed, 0,
		  sizeof(careless) / sizeof(careless[0]));
}
