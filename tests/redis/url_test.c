/* SPDX-License-Identifier: MIT */
/* Redis URLs. */
#include "redis/url.h"

#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "util/err.h"

/* What a URL means; what is not named is absent. */
static const struct good {
	const char *text;
	const char *name;
	struct {
		bool tls;
		const char *path, *host, *user, *password;
		const char *cafile, *certfile, *keyfile, *servername;
		unsigned int port, db;
		enum redis_verify verify;
		const char *master, *sentinel_user, *sentinel_password;
		bool cluster;
		size_t n_hosts; /* 0: it does not matter */
	} url;
} good[] = {
    {"redis://h", "redis://h:6379/0", {.host = "h", .port = 6379}},
    {"REDIS://h/", "redis://h:6379/0", {.host = "h", .port = 6379}},
    {"redis://h:1/15", "redis://h:1/15", {.host = "h", .port = 1, .db = 15}},
    {"redis://h?db=3",
     "redis://h:6379/3",
     {.host = "h", .port = 6379, .db = 3}},
    {"redis://h:65535/?db=3",
     "redis://h:65535/3",
     {.host = "h", .port = 65535, .db = 3}},
    {"redis://:pw@h",
     "redis://h:6379/0",
     {.host = "h", .port = 6379, .password = "pw"}},
    {"redis://u:pw@h",
     "redis://h:6379/0",
     {.host = "h", .port = 6379, .user = "u", .password = "pw"}},
    {"redis://u:@h",
     "redis://h:6379/0",
     {.host = "h", .port = 6379, .user = "u", .password = ""}},
    {"redis://%75:p%40%3A%2f%25%20@h",
     "redis://h:6379/0",
     {.host = "h", .port = 6379, .user = "u", .password = "p@:/% "}},
    {"redis://:p%c3%bc@h",
     "redis://h:6379/0",
     {.host = "h", .port = 6379, .password = "pü"}},
    {"redis://[::1]", "redis://[::1]:6379/0", {.host = "::1", .port = 6379}},
    {"redis://u:p@[2001:db8::5]:7000/2",
     "redis://[2001:db8::5]:7000/2",
     {.host = "2001:db8::5",
      .port = 7000,
      .db = 2,
      .user = "u",
      .password = "p"}},
    {"redis://10.0.0.1:6380",
     "redis://10.0.0.1:6380/0",
     {.host = "10.0.0.1", .port = 6380}},
    {"redis://my_redis-1.example.org",
     "redis://my_redis-1.example.org:6379/0",
     {.host = "my_redis-1.example.org", .port = 6379}},
    {"rediss://h",
     "rediss://h:6379/0",
     {.tls = true, .host = "h", .port = 6379}},
    {"rediss://h/1?cafile=/etc/ca%20x.crt&servername=s.example",
     "rediss://h:6379/1",
     {.tls = true,
      .host = "h",
      .port = 6379,
      .db = 1,
      .cafile = "/etc/ca x.crt",
      .servername = "s.example"}},
    {"rediss://h?certfile=c&keyfile=k&db=1",
     "rediss://h:6379/1",
     {.tls = true,
      .host = "h",
      .port = 6379,
      .db = 1,
      .certfile = "c",
      .keyfile = "k"}},
    /* As redis-py takes them. */
    {"redis:///1",
     "redis://localhost:6379/1",
     {.host = "localhost", .port = 6379, .db = 1}},
    {"redis://?db=2",
     "redis://localhost:6379/2",
     {.host = "localhost", .port = 6379, .db = 2}},
    {"rediss://h?ssl_ca_certs=a&ssl_certfile=c&ssl_keyfile=k",
     "rediss://h:6379/0",
     {.tls = true,
      .host = "h",
      .port = 6379,
      .cafile = "a",
      .certfile = "c",
      .keyfile = "k"}},
    {"rediss://h?ssl_cert_reqs=required&ssl_check_hostname=True",
     "rediss://h:6379/0",
     {.tls = true, .host = "h", .port = 6379}},
    {"rediss://h?ssl_check_hostname=False&ssl_cert_reqs=optional",
     "rediss://h:6379/0",
     {.tls = true, .host = "h", .port = 6379, .verify = REDIS_VERIFY_ISSUER}},
    {"rediss://h?ssl_cert_reqs=none&ssl_check_hostname=0",
     "rediss://h:6379/0",
     {.tls = true, .host = "h", .port = 6379, .verify = REDIS_VERIFY_NOTHING}},
    {"redis://h1,h2:7,[::1]:8/3",
     "redis://h1:6379,h2:7,[::1]:8/3",
     {.host = "h1", .port = 6379, .db = 3, .n_hosts = 3}},
    {"redis+sentinel://s1,s2:7/my-master.1_x",
     "redis+sentinel://s1:26379,s2:7/my-master.1_x/0",
     {.host = "s1", .port = 26379, .master = "my-master.1_x", .n_hosts = 2}},
    {"rediss+sentinel://u:p@[::1]/m/9?sentinel_user=a%40&sentinel_password=b&"
     "servername=x",
     "rediss+sentinel://[::1]:26379/m/9",
     {.tls = true,
      .host = "::1",
      .port = 26379,
      .db = 9,
      .user = "u",
      .password = "p",
      .servername = "x",
      .master = "m",
      .sentinel_user = "a@",
      .sentinel_password = "b",
      .n_hosts = 1}},
    {"redis+sentinel://h/m?db=4&sentinel_password=b",
     "redis+sentinel://h:26379/m/4",
     {.host = "h",
      .port = 26379,
      .db = 4,
      .master = "m",
      .sentinel_password = "b",
      .n_hosts = 1}},
    {"redis+cluster://c1,c2:7",
     "redis+cluster://c1:6379,c2:7",
     {.host = "c1", .port = 6379, .cluster = true, .n_hosts = 2}},
    {"rediss+cluster://u:p@[::1]/0?servername=x",
     "rediss+cluster://[::1]:6379",
     {.tls = true,
      .host = "::1",
      .port = 6379,
      .user = "u",
      .password = "p",
      .servername = "x",
      .cluster = true,
      .n_hosts = 1}},
    {"unix:///run/redis.sock",
     "unix:///run/redis.sock?db=0",
     {.path = "/run/redis.sock"}},
    {"unix:///run/redis.sock?db=9",
     "unix:///run/redis.sock?db=9",
     {.path = "/run/redis.sock", .db = 9}},
    {"unix://u:pw@/run/a%3fb",
     "unix:///run/a?b?db=0",
     {.path = "/run/a?b", .user = "u", .password = "pw"}},
};

