/* SPDX-License-Identifier: MIT */
/*
 * Many tasks that are waited for.
 *
 * Results are printed in the order of the input, so one slow task keeps those
 * behind it back; when the ring is full of them (manager/await.h), no more input
 * is read. So memory is bounded, whatever comes.
 */
#include "awaiting.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "flowrra/client.h"
#include "manager/await.h"
#include "result.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

/* How often a person sees the figures change. */
#define SHOW_MS 200

static void
awaiting_note(struct awaiting *a, int status)
{
	if (status > a->status)
		a->status = status;
}

/* --- progress ---------------------------------------------------------- */

static bool
is_watched(const struct awaiting *a)
{
	return !a->ctl->globals.quiet && isatty(STDERR_FILENO);
}

/* "812/1000 done, 3 failed, 40 s left". How long the rest takes is a guess from
 * what was done so far; without an end of the input there is none. */
static void
awaiting_show(struct awaiting *a)
{
	const int64_t now = clock_mono_us();
	const size_t ended = await_ended(a->await);
	char left[48] = "";
	double each;

	if (!is_watched(a) || now - a->shown_us < SHOW_MS * 1000)
		return;
	a->shown_us = now;
	if (a->complete && ended > 0 && a->total > ended) {
		each = (double)(now - a->begun_us) / (double)ended;
		snprintf(left, sizeof(left), ", %.0f s left",
			 each * (double)(a->total - ended) / 1e6);
	}
	a->ctl->progress = true;
	fprintf(stderr, "\r\033[K%zu/%zu%s done, %zu failed%s", ended, a->total,
		a->complete ? "" : "+", await_failed(a->await), left);
}

/* --- printing ---------------------------------------------------------- */

static void
print_missing(struct awaiting *a, const struct awaited *one)
{
	const int status = err_exit_status(one->err.code);

	submit_print_problem(a->ctl, &a->problems, one->number, status,
			     one->err.msg);
	awaiting_note(a, status);
}

static void
print_awaited(struct awaiting *a, const struct awaited *one)
{
	const struct flowrra_record *record = one->record;

	end_progress(a->ctl);
	if (record == NULL) {
		print_missing(a, one);
		return;
	}
	if (record->state != FLOWRRA_SUCCESS && !a->ctl->globals.json)
		printf("%s\t\n", record->id);
	awaiting_note(a, print_record(a->ctl, record, record->id));
}

static void
print_ready(struct awaiting *a)
{
	struct awaited one;

	while (await_take(a->await, &one)) {
		print_awaited(a, &one);
		flowrra_record_free(one.record);
	}
	awaiting_show(a);
}

/* --- waiting ----------------------------------------------------------- */

/* Until one more has ended, or, with a descriptor, until that is readable:
 * *ret_input. */
static int
awaiting_turn(struct awaiting *a, int fd, bool *ret_input)
{
	const struct await_until until = {
	    .low = (ssize_t)await_open(a->await) - 1,
	    .fd = fd,
	    .moment_ms = is_watched(a) ? SHOW_MS : 0};
	struct err err = ERR_INIT;
	enum await_why why;

	if (await_run(a->await, &until, &why, &err) != 0)
		return complain_of_err(a->ctl, &err);
	*ret_input = why == AWAIT_INPUT;
	return 0;
}

/* Makes room for one more. */
static int
make_room(struct awaiting *a)
{
	bool input;
	int status;

	while (await_is_full(a->await)) {
		print_ready(a);
		if (!await_is_full(a->await))
			break;
		if ((status = awaiting_turn(a, -1, &input)) != 0)
			return status;
	}
	return 0;
}

int
awaiting_add(struct awaiting *a, size_t line, const char *id)
{
	const int status = make_room(a);

	if (status == 0) {
		await_add(a->await, id, line);
		a->total++;
	}
	return status;
}

int
awaiting_add_problem(struct awaiting *a, size_t line, const struct err *problem)
{
	const int status = make_room(a);

	if (status == 0) {
		await_add_failed(a->await, line, problem);
		a->total++;
	}
	return status;
}

int
awaiting_until_input(struct awaiting *a)
{
	bool input = false;
	int status = 0;

	/* Also when nothing is open: the time runs on. */
	for (;;) {
		print_ready(a);
		fflush(stdout);
		if (status != 0 || input || await_expired(a->await))
			return status;
		status = awaiting_turn(a, STDIN_FILENO, &input);
	}
}

int
awaiting_finish(struct awaiting *a)
{
	bool input;
	int status = 0;

	a->complete = true;
	for (;;) {
		print_ready(a);
		if (status != 0 || await_count(a->await) == 0)
			break;
		status = awaiting_turn(a, -1, &input);
	}
	end_progress(a->ctl);
	submit_end_problems(a->ctl, &a->problems);
	awaiting_note(a, status);
	return a->status;
}

int
awaiting_begin(struct awaiting *a, struct ctl *ctl, double timeout_s)
{
	struct err err = ERR_INIT;

	*a = (struct awaiting){.ctl = ctl, .begun_us = clock_mono_us()};
	a->await = await_new(ctl->client, timeout_s, &err);
	return a->await != NULL ? 0 : complain_of_err(ctl, &err);
}

void
awaiting_done(struct awaiting *a)
{
	await_free(a->await);
	a->await = NULL;
}
