/* SPDX-License-Identifier: MIT */
/* The life of a claimed task, with a store that does what the test says. */
#include "dispatch/dispatch.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/driver.h"
#include "fake_store.h"
#include "suite.h"
#include "util/clock.h"
#include "util/conf.h"

struct worker {
	struct event_base *base;
	struct fake_store store;
	struct conf *conf;
	struct dispatch *dispatch;
	char executor[4096], demo[4096], hostile[4096], spool[64];
	bool ready, stopped;
	struct err failure;
};

static void
on_ready(void *arg)
{
	((struct worker *)arg)->ready = true;
}

static void
on_stopped(const struct err *why, void *arg)
{
	struct worker *w = arg;

	w->stopped = true;
	if (why != NULL)
		w->failure = *why;
}

static void
on_reloaded(const struct err *why, void *arg)
{
}

static void
on_command(void *arg)
{
}

static void
load_conf(struct worker *w)
{
	static const char *const settings[] = {
	    "executor.io_workers=2", "executor.cpu_workers=1",
	    "executor.kill_grace=100ms", "worker.stop_timeout=60", NULL};
	struct err err;

	ck_assert_msg(conf_load("/dev/null", settings, &w->conf, &err) == 0,
		      "%s", err.msg);
}

/* A worker of the queues io and cpu that others can see. */
static struct worker *
begin(void)
{
	static const char *const queues[] = {"io", "cpu", NULL};
	struct worker *w = calloc(1, sizeof(*w));
	const char *modules[] = {w->demo, w->hostile, NULL};
	struct err err;

	w->base = event_base_new();
	fake_store_init(&w->store, w->base);
	load_conf(w);
	strcpy(w->executor, driver_path("libexec/flowrra/flowrra-executor"));
	strcpy(w->demo, driver_path("lib/flowrra/demo.so"));
	strcpy(w->hostile, driver_path("tests/modules/hostile.so"));
	snprintf(w->spool, sizeof(w->spool), "/tmp/dispatch-%d.spool",
		 (int)getpid());
	unlink(w->spool);
	w->dispatch = dispatch_new(
	    &(struct dispatch_options){.base = w->base,
				       .conf = w->conf,
				       .worker = "test:main",
				       .executor = w->executor,
				       .spool = w->spool,
				       .queues = queues,
				       .modules = {modules, "{}", NULL},
				       .on_ready = on_ready,
				       .on_reloaded = on_reloaded,
				       .on_stop_command = on_command,
				       .on_reload_command = on_command,
				       .on_stopped = on_stopped,
				       .arg = w,
				       .open_broker = fake_broker_open,
				       .open_results = fake_results_open},
	    &err);
	ck_assert_msg(w->dispatch != NULL, "%s", err.msg);
	fake_store_reach(&w->store, true);
	FAKE_WAIT(&w->store, w->ready);
	return w;
}

static void
end(struct worker *w)
{
	dispatch_free(w->dispatch);
	fake_store_done(&w->store);
	conf_free(w->conf);
	event_base_free(w->base);
	unlink(w->spool);
	free(w);
}

static void
claim(struct worker *w, const char *name, const char *args, const char *more)
{
	char task[512];

	snprintf(task, sizeof(task),
		 "{\"id\":\"t1\",\"name\":\"%s\",\"args\":%s,"
		 "\"kwargs\":{}%s}",
		 name, args, more);
	fake_store_claim(&w->store, 0, task, false);
}

static void
recover(struct worker *w)
{
	fake_store_claim(&w->store, 0,
			 "{\"id\":\"t1\",\"name\":\"add\",\"args\":[1,2],"
			 "\"kwargs\":{}}",
			 true);
}

static void
cancel(struct worker *w)
{
	fake_store_control(&w->store, "{\"order\":\"cancel\",\"id\":\"t1\"}");
}

#define ck_record(w, text)                                                     \
	ck_assert_msg(strstr((w)->store.last_record.data, text) != NULL, "%s", \
		      (w)->store.last_record.data)
#define ck_journal(w, text)                                                    \
	ck_assert_str_eq(fake_store_journal(&(w)->store), text)

/* --- records and claims ------------------------------------------------ */

START_TEST(a_worker_wants_tasks_when_it_is_ready)
{
	struct worker *w = begin();

	FAKE_WAIT(&w->store, w->store.wanted[0] >= 2);
	ck_assert_uint_ge(w->store.wanted[1], 1);
	ck_assert_uint_gt(w->store.registered, 5);
	ck_assert_ptr_nonnull(
	    strstr(w->store.heartbeat.data, "\"state\":\"running\""));
	end(w);
}
END_TEST

START_TEST(a_claim_is_settled_when_its_record_is_stored)
{
	struct worker *w = begin();
	int i;

	w->store.hold_records = true;
	claim(w, "add", "[1,2]", "");
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "success"));
	ck_record(w, "\"result\":3");
	for (i = 0; i < 20; i++)
		fake_store_turn(&w->store);
	ck_journal(w, "success; ");
	w->store.hold_records = false;
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "ack"));
	ck_journal(w, "success; ack; ");
	end(w);
}
END_TEST

START_TEST(a_task_that_fails_is_tried_again)
{
	struct worker *w = begin();

	claim(w, "fail", "[\"oh\"]", ",\"max_retries\":1,\"retry_delay\":1.0");
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "retry; "));
	ck_record(w, "oh");
	ck_journal(w, "retrying; retry; ");
	end(w);
}
END_TEST

