/* SPDX-License-Identifier: MIT */
/* How the embedded store keeps records: each at one place, written once. */
#include <stdio.h>
#include <string.h>

#include "codec/result_json.h"
#include "codec/task_json.h"
#include "store/admin_scene.h"
#include "util/err.h"

#define BYTES(id)                                                              \
	"{\"id\":\"" id "\",\"name\":\"add\",\"args\":[1,\"\\u00e4\"],"        \
	"\"kwargs\":{\"k\":1.50},\"queue\":\"io\","                            \
	"\"submitted_at\":\"2026-11-29T22:23:29.771736+00:00\"}"
#define RECORD(id)                                                             \
	"{\"task_id\":\"" id "\",\"status\":\"pending\",\"task_name\":"        \
	"\"add\",\"result\":null,\"error\":null,\"submitted_at\":"             \
	"\"2026-11-29T22:23:29.771736+00:00\",\"started_at\":null,"            \
	"\"finished_at\":null,\"retries\":0,\"args\":[1,\"\\u00e4\"],"         \
	"\"kwargs\":{\"k\":1.50},\"queue\":\"io\"}"
#define SUCCESS(id) "{\"task_id\":\"" id "\",\"status\":\"success\"}"
#define RUNNING(id) "{\"task_id\":\"" id "\",\"status\":\"running\"}"

static struct backend *records;

static bool
on_pending(struct slice record, struct buf *queue, struct buf *ended, void *arg)
{
	buf_adds(queue, "io");
	buf_adds(ended, "{\"lost\":true,\"of\":");
	buf_add(ended, record.p, record.len);
	buf_addc(ended, '}');
	return true;
}

static void
begin(void)
{
	stage_open(&op.stage, KIND_SQLITE);
	op.stage.options.with_results = true;
	op.stage.options.on_pending = on_pending;
	op.producer = party_open(&op.stage, NULL);
	op.worker = party_open(&op.stage, "host:a");
	broker_heartbeat(op.worker->broker, SLICE("{}"));
	records = backend_open(&op.stage);
}

static void
end(void)
{
	backend_close(records);
	op_close();
}

static int
sql(const char *text)
{
	return stage_sql(&op.stage, text);
}

/* As a client does, whose record says what the bytes say. */
static enum err_code
submit_as(const char *id, const char *bytes, const char *record, bool exclusive)
{
	return party_submit_with(
	    op.producer, &(struct broker_submit){.queue = "io",
						 .id = slice_of(id),
						 .bytes = slice_of(bytes),
						 .record = slice_of(record),
						 .derived = true,
						 .exclusive = exclusive});
}

#define SUBMIT(id) submit_as(id, BYTES(id), RECORD(id), false)

static void
ck_record(const char *id, const char *text)
{
	const char *record = backend_get(&op.stage, records, id);

	if (text == NULL)
		ck_assert_ptr_null(record);
	else
		ck_assert_str_eq(record != NULL ? record : "none", text);
}

START_TEST(of_a_task_that_waits_the_record_is_made_of_it)
{
	begin();
	ck_assert_int_eq(SUBMIT("1"), ERR_NONE);
	ck_assert_int_eq(sql("SELECT count(*) FROM results"), 0);
	ck_record("1", RECORD("1"));
	op_take(op.worker, 1);
	ck_record("1", RECORD("1"));
	backend_put(&op.stage, records, "1", RUNNING("1"), false, 0);
	ck_record("1", RUNNING("1"));
	ck_assert_int_eq(sql("SELECT count(*) FROM results"), 1);
	backend_put(&op.stage, records, "1", SUCCESS("1"), true, 60);
	party_settle(op.worker, 0, BROKER_ACK);
	ck_record("1", SUCCESS("1"));
	ck_assert_int_eq(sql("SELECT count(*) FROM results"), 1);
	ck_assert_int_eq(sql("SELECT count(*) FROM tasks"), 0);
	end();
}
END_TEST

/* What a producer writes is to the byte what is made of the task, or else it says
 * that it is not. */
START_TEST(what_is_made_of_a_task_is_what_its_producer_would_write)
{
	struct buf text = BUF_INIT, bytes = BUF_INIT;
	struct task task = {.id = "1",
			    .name = "add",
			    .queue = "io",
			    .args = SLICE("[ 1, \"\\u00e4\\n\", null ]"),
			    .kwargs = SLICE("{\"a\": {\"b\": []}}"),
			    .priority = -7,
			    .cpu_bound = true,
			    .max_retries = 5,
			    .retry = {.delay_us = 1500000,
				      .backoff = 2,
				      .delay_max_us = 60000000},
			    .expires_us = INT64_C(1800000000000000),
			    .due_ms = INT64_C(1800000000000),
			    .submitted_us = INT64_C(1700000000123456)};
	struct result pending = result_pending(&task);

	begin();
	task_encode(&task, &bytes);
	result_encode(&pending, &text);
	buf_addc(&bytes, '\0');
	buf_addc(&text, '\0');
	ck_assert_int_eq(submit_as("1", bytes.data, "?", false), ERR_NONE);
	ck_record("1", text.data);
	buf_done(&text);
	buf_done(&bytes);
	end();
}
END_TEST

