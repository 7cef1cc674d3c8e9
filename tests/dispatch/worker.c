/* SPDX-License-Identifier: MIT */
/* A worker with fake stores, for tests. */
#include "dispatch/worker.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "codec/scan.h"
#include "executor/driver.h"
#include "pool/fake_executor.h"

/* --- what the dispatcher calls ----------------------------------------- */

static void
on_worker_ready(void *arg)
{
	struct worker *w = arg;

	ck_assert(!w->ready);
	w->ready = true;
}

static void
on_worker_stopped(const struct err *why, void *arg)
{
	struct worker *w = arg;

	ck_assert(!w->stopped);
	w->stopped = true;
	if (why != NULL)
		w->failure = *why;
}

static void
on_worker_reloaded(const struct err *why, void *arg)
{
	struct worker *w = arg;

	w->reloads++;
	if (why != NULL)
		w->reload_err = *why;
}

static void
on_worker_stop_command(void *arg)
{
	((struct worker *)arg)->stop_commands++;
}

static void
on_worker_reload_command(void *arg)
{
	((struct worker *)arg)->reload_commands++;
}

/* --- opening and closing ----------------------------------------------- */

static struct conf *
load_conf(const char *file, const char *const *settings)
{
	const char *all[16] = {
	    "executor.io_workers=2", "executor.cpu_workers=1",
	    "executor.kill_grace=50ms", "worker.stop_timeout=60"};
	struct conf *conf;
	struct err err;
	size_t n = 4;

	while (settings != NULL && *settings != NULL)
		all[n++] = *settings++;
	ck_assert_msg(conf_load(file, all, &conf, &err) == 0, "%s", err.msg);
	return conf;
}

struct worker *
worker_open(const struct worker_setup *setup)
{
	static const char *const queues[] = {"io", "cpu", NULL};
	static const char *const none[] = {NULL};
	struct worker *w = calloc(1, sizeof(*w));
	struct dispatch_options options = {
	    .worker = "test:main",
	    .token = "token",
	    .predecessor = "",
	    .spool = w->spool,
	    .queues = setup->queues ? setup->queues : queues,
	    .modules = {.paths = setup->modules ? setup->modules : none,
			.config = "{}"},
	    .on_ready = on_worker_ready,
	    .on_reloaded = on_worker_reloaded,
	    .on_stop_command = on_worker_stop_command,
	    .on_reload_command = on_worker_reload_command,
	    .on_stopped = on_worker_stopped,
	    .arg = w,
	    .open_broker = fake_broker_open,
	    .open_results = fake_results_open};
	struct err err;

	w->base = event_base_new();
	fake_store_init(&w->store, w->base);
	w->conf = load_conf(setup->file != NULL ? setup->file : "/dev/null",
			    setup->settings);
	snprintf(w->spool, sizeof(w->spool), "/tmp/dispatch-%d.spool",
		 (int)getpid());
	options.base = w->base;
	options.conf = w->conf;
	options.executor = setup->real
			       ? driver_path("libexec/flowrra/flowrra-executor")
			       : fake_executor_path();
	w->dispatch = dispatch_new(&options, &err);
	ck_assert_msg(w->dispatch != NULL, "%s", err.msg);
	return w;
}

void
worker_up(struct worker *w)
{
	fake_store_reach(&w->store, true);
	FAKE_WAIT(&w->store, w->ready);
}

struct worker *
worker_begin_with(const char *setting)
{
	const char *settings[] = {setting, NULL};
	struct worker *w =
	    worker_open(&(struct worker_setup){.settings = settings});

	worker_up(w);
	return w;
}

struct worker *
worker_begin(void)
{
	return worker_begin_with(NULL);
}

struct worker *
worker_begin_real(void)
{
	static char demo[4096], hostile[4096];
	const char *modules[] = {demo, hostile, NULL};
	struct worker *w;

	strcpy(demo, driver_path("lib/flowrra/demo.so"));
	strcpy(hostile, driver_path("tests/modules/hostile.so"));
	w = worker_open(
	    &(struct worker_setup){.modules = modules, .real = true});
	worker_up(w);
	return w;
}