static const struct bad {
	const char *text;
	const char *why; /* a part of the message */
} bad[] = {
    {"", "must begin with"},
    {"redis", "must begin with"},
    {"redis:/h", "must begin with"},
    {"http://h", "must begin with"},
    {" redis://h", "must begin with"},
    {"redis://:6379", "host is missing"},
    {"redis://:6379/1", "write localhost"},
    {"redis://u:SECRET@/1", "write localhost"},
    {"redis://:SECRET@", "host is missing"},
    {"redis://SECRET@h", "user has no password"},
    {"redis://@h", "user has no password"},
    {"redis://:@h", "without user and password"},
    {"redis://u:SEC:RET@h", "%3A"},
    {"redis://u:SEC@RET@h", "%40"},
    {"redis://u:SEC/RET@h", "%2F"},
    {"redis://u:SEC?RET@h", "port"},
    {"redis://u:SEC#RET@h", "column 14 must be percent-encoded"},
    {"redis://u:SEC RET@h", "column 14 must be percent-encoded"},
    {"redis://u:SECRET\303\274@h", "column 17 must be percent-encoded"},
    {"redis://u:SECRET%@h", "password has a '%'"},
    {"redis://u:SECRET%4@h", "password has a '%'"},
    {"redis://u:SECRET%4x@h", "password has a '%'"},
    {"redis://u:SECRET%00@h", "password has a '%'"},
    {"redis://h:", "port must be"},
    {"redis://h:0", "port must be"},
    {"redis://h:65536", "port must be"},
    {"redis://h:99999999999999999999", "port must be"},
    {"redis://h:6379x", "port must be"},
    {"redis://h:-1", "port must be"},
    {"redis://::1", "host is missing"},
    {"redis://h/x", "database must be"},
    {"redis://h/-1", "database must be"},
    {"redis://h/2147483648", "database must be"},
    {"redis://h/1/2", "database must be"},
    {"redis://h/1?db=1", "database is given twice"},
    {"redis://h?db=1&db=1", "database is given twice"},
    {"redis://h?db=", "database must be"},
    {"redis://h?", "lacks '='"},
    {"redis://h?db", "lacks '='"},
    {"redis://h?db=1&", "lacks '='"},
    {"redis://h?SECRET=1", "unknown parameter"},
    {"redis://h?cafile=x", "needs rediss"},
    {"rediss://h?cafile=", "cafile= is empty"},
    {"rediss://h?cafile=x&cafile=x", "cafile= is empty or given twice"},
    {"rediss://h?ssl_ca_certs=x&cafile=x", "cafile= is empty or given twice"},
    {"redis://h?ssl_cert_reqs=none", "ssl_cert_reqs= needs rediss"},
    {"rediss://h?ssl_cert_reqs=NO", "must be required, optional or none"},
    {"rediss://h?ssl_cert_reqs=", "must be required, optional or none"},
    {"rediss://h?ssl_check_hostname=2", "must be true or false"},
    {"rediss://h?certfile=x", "needs keyfile="},
    {"rediss://h?keyfile=x", "needs keyfile="},
    {"rediss://h?servername=a%20b", "servername="},
    {"redis://h%20x", "not a name or an address"},
    {"redis://[::1", "lacks a ']'"},
    {"redis://[::1]x", "only a port"},
    {"redis://[h]", "not an IPv6 address"},
    {"redis://[]", "not an IPv6 address"},
    {"redis://h#x", "percent-encoded"},
    {"redis://h,", "host is missing"},
    {"redis://,h", "host is missing"},
    {"redis://h,,h", "host is missing"},
    {"redis://h,h:0", "port must be"},
    {"redis://h,h@SECRET", "user has no password"},
    {"redis://h?sentinel_password=SECRET", "needs redis+sentinel"},
    {"redis+sentinel://h", "write behind the hosts"},
    {"redis+sentinel:///m", "host is missing"},
    {"redis+sentinel://h/", "name of the master"},
    {"redis+sentinel://h//1", "name of the master"},
    {"redis+sentinel://h/a%20b", "name of the master"},
    {"redis+sentinel://h/m/x", "database must be"},
    {"redis+sentinel://h/m/1?db=1", "database is given twice"},
    {"redis+sentinel://h/m?sentinel_user=a", "needs sentinel_password="},
    {"redis+sentinel://h/m?sentinel_password=SECRET%", "has a '%'"},
    {"redis+sentinel://h/m?cafile=x", "needs rediss"},
    {"redis+cluster://", "host is missing"},
    {"redis+cluster://h/1", "only database 0"},
    {"redis+cluster://h?db=2", "only database 0"},
    {"redis+cluster://h/name", "database must be"},
    {"redis+cluster://h?sentinel_password=SECRET", "needs redis+sentinel"},
    {"redis+cluster://h?cafile=x", "needs rediss"},
    {"unix://run/redis.sock", "must be absolute"},
    {"unix://", "must be absolute"},
    {"unix:///", "2 to 107"},
    {"unix:///run/%0a", "control character"},
    {"unix:///"
     "1234567890123456789012345678901234567890123456789012345678901234567890123"
     "4567890123456789012345678901234567",
     "2 to 107"},
};

