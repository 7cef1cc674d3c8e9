/* SPDX-License-Identifier: MIT */
/* Opening the stores of a configuration. The fake store records the options. */
#include "store/store.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "fake_store.h"
#include "store/broker.h"
#include "store/results.h"
#include "suite.h"
#include "util/conf.h"

static struct fake_store fake;
static struct event_base *base;
static struct conf *conf;
static struct stores_options options;
static struct err err;
static int closed;

/* `settings` ends with NULL. */
static void
begin(const char *const *settings)
{
	err = (struct err)ERR_INIT;
	closed = 0;
	ck_assert_msg(conf_load("/dev/null", settings, &conf, &err) == 0, "%s",
		      err.msg);
	base = event_base_new();
	fake_store_init(&fake, base);
	options = (struct stores_options){.base = base,
					  .conf = conf,
					  .arg = &closed,
					  .open_broker = fake_broker_open,
					  .open_results = fake_results_open};
}

static void
end(void)
{
	fake_store_done(&fake);
	event_base_free(base);
	conf_free(conf);
}

static void
stores_close(struct stores *s)
{
	results_close(s->results);
	broker_close(s->broker);
}

START_TEST(records_without_a_url_are_beside_the_queues)
{
	static const char *const urls[][3] = {
	    {"broker.url=redis://a", NULL, NULL},
	    {"broker.url=redis://a", "backend.url=redis://a", NULL}};
	struct stores s;

	begin(urls[_i]);
	conf->broker.socket_timeout = 3000000;
	conf->backend.socket_timeout = 7000000;
	ck_assert_int_eq(stores_open(&options, &s, &err), 0);
	ck_assert(s.one);
	ck_assert(fake.broker.with_results);
	ck_assert_str_eq(fake.results.url, "redis://a");
	/* One store has one timeout. */
	ck_assert_int_eq(fake.broker.timeout_ms, 3000);
	ck_assert_int_eq(fake.results.timeout_ms, 3000);
	ck_assert_ptr_eq(fake.broker.arg, &closed);
	ck_assert_ptr_eq(fake.results.arg, &closed);
	stores_close(&s);
	end();
}
END_TEST

START_TEST(records_with_a_url_have_a_store_of_their_own)
{
	static const char *const urls[] = {"broker.url=redis://a",
					   "backend.url=redis://b", NULL};
	struct stores s;

	begin(urls);
	conf->backend.socket_timeout = 7000000;
	/* Only those of one store can be left for later. */
	options.results_later = true;
	ck_assert_int_eq(stores_open(&options, &s, &err), 0);
	ck_assert(!s.one);
	ck_assert(!fake.broker.with_results);
	ck_assert_str_eq(fake.broker.url, "redis://a");
	ck_assert_str_eq(fake.results.url, "redis://b");
	ck_assert_int_eq(fake.results.timeout_ms, 7000);
	ck_assert_ptr_nonnull(s.results);
	stores_close(&s);
	end();
}
END_TEST

START_TEST(records_of_one_store_can_be_opened_later)
{
	static const char *const urls[] = {"broker.url=redis://a", NULL};
	struct stores s;

	begin(urls);
	options.results_later = true;
	ck_assert_int_eq(stores_open(&options, &s, &err), 0);
	ck_assert_ptr_null(s.results);
	ck_assert_ptr_null(fake.results.url);
	s.results = stores_open_results(&options, &err);
	ck_assert_ptr_nonnull(s.results);
	ck_assert_str_eq(fake.results.url, "redis://a");
	stores_close(&s);
	end();
}
END_TEST

/* Whether the broker was closed again, a leak checker tells. */
START_TEST(a_wrong_url_leaves_nothing_open)
{
	static const char *const urls[] = {"broker.url=redis://a",
					   "backend.url=smtp://b", NULL};
	struct stores s = {.one = true};

	begin(urls);
	options.open_results = NULL;
	ck_assert_int_eq(stores_open(&options, &s, &err), -1);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "[backend] url"));
	ck_assert_ptr_null(s.broker);
	ck_assert(s.one);
	options.open_broker = NULL;
	free(conf->broker.url);
	conf->broker.url = strdup("amqp://a");
	ck_assert_int_eq(stores_open(&options, &s, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "[broker] url"));
	end();
}
END_TEST

START_TEST(no_url_is_the_embedded_store)
{
	ck_assert_ptr_eq(store_find(NULL, "broker", &err)->broker,
			 &broker_sqlite);
	ck_assert_ptr_eq(store_find("", "broker", &err)->broker,
			 &broker_sqlite);
	ck_assert_ptr_eq(store_find("rediss://a", "broker", &err)->results,
			 &results_redis);
	ck_assert_ptr_null(store_find("redis", "broker", &err));
}
END_TEST

SUITE("stores")
{
	TEST_LOOP(records_without_a_url_are_beside_the_queues, 0, 2);
	TEST(records_with_a_url_have_a_store_of_their_own);
	TEST(records_of_one_store_can_be_opened_later);
	TEST(a_wrong_url_leaves_nothing_open);
	TEST(no_url_is_the_embedded_store);
}