/* Its final record is stored by who took it out, who may not come to that. */
START_TEST(a_task_that_is_taken_out_leaves_its_record)
{
	int kept;

	begin();
	ck_assert_int_eq(SUBMIT("1"), ERR_NONE);
	ck_assert_int_eq(SUBMIT("2"), ERR_NONE);
	ck_assert_int_eq(SUBMIT("3"), ERR_NONE);
	ck_assert(op_withdraw(op.producer, "2"));
	ck_record("2", RECORD("2"));
	op_purge(op.producer, 10);
	ck_assert_int_eq(sql("SELECT count(*) FROM tasks"), 0);
	ck_record("1", RECORD("1"));
	ck_record("3", RECORD("3"));
	/* An acknowledgement without a record. */
	ck_assert_int_eq(SUBMIT("4"), ERR_NONE);
	op_take(op.worker, 1);
	party_settle(op.worker, 0, BROKER_ACK);
	ck_record("4", RECORD("4"));
	/* They end like all others: as what is in no place. */
	kept = sql("SELECT count(*) FROM results");
	ck_assert_int_eq(kept, 4);
	backend_put(&op.stage, records, "4", SUCCESS("4"), true, 60);
	ck_record("4", SUCCESS("4"));
	ck_assert_int_eq(sql("SELECT count(*) FROM results"), 4);
	end();
}
END_TEST

START_TEST(a_buried_task_leaves_its_record)
{
	begin();
	ck_assert_int_eq(SUBMIT("1"), ERR_NONE);
	op_take(op.worker, 1);
	party_bury(op.worker, 0, "1", "{}");
	ck_record("1", RECORD("1"));
	ck_assert_int_eq(sql("SELECT count(*) FROM tasks"), 0);
	end();
}
END_TEST

/* Its bytes are there, and no place has it. */
START_TEST(a_task_in_no_place_is_lost_though_its_record_is_made_of_it)
{
	const struct broker_limits limits = {.lost_ms = 1, .record_ttl_s = 60};
	const int64_t until = stage_deadline();

	begin();
	ck_assert_int_eq(SUBMIT("1"), ERR_NONE);
	ck_assert_int_eq(SUBMIT("2"), ERR_NONE);
	sql("DELETE FROM waiting WHERE seq = 1");
	while (op.worker->gone == 0) {
		broker_tidy(op.worker->broker, &limits);
		ck_assert(stage_turn(&op.stage, until));
	}
	ck_record("1", "{\"lost\":true,\"of\":" RECORD("1") "}");
	ck_record("2", RECORD("2"));
	ck_assert_int_eq(op.worker->gone, 1);
	ck_assert_int_eq(sql("SELECT count(*) FROM tasks"), 1);
	end();
}
END_TEST

START_TEST(an_id_is_taken_as_long_as_its_task_or_its_record)
{
	begin();
	ck_assert_int_eq(SUBMIT("1"), ERR_NONE);
	ck_assert_int_eq(submit_as("1", BYTES("1"), RECORD("1"), true),
			 ERR_REFUSED);
	/* Who does not mind has a second task. */
	ck_assert_int_eq(SUBMIT("1"), ERR_NONE);
	ck_assert_int_eq(sql("SELECT count(*) FROM tasks"), 2);
	ck_assert_int_eq(sql("SELECT count(*) FROM ids"), 1);
	op_purge(op.producer, 10);
	ck_assert_int_eq(submit_as("1", BYTES("1"), RECORD("1"), true),
			 ERR_REFUSED);
	backend_put(&op.stage, records, "1", SUCCESS("1"), true, 1);
	ck_assert_int_eq(submit_as("1", BYTES("1"), RECORD("1"), true),
			 ERR_REFUSED);
	/* A final record stays when its task is submitted again. */
	ck_assert_int_eq(SUBMIT("1"), ERR_NONE);
	ck_record("1", SUCCESS("1"));
	UNTIL(&op.stage, backend_get(&op.stage, records, "1") == NULL);
	ck_assert_int_eq(submit_as("1", BYTES("1"), RECORD("1"), true),
			 ERR_NONE);
	ck_record("1", RECORD("1"));
	ck_assert_int_eq(sql("SELECT count(*) FROM results"), 0);
	/* An ID that leads nowhere is nobody's. */
	sql("DELETE FROM tasks; DELETE FROM waiting");
	ck_record("1", NULL);
	ck_assert_int_eq(submit_as("1", BYTES("1"), RECORD("1"), true),
			 ERR_NONE);
	ck_record("1", RECORD("1"));
	end();
}
END_TEST