static void
assert_text(const char *a, const char *b)
{
	ck_assert_int_eq(a == NULL, b == NULL);
	if (a != NULL)
		ck_assert_str_eq(a, b);
}

START_TEST(a_good_url_means_what_it_says)
{
	const struct good *g = &good[_i];
	struct redis_url url;
	struct err err;
	char *name;

	ck_assert_msg(redis_url_parse(g->text, &url, &err) == 0, "%s: %s",
		      g->text, err.msg);
	ck_assert_int_eq(url.tls, g->url.tls);
	ck_assert_uint_eq(url.port, g->url.port);
	ck_assert_uint_eq(url.db, g->url.db);
	assert_text(url.path, g->url.path);
	assert_text(url.host, g->url.host);
	assert_text(url.user, g->url.user);
	assert_text(url.password, g->url.password);
	assert_text(url.cafile, g->url.cafile);
	assert_text(url.certfile, g->url.certfile);
	assert_text(url.keyfile, g->url.keyfile);
	assert_text(url.servername, g->url.servername);
	ck_assert_int_eq(url.verify, g->url.verify);
	ck_assert(url.cluster == g->url.cluster);
	assert_text(url.master, g->url.master);
	assert_text(url.sentinel_user, g->url.sentinel_user);
	assert_text(url.sentinel_password, g->url.sentinel_password);
	if (g->url.n_hosts > 0)
		ck_assert_uint_eq(url.n_hosts, g->url.n_hosts);
	ck_assert_int_eq(redis_url_is_group(&url), g->url.master != NULL ||
						       g->url.cluster ||
						       g->url.n_hosts > 1);
	name = redis_url_name(&url);
	ck_assert_str_eq(name, g->name);
	free(name);
	redis_url_done(&url);
}
END_TEST

