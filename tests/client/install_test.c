/* SPDX-License-Identifier: MIT */
/* The installed library: the example is built and run as a user would do it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "client/fixture.h"
#include "redis_server.h"
#include "suite.h"

static struct redis_server *server;

/* Takes one task and finishes it. */
static void *
work(void *arg)
{
	json_t *task;

	while ((task = fixture_json(server, "RPOP", "flowrra:queue:io")) ==
	       NULL)
		usleep(1000);
	fixture_finish(server, json_string_value(json_object_get(task, "id")),
		       "success", "5");
	json_decref(task);
	return arg;
}

static int
shell(const char *line)
{
	int status = system(line);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(the_example_builds_against_the_installed_copy_and_runs)
{
	char line[64] = "";
	pthread_t worker;
	FILE *example;

	server = redis_server_start(NULL);
	fixture_register(server, "add", "{\"queue\":\"io\"}");
	setenv("DIR", redis_server_dir(server), 1);
	setenv("FLOWRRA_BROKER_URL", redis_server_unix_url(server), 1);
	unsetenv("MAKEFLAGS");
	unsetenv("MFLAGS");
	unsetenv("MAKELEVEL");
	ck_assert_int_eq(shell("make -s ${BUILD_DIR:+B=$BUILD_DIR} install "
			       "prefix=$DIR/root >$DIR/make.log 2>&1 || "
			       "{ cat $DIR/make.log >&2; false; }"),
			 0);
	ck_assert_int_eq(
	    shell("export PKG_CONFIG_PATH=$DIR/root/lib/pkgconfig; "
		  "${CC:-cc} -std=c99 -Wall -Wextra -Wpedantic -Werror "
		  "tests/install/client_example.c -o $DIR/example "
		  "$(pkg-config --cflags --libs flowrra)"),
	    0);
	pthread_create(&worker, NULL, work, NULL);
	example = popen("LD_LIBRARY_PATH=$DIR/root/lib $DIR/example", "re");
	ck_assert_ptr_nonnull(example);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), example));
	ck_assert_str_eq(line, "5\n");
	ck_assert_int_eq(pclose(example), 0);
	pthread_join(worker, NULL);
	redis_server_stop(server);
}
END_TEST

SUITE("install")
{
	SUITE_TIMEOUT(300);
/* A sanitizer's run time would have to be in the example as well. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	TEST(the_example_builds_against_the_installed_copy_and_runs);
#else
	(void)the_example_builds_against_the_installed_copy_and_runs;
	(void)suite_case_;
#endif
}
