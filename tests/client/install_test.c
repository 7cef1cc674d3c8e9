/* SPDX-License-Identifier: MIT */
/* What is installed, and what is given away. The example is built with the
 * installed library and run as a user would do it. */
#include <pthread.h>
#include <stdbool.h>
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

START_TEST(the_examples_of_module_and_test_build_and_run)
{
	ck_assert_int_eq(
	    shell("unset MAKEFLAGS MFLAGS MAKELEVEL; set -e\n"
		  "d=$(mktemp -d); trap 'rm -rf $d' EXIT\n"
		  "make -s ${BUILD_DIR:+B=$BUILD_DIR} install prefix=$d/root "
		  ">$d/make.log 2>&1 || { cat $d/make.log >&2; false; }\n"
		  "awk -v OUT=$d -f tests/install/extract.awk "
		  "lib/*/flowrra/*.h lib/*/*.3 >$d/list; cd $d\n"
		  "export PKG_CONFIG_PATH=$d/root/lib/pkgconfig "
		  "LD_LIBRARY_PATH=$d/root/lib CC=${CC:-cc}\n"
		  /* As the headers say. */
		  "mv module.h.1.c sums.c; mv testing.h.1.c sums_test.c\n"
		  "$CC -shared -fPIC $(pkg-config --cflags flowrra jansson) "
		  "sums.c -o sums.so; chmod 755 sums.so\n"
		  "$CC sums_test.c -o sums_test "
		  "$(pkg-config --cflags --libs flowrra-testing); ./sums_test\n"
		  "$CC flowrra_testing.3.1.c -o pause_test "
		  "$(pkg-config --cflags --libs flowrra-testing)\n"
		  "test \"$(./pause_test)\" = '[0,0]'\n"
		  "test $(root/libexec/flowrra/flowrra-executor --run sums.so "
		  "add '[2, 3]') = 5\n"
		  "test $(pkg-config --variable=moduledir flowrra) = "
		  "$d/root/lib/flowrra\n"),
	    0);
}
END_TEST

/* Runs a shell script that ends with the status 0 and prints nothing. */
static void
expect_silence(const char *script)
{
	char line[256] = "";
	FILE *out = popen(script, "re");

	ck_assert_ptr_nonnull(out);
	if (fgets(line, sizeof(line), out) == NULL)
		line[0] = '\0';
	ck_assert_str_eq(line, "");
	ck_assert_int_eq(pclose(out), 0);
}

#define WITHOUT_MAKE "unset MAKEFLAGS MFLAGS MAKELEVEL\n"
#define IN_A_DIRECTORY WITHOUT_MAKE "d=$(mktemp -d) && trap 'rm -rf $d' EXIT\n"

START_TEST(an_uninstallation_leaves_what_is_not_ours)
{
	expect_silence(
	    IN_A_DIRECTORY
	    "set -e; make=\"make -s B=$BUILD_DIR prefix=/usr DESTDIR=$d\"\n"
	    "$make install >/dev/null\n"
	    "test -x $d/usr/bin/flowrrad\n"
	    "test -f $d/usr/lib/systemd/system/flowrrad@.service\n"
	    "grep -rl '@[a-z]*@' $d/usr/lib/systemd $d/usr/lib/pkgconfig "
	    "|| true\n"
	    "touch $d/etc/flowrra/flowrra.conf\n"
	    "$make uninstall >/dev/null\n"
	    "find $d ! -type d | sed \"s|$d||\" | "
	    "grep -vx /etc/flowrra/flowrra.conf || true\n"
	    "find $d -type d -name flowrra | grep -v /etc/ || true\n"
	    "test -f $d/etc/flowrra/flowrra.conf\n");
}
END_TEST

START_TEST(the_distribution_has_all_sources_and_is_always_the_same)
{
	expect_silence(
	    IN_A_DIRECTORY
	    "[ -e .git ] || exit 0\n"
	    "set -e; make -s dist >/dev/null; cp build/flowrra-*.tar.gz "
	    "$d/one\n"
	    "make -s dist >/dev/null; cmp $d/one build/flowrra-*.tar.gz\n"
	    "tar -tf $d/one | sed -n 's|^[^/]*/||; /[^/]$/p' | LC_ALL=C sort "
	    ">$d/packed\n"
	    "git -c safe.directory=* ls-files | LC_ALL=C sort >$d/kept\n"
	    "comm -13 $d/packed $d/kept\n");
}
END_TEST

SUITE("install")
{
	SUITE_TIMEOUT(300);
	/* A sanitizer's run time would have to be in the example as well. */
	if (SANITIZED)
		return;
	TEST(the_example_builds_against_the_installed_copy_and_runs);
	TEST(the_examples_of_module_and_test_build_and_run);
	TEST(an_uninstallation_leaves_what_is_not_ours);
	TEST(the_distribution_has_all_sources_and_is_always_the_same);
}
