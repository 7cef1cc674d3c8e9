/* SPDX-License-Identifier: MIT */
/* Tests of the configuration: sources and values. */
#include "util/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "util/buf.h"
#include "util/conf_key.h"
#include "util/conf_scene.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

static char *
dump(const struct conf *of)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	conf_dump(of, false, out);
	fclose(out);
	return text;
}

START_TEST(without_any_source_the_defaults_hold)
{
	conf_load_text("");
	ck_assert_str_eq(conf->broker.url, "");
	ck_assert_str_eq(conf->broker.queue_key, "flowrra:queue");
	ck_assert_int_eq(conf->broker.socket_timeout, 5000000);
	ck_assert_int_eq(conf->backend.ttl, INT64_C(86400000000));
	ck_assert(conf->backend.retry_on_timeout);
	ck_assert_int_eq(conf->executor.io_workers, 4);
	ck_assert_int_eq(conf->executor.max_retries, 3);
	ck_assert_int_eq(conf->executor.retry_delay, 1000000);
	ck_assert_int_eq(conf->executor.max_result_size, 1 << 20);
	ck_assert(conf->scheduler.enabled);
	ck_assert_str_eq(conf->worker.queues, "io cpu");
	ck_assert_int_eq(conf->worker.log_level, LOG_LEVEL_notice);
}
END_TEST

START_TEST(a_file_sets_values_of_every_kind)
{
	conf_load_text("\xef\xbb\xbf# comment\n"
		       "; another\r\n"
		       "[broker]\n"
		       "url=redis://u:p%40ss@h:1/2?x=#y ; not this\n"
		       "socket_timeout : 1m30s\n"
		       "retry_on_timeout = OFF\r\n"
		       "\n"
		       "[worker] ; the worker\n"
		       "\tqueues = a,b ,c\n"
		       "\tid = host:1\n"
		       "max_task_size = 2M\n"
		       "log_level = debug\n"
		       "[broker]\n"
		       "max_connections = 7");
	ck_assert_str_eq(conf->broker.url, "redis://u:p%40ss@h:1/2?x=#y");
	ck_assert_int_eq(conf->broker.socket_timeout, 90 * 1000000);
	ck_assert(!conf->broker.retry_on_timeout);
	ck_assert_int_eq(conf->broker.max_connections, 7);
	ck_assert_str_eq(conf->worker.queues, "a,b ,c");
	ck_assert_str_eq(conf->worker.id, "host:1");
	ck_assert_int_eq(conf->worker.max_task_size, 2 << 20);
	ck_assert_int_eq(conf->worker.log_level, LOG_LEVEL_debug);
}
END_TEST

