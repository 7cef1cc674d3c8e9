/* SPDX-License-Identifier: MIT */
/* What tasks share in the embedded database: kept once, as long as it is used. */
#include <stdio.h>
#include <string.h>

#include "codec/blob.h"
#include "store/stage.h"
#include "suite.h"

#define TEXT "{\"HOME\":\"/\"}"

static struct stage w;
static struct party *worker;
static struct backend *results;
static char name[BLOB_NAME_SIZE];

static void
begin(void)
{
	stage_open(&w, KIND_SQLITE);
	w.options.with_results = true;
	worker = party_open(&w, "host:a");
	results = backend_open(&w);
	blob_name(SLICE(TEXT), name);
}

static void
end(void)
{
	backend_close(results);
	party_close(worker);
	stage_close(&w);
}

static const char *
bytes_of(const char *id, const char *member, const char *value)
{
	static char text[512];

	snprintf(text, sizeof(text),
		 "{\"id\":\"%s\",\"name\":\"exec.run\",\"args\":[],\"kwargs\":"
		 "{\"argv\":[\"a\"],\"%s\":%s}}",
		 id, member, value);
	return text;
}

static const char *
named(const char *id)
{
	static char value[BLOB_NAME_SIZE + 2];

	snprintf(value, sizeof(value), "\"%s\"", name);
	return bytes_of(id, BLOB_MEMBER, value);
}

static void
submit_sharing(const char *id)
{
	struct broker_submit task = {.queue = "io",
				     .id = slice_of(id),
				     .bytes = slice_of(named(id)),
				     .record = SLICE("pending"),
				     .derived = true,
				     .blob_name = slice_of(name),
				     .blob = SLICE(TEXT)};

	ck_assert_int_eq(party_submit_with(worker, &task), ERR_NONE);
}

static int
blobs(void)
{
	return stage_sql(&w, "SELECT count(*) FROM blobs");
}

static void
tidy_until_uses(int n)
{
	static const struct broker_limits limits = {.dead_max = 0};
	const int64_t deadline = stage_deadline();

	while (stage_sql(&w, "SELECT count(*) FROM blob_uses") != n) {
		broker_tidy(worker->broker, &limits);
		ck_assert(stage_turn(&w, deadline));
	}
}

START_TEST(a_claim_has_what_its_task_shares)
{
	size_t i;

	begin();
	submit_sharing("1");
	submit_sharing("2");
	party_submit(worker, "3", bytes_of("3", "x", "1"), 0, 0);
	ck_assert_int_eq(blobs(), 1);
	broker_want(worker->broker, 0, 3);
	UNTIL(&w, worker->n_claims == 3);
	for (i = 0; i < 3; i++)
		ck_assert(slice_eq(worker->claims[i]->blob,
				   i < 2 ? SLICE(TEXT) : SLICE("")));
	/* Its bytes are what it was submitted with. */
	ck_assert(party_has(worker, 1, named("2")));
	/* Recovered after a crash, too. */
	party_close(worker);
	worker = party_open(&w, "host:a");
	UNTIL(&w, worker->n_claims == 3);
	ck_assert(slice_eq(worker->claims[0]->blob, SLICE(TEXT)));
	/* Taken away, there is nothing: that is the module's to refuse. */
	party_settle(worker, 0, BROKER_RELEASE);
	stage_sql(&w, "DELETE FROM blobs");
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 4);
	ck_assert_uint_eq(worker->claims[3]->blob.len, 0);
	end();
}
END_TEST

static void
on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	struct party *p = arg;

	ck_assert_ptr_null(err);
	ck_assert_uint_eq(page->n, 1);
	snprintf(p->value, sizeof(p->value), "%.*s",
		 (int)page->items[0].bytes.len, page->items[0].bytes.p);
	p->answered = true;
}

static const char *
viewed(enum broker_location place)
{
	const struct broker_view view = {
	    .queue = SLICE("io"), .place = place, .n = 10};

	worker->answered = false;
	broker_view(worker->broker, &view, on_page, worker);
	UNTIL(&w, worker->answered);
	return worker->value;
}

/* It may be carried to another store. */
START_TEST(who_looks_at_a_task_sees_all_of_it)
{
	begin();
	submit_sharing("1");
	ck_assert_str_eq(viewed(BROKER_WAITING), bytes_of("1", "env", TEXT));
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert_str_eq(viewed(BROKER_IN_FLIGHT), bytes_of("1", "env", TEXT));
	party_bury(worker, 0, "1", "{}");
	ck_assert_str_eq(viewed(BROKER_DEAD), bytes_of("1", "env", TEXT));
	end();
}
END_TEST

START_TEST(what_nobody_uses_any_more_goes)
{
	begin();
	submit_sharing("1");
	submit_sharing("2");
	broker_want(worker->broker, 0, 2);
	UNTIL(&w, worker->n_claims == 2);
	backend_put_of(&w, results, "1",
		       "{\"task_id\":\"1\",\"status\":\"success\"}", true,
		       worker->claims[0]);
	party_settle(worker, 0, BROKER_ACK);
	party_bury(worker, 1, "2", "{}");
	/* The record goes: the dead task is left. */
	stage_sql(&w, "DELETE FROM results; DELETE FROM ids");
	submit_sharing("3");
	stage_sql(&w, "DELETE FROM ids; DELETE FROM tasks; "
		      "DELETE FROM waiting; UPDATE queues SET size = 0");
	tidy_until_uses(1);
	ck_assert_int_eq(stage_sql(&w, "SELECT id FROM blob_uses"), 2);
	stage_sql(&w, "DELETE FROM dead");
	ck_assert_int_eq(blobs(), 1);
	tidy_until_uses(0);
	ck_assert_int_eq(blobs(), 0);
	end();
}
END_TEST

SUITE("blobs")
{
	TEST(a_claim_has_what_its_task_shares);
	TEST(who_looks_at_a_task_sees_all_of_it);
	TEST(what_nobody_uses_any_more_goes);
}