START_TEST(a_task_that_has_failed_for_good_goes_to_the_dead_list)
{
	struct worker *w = begin();

	claim(w, "fail", "[\"oh\"]", ",\"max_retries\":0");
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "dead"));
	ck_journal(w, "failed; dead; ");
	ck_assert_ptr_nonnull(
	    strstr(w->store.last_info.data, "\"reason\":\"failed\""));
	end(w);
}
END_TEST

START_TEST(what_is_not_a_task_goes_to_the_dead_list)
{
	struct worker *w = begin();

	fake_store_claim(&w->store, 0, "[]", false);
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "dead"));
	ck_journal(w, "dead; ");
	ck_assert_ptr_nonnull(
	    strstr(w->store.last_info.data, "\"reason\":\"malformed\""));
	end(w);
}
END_TEST

START_TEST(a_task_that_no_module_handles_is_left_to_other_workers)
{
	struct worker *w = begin();

	claim(w, "elsewhere", "[]", "");
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "retry"));
	ck_journal(w, "retry; ");
	end(w);
}
END_TEST

/* --- tasks that were claimed before ------------------------------------ */

START_TEST(a_recovered_task_that_had_ended_is_not_run_again)
{
	struct worker *w = begin();

	w->store.stored = "{\"task_id\":\"t1\",\"status\":\"success\","
			  "\"result\":3}";
	recover(w);
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "ack"));
	ck_journal(w, "ack; ");
	end(w);
}
END_TEST

START_TEST(a_recovered_task_waits_until_the_backend_can_tell)
{
	struct worker *w = begin();
	int i;

	err_set(&w->store.get_err, ERR_UNAVAILABLE, "no");
	recover(w);
	for (i = 0; i < 20; i++)
		fake_store_turn(&w->store);
	ck_journal(w, "");
	w->store.get_err = (struct err){.code = ERR_NONE};
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "ack"));
	ck_assert(fake_store_saw(&w->store, "success"));
	end(w);
}
END_TEST

/* --- commands ---------------------------------------------------------- */

START_TEST(a_task_that_was_cancelled_before_it_came_does_not_run)
{
	struct worker *w = begin();

	cancel(w);
	claim(w, "add", "[1,2]", "");
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "ack"));
	ck_journal(w, "failed; ack; ");
	ck_record(w, "cancelled before it started");
	end(w);
}
END_TEST

START_TEST(a_cancelled_handler_that_does_not_end_is_killed)
{
	struct worker *w = begin();

	claim(w, "loop", "[]", "");
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "running"));
	cancel(w);
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "ack"));
	ck_record(w, "was killed");
	end(w);
}
END_TEST

START_TEST(a_quiet_worker_releases_what_still_comes)
{
	struct worker *w = begin();

	fake_store_control(&w->store,
			   "{\"order\":\"quiet\",\"worker\":\"test:main\"}");
	FAKE_WAIT(&w->store, w->store.wanted[0] == 0);
	claim(w, "add", "[1,2]", "");
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "release"));
	ck_journal(w, "release; ");
	end(w);
}
END_TEST

/* --- stopping ---------------------------------------------------------- */

START_TEST(a_worker_that_stops_lets_its_tasks_finish)
{
	struct worker *w = begin();

	claim(w, "sleep", "[0.3]", "");
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "running"));
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "running; success; ack; deregister; ");
	ck_assert_int_eq(w->failure.code, ERR_NONE);
	end(w);
}
END_TEST

START_TEST(a_second_stop_releases_what_runs)
{
	struct worker *w = begin();

	claim(w, "sleep", "[60]", "");
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "running"));
	dispatch_stop(w->dispatch);
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "running; release; deregister; ");
	end(w);
}
END_TEST

START_TEST(a_worker_whose_claims_cannot_be_settled_stays_listed)
{
	struct worker *w = begin();

	w->store.hold_claims = true;
	claim(w, "sleep", "[60]", "");
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "running"));
	dispatch_stop(w->dispatch);
	dispatch_stop(w->dispatch);
	dispatch_stop(w->dispatch); /* no hurry is greater than that */
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "running; release; ");
	end(w);
}
END_TEST

START_TEST(a_broker_that_refuses_for_good_ends_the_worker)
{
	struct worker *w = begin();

	fake_broker_refuse(&w->store);
	FAKE_WAIT(&w->store, w->stopped);
	ck_assert_int_eq(w->failure.code, ERR_REFUSED);
	end(w);
}
END_TEST

SUITE("dispatch")
{
	TEST(a_worker_wants_tasks_when_it_is_ready);
	TEST(a_claim_is_settled_when_its_record_is_stored);
	TEST(a_task_that_fails_is_tried_again);
	TEST(a_task_that_has_failed_for_good_goes_to_the_dead_list);
	TEST(what_is_not_a_task_goes_to_the_dead_list);
	TEST(a_task_that_no_module_handles_is_left_to_other_workers);
	TEST(a_recovered_task_that_had_ended_is_not_run_again);
	TEST(a_recovered_task_waits_until_the_backend_can_tell);
	TEST(a_task_that_was_cancelled_before_it_came_does_not_run);
	TEST(a_cancelled_handler_that_does_not_end_is_killed);
	TEST(a_quiet_worker_releases_what_still_comes);
	TEST(a_worker_that_stops_lets_its_tasks_finish);
	TEST(a_second_stop_releases_what_runs);
	TEST(a_worker_whose_claims_cannot_be_settled_stays_listed);
	TEST(a_broker_that_refuses_for_good_ends_the_worker);
}
