/* SPDX-License-Identifier: MIT */
/* The URLs of databases. */
#include <stdlib.h>
#include <string.h>

#include "schedules/mysql_url.h"
#include "schedules/schedules.h"
#include "suite.h"
#include "util/err.h"

START_TEST(a_mysql_url_is_taken_apart)
{
	struct my_url url = {.user = NULL};
	struct err err = ERR_INIT;

	ck_assert_int_eq(
	    my_url_parse("mysql://u%40x:p%2Fw@[::1]:3307/db?sslmode=verify-ca"
			 "&sslrootcert=/a%20b",
			 &url, &err),
	    0);
	ck_assert_str_eq(url.user, "u@x");
	ck_assert_str_eq(url.password, "p/w");
	ck_assert_str_eq(url.host, "::1");
	ck_assert_uint_eq(url.port, 3307);
	ck_assert_str_eq(url.database, "db");
	ck_assert_int_eq(url.tls, MY_TLS_VERIFY_CA);
	ck_assert_str_eq(url.ca, "/a b");
	my_url_done(&url);
	ck_assert_int_eq(my_url_parse("mysql:///db?socket=/s", &url, &err), 0);
	ck_assert_ptr_null(url.host);
	ck_assert_str_eq(url.socket, "/s");
	my_url_done(&url);
}
END_TEST

START_TEST(a_wrong_url_is_refused_and_not_quoted)
{
	static const char *const urls[] = {
	    "oracle://u:hunter2@h/db",
	    "hunter2",
	    "sqlite://hunter2",
	    "mysql://u:hunter2@h",
	    "mysql://u:hunter2@h/",
	    "mysql://u:hunter2@h:x/db",
	    "mysql://u:hunter2@h:70000/db",
	    "mysql://u:hunter2@[h/db",
	    "mysql://u:hunter2@[::1]x/db",
	    "mysql://u:hunter2%2@h/db",
	    "mysql://u:hun/ter2@h/db",
	    "mysql://u:hunter2@/db",
	    "mysql://u:hunter2@h/db?hunter2=1",
	    "mysql://u:hunter2@h/db?sslmode=hunter2",
	    "mysql://u:hunter2@h/db?sslmode=verify-full",
	    "mysql://u:hunter2@h/db?socket",
	    "mysql://u:1/hunter2@h",
	    "mysql://u:p@ss/hunter2@h/db",
	    "mysql://u:p/hunter2@h?sslmode=disable",
	    "postgresql://u:hun@ter2@h/db",
	    "postgresql://u:hun@hunter2/1@127.0.0.1:1/db",
	    "postgresql://u:1/hunter2@h/db",
	    "postgresql://hunter2/hunter2@h/db",
	    "postgresql://u:p@hunter2?x@h/db",
	    "postgres://u:hun@ter2@h1,h2/db",
	    "postgresql://u:hunter2@h/db?hunter2=1",
	    "postgresql://u:hunter2%2@h/db",
	    "postgresql://u:hunter2@[h/db",
	};
	struct schedules_options options = {.url = NULL};
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		options.url = urls[i];
		ck_assert_msg(schedules_open(&options, &err) == NULL, "%s",
			      urls[i]);
		ck_assert_int_eq(err.code, ERR_CONFIG);
		ck_assert_ptr_null(strstr(err.msg, "hunter2"));
		ck_assert_ptr_null(strstr(err.msg, "ter2"));
	}
}
END_TEST

START_TEST(a_name_shows_where_and_no_secret)
{
	static const char *const cases[][2] = {
	    {"sqlite:///a/b.db", "sqlite:///a/b.db"},
	    {"postgres://u:hunter2@h:1/d?sslmode=require",
	     "postgresql://h:1/d"},
	    {"mysql://u:hunter2@h/d?sslmode=require", "mysql://h:3306/d"},
	    {"mysql://u:hun@ter2@h/d", "mysql://h:3306/d"},
	    {"postgresql://u:hun%40ter2@h/a%40b?user=u@x",
	     "postgresql://h/a@b"},
	    {"postgresql:///d?host=/run&password=hun@ter2",
	     "postgresql:///run/d"},
	};
	struct schedules_options options = {.url = NULL};
	struct err err = ERR_INIT;
	struct schedules *s;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		options.url = cases[i][0];
		s = schedules_open(&options, &err);
		ck_assert_msg(s != NULL, "%s", err.msg);
		ck_assert_str_eq(schedules_name(s), cases[i][1]);
		schedules_close(s);
	}
}
END_TEST

SUITE("schedules_url")
{
	TEST(a_mysql_url_is_taken_apart);
	TEST(a_wrong_url_is_refused_and_not_quoted);
	TEST(a_name_shows_where_and_no_secret);
}