/* Those in order, one that is before them, one for ever, and of both kinds. */
START_TEST(records_go_when_they_expire_in_whatever_order_that_is)
{
	begin();
	backend_put(&op.stage, records, "long", "{}", true, 3600);
	backend_put(&op.stage, records, "short", "{}", true, 1);
	backend_put(&op.stage, records, "ever", "{}", true, 0);
	backend_put(&op.stage, records, "longer", "{}", true, 7200);
	ck_assert_int_eq(sql("SELECT count(*) FROM results WHERE early"), 1);
	UNTIL(&op.stage, backend_get(&op.stage, records, "short") == NULL);
	backend_put(&op.stage, records, "new", "{}", true, 7200);
	ck_assert_int_eq(sql("SELECT count(*) FROM results"), 4);
	ck_assert_int_eq(sql("SELECT count(*) FROM ids"), 4);
	/* Two hours later: all but that which lives for ever. */
	sql("UPDATE results SET expires = 1 WHERE expires > 0");
	backend_put(&op.stage, records, "next", "{}", true, 60);
	ck_assert_int_eq(sql("SELECT count(*) FROM results"), 2);
	ck_record("ever", "{}");
	ck_record("next", "{}");
	ck_assert_int_eq(sql("SELECT count(*) FROM ids"), 2);
	end();
}
END_TEST

START_TEST(a_count_that_is_wrong_overwrites_no_record)
{
	static const char *const wrong[] = {
	    "UPDATE totals SET succeeded = 0",
	    "UPDATE totals SET succeeded = -1",
	    "UPDATE totals SET succeeded = 9223372036854775807",
	    "UPDATE totals SET passed_succeeded = 9223372036854775807",
	};
	char id[16];
	int i;

	begin();
	backend_put(&op.stage, records, "first", "{\"n\":0}", true, 60);
	for (i = 0; i < 4; i++) {
		sql(wrong[i]);
		snprintf(id, sizeof(id), "%d", i);
		backend_put(&op.stage, records, id, "{}", true, 60);
		ck_assert_int_eq(records->answer, RESULTS_STORED);
		ck_record(id, "{}");
	}
	ck_record("first", "{\"n\":0}");
	ck_assert_int_eq(sql("SELECT count(*) FROM results"), 5);
	end();
}
END_TEST

static void
on_done(struct results_put *put)
{
	--*(unsigned int *)put->arg;
}

static void
on_settled(struct broker_settle *settle)
{
	--*(unsigned int *)settle->arg;
}

/* Claims in a row, of which some were taken over: each is looked for. */
START_TEST(of_claims_in_a_row_those_that_are_lost_are_found_out)
{
	enum { N = 8, LOST = 4 };
	struct results_put puts[N];
	struct broker_settle settles[N];
	char ids[N][8], bytes[N][64];
	unsigned int left = N, i;

	begin();
	for (i = 0; i < N; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%u", i);
		snprintf(bytes[i], sizeof(bytes[i]),
			 "{\"id\":\"%u\",\"name\":\"n\"}", i);
		submit_as(ids[i], bytes[i], "{}", false);
	}
	op_take(op.worker, N);
	sql("DELETE FROM inflight WHERE seq = 5");
	for (i = 0; i < N; i++) {
		puts[i] = (struct results_put){.id = slice_of(ids[i]),
					       .record = SLICE("{}"),
					       .final = true,
					       .claim = op.worker->claims[i],
					       .on_done = on_done,
					       .arg = &left};
		results_put(records->results, &puts[i]);
	}
	UNTIL(&op.stage, left == 0);
	for (i = 0; i < N; i++)
		ck_assert_int_eq(puts[i].answer,
				 i == LOST ? RESULTS_FENCED : RESULTS_STORED);
	/* Another one between the look and the end. */
	sql("DELETE FROM inflight WHERE seq = 7");
	for (i = 0, left = N; i < N; i++) {
		settles[i] =
		    (struct broker_settle){.disposition = BROKER_ACK,
					   .claim = op.worker->claims[i],
					   .on_done = on_settled,
					   .arg = &left};
		broker_settle(op.worker->broker, &settles[i]);
	}
	UNTIL(&op.stage, left == 0);
	ck_assert_int_eq(sql("SELECT count(*) FROM inflight"), 0);
	/* What others have taken over is theirs. */
	ck_assert_int_eq(sql("SELECT count(*) FROM tasks"), 2);
	ck_assert_int_eq(sql("SELECT sum(number & 255) FROM tasks"), 5 + 7);
	end();
}
END_TEST

SUITE("sqlite-records")
{
	TEST(of_a_task_that_waits_the_record_is_made_of_it);
	TEST(what_is_made_of_a_task_is_what_its_producer_would_write);
	TEST(a_task_that_is_taken_out_leaves_its_record);
	TEST(a_buried_task_leaves_its_record);
	TEST(a_task_in_no_place_is_lost_though_its_record_is_made_of_it);
	TEST(an_id_is_taken_as_long_as_its_task_or_its_record);
	TEST(records_go_when_they_expire_in_whatever_order_that_is);
	TEST(a_count_that_is_wrong_overwrites_no_record);
	TEST(of_claims_in_a_row_those_that_are_lost_are_found_out);
}
