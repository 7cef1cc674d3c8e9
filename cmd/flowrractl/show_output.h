/* SPDX-License-Identifier: MIT */
/* Showing what commands have printed, or print. */
#ifndef FLOWRRACTL_SHOW_OUTPUT_H
#define FLOWRRACTL_SHOW_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/capture.h"
#include "util/buf.h"

struct capture_reader;
struct ctl;
struct err;
struct flowrra_record;

/* How it is shown. */
struct show_output {
	struct ctl *ctl;
	const char *directory; /* of the files: codec/capture.h */
	const char *id;
	bool only_stdout, only_stderr; /* neither: both */
	bool
	    apart; /* standard error goes to standard error, not among the rest */
	bool time;     /* before each line */
	bool headed;   /* each attempt has a line before it */
	int follow_fd; /* > 0: the command waits for this (codec/capture.h) */
	/* The state of it; zeroes at first. */
	bool in_line[2];
	unsigned int shown; /* the attempt that was shown last */
	bool found;	    /* there are files */
};

/* One attempt, as far as it is kept: its last `n` lines (below 0: all). -1 with
 * *err if the files cannot be read. */
int show_attempt(struct show_output *s, unsigned int attempt, int64_t n,
		 struct err *err);

/* What a reader of an attempt has now. The same. */
int show_reader(struct show_output *s, struct capture_reader *reader,
		unsigned int attempt, struct err *err);

/* A text that an attempt is known to have printed: its last `n` lines (below 0: all). */
struct show_text {
	enum capture_stream stream;
	unsigned int attempt;
	int64_t wall_us;
	struct slice text;
};
void show_text(struct show_output *s, const struct show_text *t, int64_t n);

/*
 * Shows all from `attempt` on as it is printed, until the task has ended. `tick` is
 * called about each second meanwhile; NULL: nothing is. 0 with the record, which the
 * caller frees; or an exit status, after a complaint.
 */
int show_following(struct show_output *s, unsigned int attempt,
		   void (*tick)(struct ctl *ctl),
		   struct flowrra_record **ret_record);

#endif
