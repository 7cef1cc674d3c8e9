/* SPDX-License-Identifier: MIT */
/* What is found wrong with a server, by what it says of itself. */
#include <stdio.h>
#include <string.h>

#include "store/redis/info.h"
#include "suite.h"

#define GOOD                                                                   \
	"# Server\r\nredis_version:7.0.15\r\nrole:master\r\n"                  \
	"maxmemory:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n"      \
	"rdb_last_bgsave_status:ok\r\naof_last_write_status:ok\r\n"            \
	"used_memory:1000\r\ntotal_system_memory:8000000000\r\n"               \
	"latest_fork_usec:300\r\nconnected_clients:5\r\nmaxclients:10000\r\n"

#define REPLICAS(n) "connected_slaves:" n "\r\n"
#define NEAR(i)                                                                \
	"slave" i ":ip=10.0.0.1,port=6379,state=online,offset=14,lag=1\r\n"
#define FAR(i)                                                                 \
	"slave" i ":ip=10.0.0.1,port=6379,state=online,offset=14,lag=60\r\n"

static const struct {
	const char *info, *save, *appendfsync;
	int64_t ahead_us;
	bool error;
	const char *what; /* a part of it; NULL: all is well */
	int64_t replicas;
	bool fails_over;
} cases[] = {
    {GOOD, "3600 1", "everysec", 0, false, NULL, 0, false},
    {GOOD, NULL, NULL, 1900000, false, NULL, 0, false},
    {"", NULL, NULL, 0, false, NULL, 0, false},
    {"redis_version:6.0.9\r\n", NULL, NULL, 0, true, "version 6.0.9", 0, false},
    {"redis_version:6.2.6\r\n", NULL, NULL, 0, false, "version 6.2.6", 0,
     false},
    {"role:slave\r\n", NULL, NULL, 0, true, "replica", 0, false},
    {"maxmemory:100\r\nmaxmemory_policy:volatile-lru\r\n", NULL, NULL, 0, true,
     "volatile-lru", 0, false},
    {"maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", NULL, NULL, 0, false,
     NULL, 0, false},
    {"evicted_keys:12\r\n", NULL, NULL, 0, true, "evicted 12 keys", 0, false},
    {"used_memory:9000000\r\nmaxmemory:10000000\r\n", NULL, NULL, 0, false,
     "8 of 9 MiB (maxmemory)", 0, false},
    {"used_memory:10000001\r\nmaxmemory:10000000\r\n", NULL, NULL, 0, true,
     "accepts no more tasks", 0, false},
    {"used_memory:9000000\r\nmaxmemory:0\r\ntotal_system_memory:9999999\r\n",
     NULL, NULL, 0, false, "all available memory", 0, false},
    {"aof_enabled:0\r\n", "3600 1", NULL, 0, false, "no append-only file", 0,
     false},
    {"aof_enabled:0\r\n", NULL, NULL, 0, false, "no append-only file", 0,
     false},
    {"aof_enabled:0\r\n", "", NULL, 0, true, "nothing on disk", 0, false},
    {"aof_enabled:1\r\n", "", "no", 0, false, "when to flush", 0, false},
    {"rdb_last_bgsave_status:err\r\n", NULL, NULL, 0, true, "last snapshot", 0,
     false},
    {"aof_last_write_status:err\r\n", NULL, NULL, 0, true, "could not write", 0,
     false},
    {"latest_fork_usec:1500000\r\n", NULL, NULL, 0, false, "1500 ms", 0, false},
    {"connected_clients:95\r\nmaxclients:100\r\n", NULL, NULL, 0, false,
     "95 of at most 100", 0, false},
    {"rejected_connections:3\r\n", NULL, NULL, 0, false, "refused 3", 0, false},
    {GOOD, NULL, NULL, -3500000, false, "3.5 s behind", 0, false},
    {GOOD, NULL, NULL, 3500000, false, "3.5 s ahead", 0, false},
    {REPLICAS("1") NEAR("0"), NULL, NULL, 0, false, NULL, 1, true},
    {REPLICAS("0"), NULL, NULL, 0, false, NULL, 0, false},
    {REPLICAS("0"), NULL, NULL, 0, false, "has 0 replicas", 0, true},
    {REPLICAS("1") NEAR("0"), NULL, NULL, 0, true, "has 1 replicas", 2, true},
    {REPLICAS("2") NEAR("0") FAR("1") "min_slaves_good_slaves:1\r\n", NULL,
     NULL, 0, false, "up to date, of 2", 1, true},
    {REPLICAS("2") NEAR("0") NEAR("1"), NULL, NULL, 0, false,
     "while it is cut off", 1, true},
    {REPLICAS("2") NEAR("0") NEAR("1") "min_slaves_good_slaves:2\r\n", NULL,
     NULL, 0, false, NULL, 1, true},
};

static struct slice
maybe(const char *text)
{
	return text != NULL ? slice_of(text) : (struct slice){NULL, 0};
}

START_TEST(each_fault_is_found_and_nothing_else)
{
	const struct redis_info info = {.info = slice_of(cases[_i].info),
					.save = maybe(cases[_i].save),
					.appendfsync =
					    maybe(cases[_i].appendfsync),
					.ahead_us = cases[_i].ahead_us,
					.replicas = cases[_i].replicas,
					.fails_over = cases[_i].fails_over};
	struct redis_finding found;
	size_t k, n = 0;

	for (k = 0; redis_checks[k] != NULL; k++) {
		if (!redis_checks[k](&info, &found))
			continue;
		n++;
		ck_assert_ptr_nonnull(cases[_i].what);
		ck_assert_msg(strstr(found.what, cases[_i].what) != NULL, "%s",
			      found.what);
		ck_assert(found.error == cases[_i].error);
		ck_assert_ptr_nonnull(found.remedy);
	}
	ck_assert_uint_eq(n, cases[_i].what != NULL);
}
END_TEST

START_TEST(a_field_is_found_by_its_whole_name)
{
	const struct slice info =
	    SLICE("maxmemory_human:0B\r\nmaxmemory:12\r\nx:\r\nlast:1");

	ck_assert_int_eq(redis_info_number(info, "maxmemory"), 12);
	ck_assert_int_eq(redis_info_number(info, "memory"), 0);
	ck_assert_ptr_null(redis_info_text(info, "human").p);
	ck_assert_uint_eq(redis_info_text(info, "x").len, 0);
	/* The line that was cut off. */
	ck_assert_ptr_null(redis_info_text(info, "last").p);
}
END_TEST

SUITE("broker-redis-info")
{
	TEST(a_field_is_found_by_its_whole_name);
	TEST_LOOP(each_fault_is_found_and_nothing_else, 0,
		  sizeof(cases) / sizeof(cases[0]));
}
