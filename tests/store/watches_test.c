/* SPDX-License-Identifier: MIT */
/* The table of watches: who is told what, and when a topic ends. */
#include "store/watches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

static struct watches table;
static struct results results;
static int n_left, n_freed;

struct mine {
	struct topic topic;
	char id[16];
};

static void
on_topic_left(struct topic *t)
{
	ck_assert_ptr_null(watches_find(&table, t->id));
	n_left++;
}

static void
on_topic_free(struct topic *t)
{
	n_freed++;
	free(container_of(t, struct mine, topic));
}

static const struct watches_ops ops = {.leave = on_topic_left,
				       .free = on_topic_free};

static void
begin(void)
{
	n_left = n_freed = 0;
	watches_init(&table, &ops);
}

static struct topic *
topic_new(const char *id)
{
	struct mine *m = calloc(1, sizeof(*m));

	ck_assert_ptr_nonnull(m);
	snprintf(m->id, sizeof(m->id), "%s", id);
	watches_add(&table, &m->topic, slice_of(m->id));
	return &m->topic;
}

/* One watch, what it was told, and what it does when it is. */
struct watcher {
	struct results_watch *watch;
	char told[64];
	bool follows;
	struct results_watch **ends; /* ended within the callback */
	struct watcher *adds;	     /* begins to watch `topic` */
	struct topic *topic;
};

static void
on_watcher_told(struct slice record, const struct err *err, void *arg)
{
	struct watcher *x = arg;
	size_t len = strlen(x->told);

	snprintf(x->told + len, sizeof(x->told) - len, "%.*s;",
		 err != NULL ? 3 : (int)record.len,
		 err != NULL ? "err" : record.p);
	if (x->ends != NULL) {
		watches_unwatch(*x->ends);
		*x->ends = NULL;
		x->ends = NULL;
	}
	if (x->adds != NULL)
		x->adds->watch = watches_watch(x->topic, &results, false,
					       on_watcher_told, x->adds);
	x->adds = NULL;
}

static void
watcher_begin_as(struct watcher *x, struct topic *t, bool follows)
{
	*x = (struct watcher){.topic = t, .follows = follows};
	x->watch = watches_watch(t, &results, x->follows, on_watcher_told, x);
	ck_assert_ptr_nonnull(x->watch);
	ck_assert_ptr_eq(x->watch->results, &results);
}

static void
watcher_begin(struct watcher *x, struct topic *t)
{
	watcher_begin_as(x, t, false);
}

static void
notify(struct topic *t, const char *record, bool final)
{
	watches_notify(t, slice_of(record), final, NULL);
}

START_TEST(a_topic_is_found_until_its_last_watch_ends)
{
	struct watcher a, b;
	struct topic *t;

	begin();
	ck_assert_ptr_null(watches_find(&table, SLICE("1")));
	t = topic_new("1");
	watcher_begin(&a, t);
	watcher_begin(&b, t);
	ck_assert_ptr_eq(watches_find(&table, SLICE("1")), t);
	ck_assert_ptr_null(watches_find(&table, SLICE("12")));
	watches_unwatch(a.watch);
	ck_assert_int_eq(n_left, 0);
	watches_unwatch(b.watch);
	ck_assert_int_eq(n_left, 1);
	ck_assert_int_eq(n_freed, 1);
	ck_assert_ptr_null(watches_find(&table, SLICE("1")));
	watches_done(&table);
}
END_TEST

START_TEST(a_watch_is_told_one_record_then_the_final_one_and_no_more)
{
	struct err err = ERR_INIT;
	struct watcher a, late;
	struct topic *t;

	begin();
	t = topic_new("1");
	watcher_begin(&a, t);
	watches_notify(t, SLICE(""), false, &err);
	notify(t, "pending", false);
	notify(t, "running", false);
	watches_notify(t, SLICE(""), false, &err);
	watcher_begin(&late, t);
	notify(t, "running", false);
	ck_assert(!watches_are_over(t));
	notify(t, "success", true);
	ck_assert(watches_are_over(t));
	notify(t, "success", true);
	watches_notify(t, SLICE(""), false, &err);
	ck_assert_str_eq(a.told, "err;pending;err;success;");
	ck_assert_str_eq(late.told, "running;success;");
	watcher_begin(&late, t);
	ck_assert(!watches_are_over(t));
	notify(t, "success", true);
	ck_assert_str_eq(late.told, "success;");
	watches_done(&table);
}
END_TEST

