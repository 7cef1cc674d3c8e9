/* SPDX-License-Identifier: MIT */
/*
 * The journal of this host, read: what was logged about one task.
 *
 * The journal finds lines by a field through an index, so that this costs little
 * however large it is. Who may read it is decided by its files: a service that
 * is not in the group systemd-journal finds nothing, which is an answer.
 */
#include "util/journal_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>

#include "util/err.h"

/* A value of a field without its name; empty if there is none. */
static struct slice
journal_value(sd_journal *j, const char *field)
{
	const size_t name = strlen(field) + 1;
	const void *data;
	size_t len;

	if (sd_journal_get_data(j, field, &data, &len) < 0 || len < name)
		return (struct slice){NULL, 0};
	return (struct slice){(const char *)data + name, len - name};
}

static int64_t
journal_number(struct slice text)
{
	char number[16];

	if (text.len == 0 || text.len >= sizeof(number))
		return 0;
	memcpy(number, text.p, text.len);
	number[text.len] = '\0';
	return strtoll(number, NULL, 10);
}

/* Any user may write lines with this field: those of our programs alone count,
 * as the journal itself notes them. */
static int
journal_match(sd_journal *j, const char *task_id)
{
	char match[256];

	snprintf(match, sizeof(match), "FLOWRRA_TASK_ID=%s", task_id);
	return sd_journal_add_match(j, match, 0) < 0 ||
		       sd_journal_add_match(j, "_COMM=flowrrad", 0) < 0
		   ? -1
		   : 0;
}

/* To the line behind `after`, which has to be there. */
static int
journal_seek(sd_journal *j, const char *after, struct err *err)
{
	if (*after == '\0')
		return sd_journal_seek_head(j) < 0 ? -1 : 0;
	if (sd_journal_seek_cursor(j, after) < 0)
		return err_set(err, ERR_DATA, "not a cursor of the journal");
	/* It is before the one that it names, unless that has gone. */
	if (sd_journal_next(j) > 0 && sd_journal_test_cursor(j, after) <= 0)
		sd_journal_previous(j);
	return 0;
}

static int
journal_lines(sd_journal *j, size_t max, journal_line_fn *on_line, void *arg,
	      struct buf *next)
{
	char *cursor = NULL;
	uint64_t at_us;
	size_t n = 0;

	while (n < max && sd_journal_next(j) > 0) {
		if (sd_journal_get_realtime_usec(j, &at_us) < 0)
			continue;
		on_line(
		    &(struct journal_line){
			.at_us = (int64_t)at_us,
			.attempt =
			    journal_number(journal_value(j, "FLOWRRA_ATTEMPT")),
			.text = journal_value(j, "MESSAGE")},
		    arg);
		n++;
	}
	if (n > 0 && sd_journal_get_cursor(j, &cursor) >= 0) {
		buf_reset(next);
		buf_adds(next, cursor);
		free(cursor);
	}
	return (int)n;
}

int
journal_read(const char *task_id, const char *after, size_t max,
	     journal_line_fn *on_line, void *arg, struct buf *next,
	     struct err *err)
{
	sd_journal *j = NULL;
	int n = 0;

	*err = (struct err)ERR_INIT;
	if (sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY) < 0)
		return 0;
	if (journal_match(j, task_id) == 0) {
		if (journal_seek(j, after, err) == 0)
			n = journal_lines(j, max, on_line, arg, next);
		else if (err->code != ERR_NONE)
			n = -1;
	}
	sd_journal_close(j);
	return n;
}