START_TEST(the_stronger_source_wins)
{
	static const char *const flag[] = {"executor.io_workers=5",
					   "executor.io_workers= 6", NULL};
	static const char text[] =
	    "[executor]\nio_workers = 7\n"
	    "cpu_workers = 8\n[broker]\nurl = unix:///f\n"
	    "[backend]\nurl = unix:///f\n"
	    "[scheduler]\ndatabase_url = file\n";
	char path[128];

	setenv("CREDENTIALS_DIRECTORY", conf_dir, 1);
	conf_file_of("broker.url", "unix:///c\n", 10);
	conf_file_of("backend.url", "unix:///c\n", 10);
	conf_file_of("executor.cpu_workers", "9", 1); /* not a secret: unread */
	setenv("FLOWRRA_EXECUTOR_IO_WORKERS", "1", 1);
	setenv("FLOWRRA_BACKEND_URL", "unix:///e", 1);
	setenv("FLOWRRA_NO_SUCH_KEY", "1", 1);
	strcpy(path, conf_file_of("conf", text, strlen(text)));
	ck_assert_msg(conf_load(path, flag, &conf, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(conf->executor.io_workers, 6);
	ck_assert_int_eq(conf->executor.cpu_workers, 8);
	ck_assert_str_eq(conf->broker.url, "unix:///c");
	ck_assert_str_eq(conf->backend.url, "unix:///e");
	ck_assert_str_eq(conf->scheduler.database_url, "file");
}
END_TEST

START_TEST(a_long_value_is_not_cut)
{
	struct buf text = BUF_INIT;

	buf_adds(&text, "[worker]\nmodules = ");
	while (text.len < 65000)
		buf_adds(&text, "/usr/lib/module.so ");
	buf_adds(&text, "end\nid = after\n");
	conf_load_text(text.data);
	ck_assert_uint_gt(strlen(conf->worker.modules), 64900);
	ck_assert_str_eq(strrchr(conf->worker.modules, ' '), " end");
	ck_assert_str_eq(conf->worker.id, "after");
	buf_done(&text);
}
END_TEST

START_TEST(a_user_has_a_file_of_his_own)
{
	const char text[] = "[worker]\nid = mine\n";

	conf_file_of("flowrra.conf", text, strlen(text));
	setenv("XDG_CONFIG_HOME", conf_dir, 1);
	chmod(conf_dir, 0755);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_msg(conf_load(NULL, NULL, &conf, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(conf->worker.id, "mine");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(a_secret_without_a_password_may_be_a_flag)
{
	static const char *const settings[] = {"broker.url=redis://h:6379/0",
					       "backend.url=", NULL};

	ck_assert_msg(conf_load("/dev/null", settings, &conf, &err) == 0, "%s",
		      err.msg);
	ck_assert_str_eq(conf->broker.url, "redis://h:6379/0");
}
END_TEST

static const char *const secrets[][2] = {
    {"", ""},
    {"redis://h:6379/0", "redis://h:6379/0"},
    {"redis://u@h:6379/0", "redis://***@h:6379/0"},
    {"unix://u@/run/s", "unix://***@/run/s"},
    {"postgresql://u@h/d", "postgresql://u@h/d"},
    {"postgresql://p@w@h/d", "postgresql://***@h/d"},
    {"postgresql://u:p@w@h/d", "postgresql://u:***@h/d"},
    {"mysql://u:p@w/x@h/d", "mysql://u:***@h/d"},
    {"redis://:pw@h:6379", "redis://:***@h:6379"},
    {"redis://u:pw@h", "redis://u:***@h"},
    {"redis://u:p@w/x:y@h", "redis://u:***@h"},
    {"u:pw@h", "u:***@h"},
    {"unix://:pw@/run/s?db=1", "unix://:***@/run/s?db=1"},
    {"postgresql://h/d?password=pw&x=1", "postgresql://h/d?password=***&x=1"},
    {"postgresql://u:pw@h/d?sslpassword=qw",
     "postgresql://u:***@h/d?sslpassword=***"},
    {"host=h PASSWORD=pw dbname=d", "host=h PASSWORD=*** dbname=d"},
    {"host=h password = pw x=1", "host=h password = *** x=1"},
    {"passwords password=pw", "passwords password=***"},
    {"host=h password='p w' x=1", "host=h password=***"},
    {"passwd=a password=b", "passwd=*** password=***"},
};

START_TEST(no_password_survives_masking)
{
	struct buf masked = BUF_INIT;

	conf_key_mask(secrets[_i][0], &masked);
	ck_assert_str_eq(masked.data ? masked.data : "", secrets[_i][1]);
	buf_done(&masked);
}
END_TEST

START_TEST(a_dump_is_a_file_that_gives_the_same_values)
{
	char *first, *second;

	conf_load_text(
	    "[broker]\nurl = redis://u:sesame@h\nsocket_timeout = 1.000001\n"
	    "[backend]\nttl = 36h30s\n"
	    "[executor]\nretry_delay = 0\nmax_result_size = 1000\n"
	    "[scheduler]\nenabled = no\n[worker]\nlog_level = debug\n");
	first = dump(conf);
	ck_assert_ptr_null(strstr(first, "sesame"));
	ck_assert_ptr_nonnull(strstr(first, "url = redis://u:***@h\n"));
	ck_assert_ptr_nonnull(strstr(first, "socket_timeout = 1.000001\n"));
	ck_assert_ptr_nonnull(strstr(first, "ttl = 1d12h30s\n"));
	ck_assert_ptr_nonnull(strstr(first, "max_result_size = 1000\n"));
	ck_assert_ptr_nonnull(strstr(first, "max_task_size = 1m\n"));
	conf_free(conf);
	conf_load_text(first);
	second = dump(conf);
	ck_assert_str_eq(first, second);
	free(first);
	free(second);
}
END_TEST

/* One of each kind that a test can have; the stronger ones last. */
START_TEST(each_value_says_where_it_comes_from)
{
	static const char *const settings[] = {"worker.queues=a", NULL};
	const char text[] = "[broker]\nurl = redis://h\nsocket_timeout = 4\n"
			    "[backend]\nttl = 2d\n[worker]\nqueues = b\n";
	const char *file = conf_file_of("conf", text, sizeof(text) - 1);
	char *dumped = NULL, want[512];
	size_t len;
	FILE *out = open_memstream(&dumped, &len);

	setenv("CREDENTIALS_DIRECTORY", conf_dir, 1);
	setenv("FLOWRRA_BACKEND_TTL", "3d", 1);
	conf_file_of("broker.url", "redis://u:p@other", 17);
	ck_assert_msg(conf_load(conf_file_of("conf", text, sizeof(text) - 1),
				settings, &conf, &err) == 0,
		      "%s", err.msg);
	conf_dump(conf, true, out);
	fclose(out);
	snprintf(want, sizeof(want),
		 "[broker]\n# credential %s/broker.url\n"
		 "url = redis://u:***@other\nmax_connections = 50\n"
		 "# %s:3\nsocket_timeout = 4s\n",
		 conf_dir, file);
	ck_assert_msg(strncmp(dumped, want, strlen(want)) == 0, "%s", dumped);
	ck_assert_ptr_nonnull(strstr(dumped, "\n# variable FLOWRRA_BACKEND_TTL"
					     "\nttl = 3d\n"));
	ck_assert_ptr_nonnull(
	    strstr(dumped, "\n# option -o worker.queues\nqueues = a\n"));
	free(dumped);
}
END_TEST

START_TEST(changes_that_need_a_restart_are_named)
{
	struct conf *old;
	char *names;

	conf_load_text("");
	old = conf;
	conf_load_text("[executor]\nio_workers = 9\n");
	ck_assert_ptr_null(conf_frozen_changes(old, conf));
	conf_free(conf);
	conf_load_text("[executor]\nio_workers = 9\n[broker]\nurl = redis://h\n"
		       "[worker]\nid = w\n");
	names = conf_frozen_changes(old, conf);
	ck_assert_str_eq(names, "broker.url, worker.id");
	free(names);
	conf_free(old);
}
END_TEST

START_TEST(a_list_is_cut_at_blanks_and_commas)
{
	char **list = conf_list(" a,,bb ,\tc ");

	ck_assert_str_eq(list[0], "a");
	ck_assert_str_eq(list[1], "bb");
	ck_assert_str_eq(list[2], "c");
	ck_assert_ptr_null(list[3]);
	conf_list_free(list);
	list = conf_list(" , ");
	ck_assert_ptr_null(list[0]);
	conf_list_free(list);
	conf_list_free(NULL);
}
END_TEST

SUITE("conf")
{
	tcase_add_checked_fixture(suite_case_, conf_scene_open,
				  conf_scene_close);
	TEST(without_any_source_the_defaults_hold);
	TEST(a_file_sets_values_of_every_kind);
	TEST(the_stronger_source_wins);
	TEST(a_long_value_is_not_cut);
	TEST(a_user_has_a_file_of_his_own);
	TEST(a_secret_without_a_password_may_be_a_flag);
	TEST_LOOP(no_password_survives_masking, 0, N(secrets));
	TEST(a_dump_is_a_file_that_gives_the_same_values);
	TEST(each_value_says_where_it_comes_from);
	TEST(changes_that_need_a_restart_are_named);
	TEST(a_list_is_cut_at_blanks_and_commas);
}