START_TEST(a_watch_that_follows_is_told_of_all)
{
	struct err err = ERR_INIT;
	struct watcher waits, follows;
	struct topic *t;

	begin();
	t = topic_new("1");
	watcher_begin(&waits, t);
	ck_assert(!t->followed);
	watcher_begin_as(&follows, t, true);
	ck_assert(t->followed);
	notify(t, "pending", false);
	notify(t, "running", false);
	watches_notify(t, SLICE(""), false, &err);
	notify(t, "failed", true);
	/* There is more to come, for one of them. */
	ck_assert(!watches_are_over(t));
	notify(t, "pending", false);
	notify(t, "success", true);
	ck_assert_str_eq(follows.told,
			 "pending;running;err;failed;pending;success;");
	ck_assert_str_eq(waits.told, "pending;err;failed;");
	watches_unwatch(follows.watch);
	ck_assert(watches_are_over(t));
	watches_done(&table);
}
END_TEST

START_TEST(a_watch_may_end_itself_and_others_while_it_is_told)
{
	struct watcher a, b, c;
	struct topic *t;

	begin();
	t = topic_new("1");
	watcher_begin(&a, t);
	watcher_begin(&b, t);
	watcher_begin(&c, t);
	a.ends = &b.watch;
	c.ends = &a.watch;
	notify(t, "pending", false);
	ck_assert_str_eq(a.told, "pending;");
	ck_assert_str_eq(b.told, "");
	ck_assert_str_eq(c.told, "pending;");
	c.ends = &c.watch;
	ck_assert_int_eq(n_left, 0);
	/* The last one: the topic goes after its watches were told. */
	notify(t, "success", true);
	ck_assert_str_eq(c.told, "pending;success;");
	ck_assert_int_eq(n_left, 1);
	ck_assert_int_eq(n_freed, 1);
	watches_done(&table);
}
END_TEST

START_TEST(a_watch_that_begins_meanwhile_is_told_next_time)
{
	struct watcher a, b = {.told = ""};
	struct topic *t;

	begin();
	t = topic_new("1");
	watcher_begin(&a, t);
	a.adds = &b;
	a.ends = &a.watch;
	notify(t, "pending", false);
	ck_assert_ptr_nonnull(b.watch);
	ck_assert_str_eq(b.told, "");
	ck_assert_int_eq(n_left, 0);
	notify(t, "success", true);
	ck_assert_str_eq(b.told, "success;");
	watches_done(&table);
}
END_TEST

START_TEST(a_walk_meets_each_topic_once)
{
	enum { N = 1000 };
	struct watcher *watchers = calloc(N, sizeof(*watchers));
	struct topic *t = NULL;
	bool met[N] = {false};
	char id[16];
	int i, n = 0;

	begin();
	ck_assert_ptr_nonnull(watchers);
	ck_assert_ptr_null(watches_next(&table, NULL));
	for (i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "%d", i);
		watcher_begin(&watchers[i], topic_new(id));
	}
	while ((t = watches_next(&table, t)) != NULL) {
		i = atoi(container_of(t, struct mine, topic)->id);
		ck_assert(!met[i]);
		met[i] = true;
		n++;
	}
	ck_assert_int_eq(n, N);
	/* The store is closed: it is not asked to do anything any more. */
	watches_done(&table);
	ck_assert_int_eq(n_freed, N);
	ck_assert_int_eq(n_left, 0);
	ck_assert_ptr_null(watches_next(&table, NULL));
	free(watchers);
}
END_TEST

SUITE("watches")
{
	TEST(a_topic_is_found_until_its_last_watch_ends);
	TEST(a_watch_is_told_one_record_then_the_final_one_and_no_more);
	TEST(a_watch_that_follows_is_told_of_all);
	TEST(a_watch_may_end_itself_and_others_while_it_is_told);
	TEST(a_watch_that_begins_meanwhile_is_told_next_time);
	TEST(a_walk_meets_each_topic_once);
}
