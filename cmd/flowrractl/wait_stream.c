/* SPDX-License-Identifier: MIT */
/* wait --stdin: many IDs, one a line, as submit --stdin prints them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "awaiting.h"
#include "flowrra/client.h"
#include "lines.h"
#include "manager/await.h"
#include "util/err.h"
#include "verb.h"
#include "wait.h"
#include "wait_each.h"

/* A pipe holds no more. */
#define READ_BYTES 65536

/* `line` has room for what is longer than any ID, so that it is seen. */
struct ids {
	struct ctl *ctl;
	struct awaiting awaiting; /* with a client */
	struct wait_each each;	  /* without */
	size_t number;		  /* of the line, from 1 */
	char line[FLOWRRA_ID_SIZE + 1];
	size_t len;
	int status; /* not 0: give up */
};

/* An ID, or NULL and why there is none. */
static void
take(struct ids *ids, const char *id, const struct err *why)
{
	if (ids->ctl->client == NULL && id != NULL)
		wait_each_id(&ids->each, ids->number, id);
	else if (ids->ctl->client == NULL)
		wait_each_problem(&ids->each, ids->number, why);
	else if (id != NULL)
		ids->status = awaiting_add(&ids->awaiting, ids->number, id);
	else
		ids->status =
		    awaiting_add_problem(&ids->awaiting, ids->number, why);
}

/* Without its blanks, also of a file that was made elsewhere ("\r"). */
static void
take_line(struct ids *ids)
{
	struct err err;

	ids->number++;
	while (ids->len > 0 && strchr(" \t\r", ids->line[ids->len - 1]) != NULL)
		ids->len--;
	ids->line[ids->len] = '\0';
	err_set(&err, ERR_DATA, "no ID: the task was not submitted");
	take(ids, ids->len > 0 ? ids->line : NULL, &err);
	ids->len = 0;
}

static void
take_bytes(struct ids *ids, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && ids->status == 0; i++) {
		if (p[i] == '\n')
			take_line(ids);
		else if (ids->len < FLOWRRA_ID_SIZE)
			ids->line[ids->len++] = p[i] != '\0' ? p[i] : '?';
	}
}

/* False: nothing more is to be read. */
static bool
go_on(struct ids *ids)
{
	if (lines_would_block())
		ids->status = awaiting_until_input(&ids->awaiting);
	return ids->status == 0 &&
	       !(await_expired(ids->awaiting.await) && lines_would_block());
}

/* What has ended is printed while the writer of the IDs takes its time. Once the
 * time is over, no more are awaited. */
static void
read_ids(struct ids *ids)
{
	char text[READ_BYTES];
	ssize_t n = 1;

	while (ids->status == 0 && n > 0) {
		if (ids->ctl->client != NULL && !go_on(ids))
			return;
		n = read(STDIN_FILENO, text, sizeof(text));
		if (n > 0)
			take_bytes(ids, text, (size_t)n);
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n < 0) {
		complain(ids->ctl, "cannot read standard input: %s",
			 strerror(errno));
		ids->status = err_exit_status(ERR_SYSTEM);
	}
	if (ids->len > 0 && ids->status == 0)
		take_line(ids);
}

/* One after the other, as they come. */
static int
wait_for_each(struct ids *ids, double timeout_s)
{
	int status;

	wait_each_begin(&ids->each, ids->ctl, timeout_s);
	read_ids(ids);
	status = wait_each_end(&ids->each);
	return ids->status != 0 ? ids->status : status;
}

static int
wait_for_all(struct ids *ids, double timeout_s)
{
	int status = awaiting_begin(&ids->awaiting, ids->ctl, timeout_s);

	if (status != 0)
		return status;
	read_ids(ids);
	status = ids->status;
	if (status == 0)
		status = awaiting_finish(&ids->awaiting);
	awaiting_done(&ids->awaiting);
	return status;
}

int
wait_stream(struct ctl *ctl, double timeout_s)
{
	struct ids *ids = calloc(1, sizeof(*ids));
	int status;

	if (ids == NULL) {
		complain(ctl, "out of memory");
		return err_exit_status(ERR_SYSTEM);
	}
	ids->ctl = ctl;
	status = ctl->client != NULL ? wait_for_all(ids, timeout_s)
				     : wait_for_each(ids, timeout_s);
	free(ids);
	return status;
}