START_TEST(a_bad_url_is_refused_by_part_and_without_its_secrets)
{
	const struct bad *b = &bad[_i];
	struct redis_url url = {.db = 77};
	struct err err = ERR_INIT;

	ck_assert_msg(redis_url_parse(b->text, &url, &err) == -1, "%s",
		      b->text);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(strstr(err.msg, b->why) != NULL, "%s: %s", b->text,
		      err.msg);
	ck_assert_ptr_null(strstr(err.msg, "SEC"));
	ck_assert_ptr_null(strstr(err.msg, "RET"));
	ck_assert_uint_eq(url.db, 77);
}
END_TEST

START_TEST(a_copy_shares_nothing)
{
	struct redis_url url, copy;

	ck_assert_int_eq(redis_url_parse("rediss://u:p@h:1/2?cafile=a&"
					 "certfile=b&keyfile=c&servername=d&"
					 "ssl_cert_reqs=none",
					 &url, NULL),
			 0);
	ck_assert_int_eq(redis_url_copy(&copy, &url), 0);
	ck_assert(redis_url_same_group(&copy, &url));
	redis_url_done(&url);
	ck_assert_str_eq(copy.user, "u");
	ck_assert_str_eq(copy.password, "p");
	ck_assert_str_eq(copy.servername, "d");
	ck_assert_int_eq(copy.verify, REDIS_VERIFY_NOTHING);
	ck_assert(copy.tls);
	ck_assert_uint_eq(copy.db, 2);
	redis_url_done(&copy);
	ck_assert_ptr_null(copy.password);
}
END_TEST

START_TEST(groups_that_look_in_the_same_way_are_one)
{
	static const char *const others[] = {
	    "redis+sentinel://a,b:1/m?sentinel_password=q",
	    "redis+sentinel://a,b:1/n?sentinel_password=p",
	    "redis+sentinel://a,b:2/m?sentinel_password=p",
	    "redis+sentinel://a/m?sentinel_password=p",
	    "redis+sentinel://a,b:1/m",
	    "rediss+sentinel://a,b:1/m?sentinel_password=p",
	    "redis://a:26379,b:1",
	};
	struct redis_url url, other;
	size_t i;

	ck_assert_int_eq(
	    redis_url_parse("redis+sentinel://a,b:1/m?sentinel_password=p",
			    &url, NULL),
	    0);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ck_assert_int_eq(redis_url_parse(others[i], &other, NULL), 0);
		ck_assert_msg(!redis_url_same_group(&url, &other), "%s",
			      others[i]);
		redis_url_done(&other);
	}
	ck_assert_int_eq(
	    redis_url_parse(
		"redis+sentinel://u:x@a,b:1/m/7?sentinel_password=p", &other,
		NULL),
	    0);
	ck_assert(redis_url_same_group(&url, &other));
	redis_url_done(&other);
	redis_url_done(&url);
}
END_TEST

SUITE("redis_url")
{
	TEST_LOOP(a_good_url_means_what_it_says, 0,
		  sizeof(good) / sizeof(good[0]));
	TEST_LOOP(a_bad_url_is_refused_by_part_and_without_its_secrets, 0,
		  sizeof(bad) / sizeof(bad[0]));
	TEST(a_copy_shares_nothing);
	TEST(groups_that_look_in_the_same_way_are_one);
}