void
worker_end(struct worker *w)
{
	dispatch_free(w->dispatch);
	fake_store_done(&w->store);
	conf_free(w->conf);
	conf_free(w->next_conf);
	event_base_free(w->base);
	unlink(w->spool);
	free(w);
}

/* --- tasks ------------------------------------------------------------- */

static void
put_task(struct worker *w, const char *name, const char *args, const char *more,
	 bool recovered)
{
	const bool dated = strstr(more, "\"submitted_at\"") != NULL;
	struct buf task = BUF_INIT;

	/* As our own producers put it. */
	buf_addf(&task,
		 "{\"id\":\"t%u\",\"name\":\"%s\",\"args\":%s,\"kwargs\":{}%s"
		 "%s}",
		 ++w->tasks, name, args,
		 dated ? "" : ",\"submitted_at\":\"2020-01-02T03:04:05+00:00\"",
		 more);
	buf_addc(&task, '\0');
	fake_store_claim(&w->store, 0, task.data, recovered);
	buf_done(&task);
}

void
worker_claim(struct worker *w, const char *name, const char *args,
	     const char *more)
{
	put_task(w, name, args, more, false);
}

void
worker_claim_foreign(struct worker *w, const char *name, const char *args)
{
	/* null counts as absent. */
	put_task(w, name, args, ",\"submitted_at\":null", false);
}

void
worker_recover(struct worker *w, const char *name, const char *args,
	       const char *more)
{
	put_task(w, name, args, more, true);
}

void
worker_steps(struct worker *w, const char *name, const char *more,
	     const char *const *steps)
{
	const char *const *step;
	struct buf args = BUF_INIT;

	for (step = steps; *step != NULL; step++) {
		buf_addc(&args, step == steps ? '[' : ',');
		scan_quote(&args, slice_of(*step));
	}
	buf_addc(&args, ']');
	buf_addc(&args, '\0');
	worker_claim(w, name, args.data, more);
	buf_done(&args);
}

/* --- what happens to them ---------------------------------------------- */

void
worker_cancel(struct worker *w, const char *id)
{
	char order[300];

	snprintf(order, sizeof(order), "{\"order\":\"cancel\",\"id\":\"%s\"}",
		 id);
	fake_store_control(&w->store, order);
}

void
worker_command(struct worker *w, const char *order)
{
	char text[300];

	snprintf(text, sizeof(text),
		 "{\"order\":\"%s\",\"worker\":\"test:main\"}", order);
	fake_store_control(&w->store, text);
}

void
worker_due(struct worker *w, struct event *timer)
{
	evtimer_del(timer);
	event_active(timer, EV_TIMEOUT, 0);
	event_base_loop(w->base, EVLOOP_NONBLOCK);
}

/* Three rounds: what is due may make more due, and that be answered. */
void
worker_settle(struct worker *w)
{
	int i;

	for (i = 0; i < 3; i++)
		event_base_loop(w->base, EVLOOP_NONBLOCK);
}

struct job *
worker_job(const struct worker *w)
{
	const struct dispatch *d = w->dispatch;
	uint32_t i;

	ck_assert_uint_eq(d->n_jobs, 1);
	for (i = 0; d->jobs[i] == NULL; i++)
		;
	return d->jobs[i];
}

unsigned int
worker_count(struct worker *w, const char *entry)
{
	const char *at = fake_store_journal(&w->store);
	unsigned int n = 0;

	while ((at = strstr(at, entry)) != NULL) {
		at += strlen(entry);
		n++;
	}
	return n;
}

/* --- the log ----------------------------------------------------------- */

void
worker_log_begin(void)
{
	const int fd = memfd_create("log", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
}

const char *
worker_log(void)
{
	static char text[16384];
	const ssize_t n = pread(STDERR_FILENO, text, sizeof(text) - 1, 0);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return text;
}
