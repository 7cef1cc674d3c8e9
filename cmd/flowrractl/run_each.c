/* SPDX-License-Identifier: MIT */
/*
 * run --each: a command for each line of standard input. Lines that come together
 * are queued together; those of a slow program one by one, as they come.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manager/command.h"
#include "result.h"
#include "run.h"
#include "submit.h"
#include "util/buf.h"
#include "util/err.h"
#include "verb.h"

struct each {
	struct ctl *ctl;
	const struct run_options *o;
	const struct command *command;
	const char *items[COMMAND_MANY_MAX];
	size_t n;
	size_t line; /* of the first of these, from 1 */
	struct command_answer answers[COMMAND_MANY_MAX];
	struct buf ids; /* each with a NUL */
	struct submit_problems problems;
	int status; /* the highest */
	bool woken; /* a worker is there, or was complained of */
};

static void
each_note(struct each *e, int status)
{
	if (status > e->status)
		e->status = status;
}

/* With the first of them: it can begin while others are read. */
static void
each_wake(struct each *e)
{
	struct err err = ERR_INIT;

	if (!e->woken && run_ensure_worker(e->ctl, &err) != 0) {
		complain(e->ctl, "queued, but: %s", err.msg);
		each_note(e, err_exit_status(err.code));
	}
	e->woken = true;
}

/* With --wait, the IDs are kept: their outputs are what is printed. */
static void
each_answer(struct each *e, size_t i)
{
	const struct command_answer *a = &e->answers[i];

	if (a->err.code != ERR_NONE) {
		submit_print_problem(e->ctl, &e->problems, e->line + i,
				     err_exit_status(a->err.code), a->err.msg);
		each_note(e, err_exit_status(a->err.code));
		return;
	}
	if (!e->o->wait)
		submit_print_id(e->ctl, a->id);
	else
		buf_add(&e->ids, a->id, strlen(a->id) + 1);
}

/* Those that were read; what lies in memory may move afterwards. -1: it cannot go
 * on. */
static int
each_flush(struct each *e)
{
	struct err err = ERR_INIT;
	size_t i;

	if (e->n == 0)
		return 0;
	if (command_submit_many(e->ctl->client, e->command, e->o->line != NULL,
				e->items, e->n, &e->o->request, e->answers,
				&err) != 0) {
		each_note(e, complain_of_err(e->ctl, &err));
		return -1;
	}
	for (i = 0; i < e->n; i++)
		each_answer(e, i);
	fflush(stdout);
	each_wake(e);
	e->line += e->n;
	e->n = 0;
	return 0;
}

/* All whole lines of the text, whose ends become NULs; returns how many bytes they
 * have, or -1. */
static ssize_t
each_take(struct each *e, char *p, size_t len)
{
	const char delimiter = e->o->null ? '\0' : '\n';
	char *end;
	size_t at = 0;

	while ((end = memchr(p + at, delimiter, len - at)) != NULL) {
		*end = '\0';
		if (strlen(p + at) != (size_t)(end - (p + at))) {
			complain(e->ctl, "line %zu has a NUL in it; see -0",
				 e->line + e->n);
			each_note(e, err_exit_status(ERR_DATA));
			return -1;
		}
		e->items[e->n++] = p + at;
		at = (size_t)(end + 1 - p);
		if (e->n == COMMAND_MANY_MAX && each_flush(e) != 0)
			return -1;
	}
	return each_flush(e) == 0 ? (ssize_t)at : -1;
}

/* The last line may lack its end. */
static int
each_read(struct each *e)
{
	char chunk[65536];
	struct buf text = BUF_INIT;
	ssize_t n, used = 0;

	do {
		n = read(STDIN_FILENO, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			buf_add(&text, chunk, (size_t)n);
		else if (text.len > 0)
			buf_addc(&text, e->o->null ? '\0' : '\n');
		if (text.failed)
			break;
		used = text.len > 0 ? each_take(e, text.data, text.len) : 0;
		if (used > 0)
			buf_drain(&text, (size_t)used);
	} while ((n > 0 || (n < 0 && errno == EINTR)) && used >= 0);
	if (n < 0 || text.failed) {
		complain(e->ctl, "cannot read standard input: %s",
			 text.failed ? "out of memory" : strerror(errno));
		each_note(e, err_exit_status(ERR_SYSTEM));
	}
	buf_done(&text);
	submit_end_problems(e->ctl, &e->problems);
	return e->status;
}

/* One after the other, in the order of the lines, as they are queued. */
static int
each_wait(struct each *e)
{
	struct run_following f = {.ctl = e->ctl, .fd = -1};
	bool failed = false;
	const char *id;
	size_t at;

	for (at = 0; at < e->ids.len; at += strlen(id) + 1) {
		id = e->ids.data + at;
		run_following_begin(id, &f);
		failed = run_wait(e->ctl, id, &f) != 0 || failed;
	}
	run_following_end(&f);
	return failed ? FLOWRRA_TASK_FAILED : 0;
}

int
run_each(struct ctl *ctl, const struct run_options *o,
	 const struct command *command)
{
	struct each *e = calloc(1, sizeof(*e));
	int status, waited = 0;

	if (e == NULL) {
		complain(ctl, "out of memory");
		return run_own_status(o, err_exit_status(ERR_SYSTEM));
	}
	e->ctl = ctl;
	e->o = o;
	e->command = command;
	e->line = 1;
	status = run_own_status(o, each_read(e));
	if (e->ids.failed) {
		complain(ctl, "out of memory for the IDs to wait for");
		status = COMMAND_ITSELF;
	}
	if (o->wait)
		waited = each_wait(e);
	buf_done(&e->ids);
	free(e);
	return status != 0 ? status : waited;
}
