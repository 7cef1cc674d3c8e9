/* SPDX-License-Identifier: MIT */
/*
 * What handlers print: standard output and error of one executor, cut into
 * lines. Lines are capped in length, and in number per second; what is over is
 * read and dropped, so that nobody has to wait for the log.
 */
#ifndef POOL_OUTPUT_H
#define POOL_OUTPUT_H

#include "util/buf.h"

struct executor_process;
struct event_base;
struct output;

typedef void output_line_fn(struct executor_process *p, struct slice line,
			    void *arg);

/* Takes over both descriptors, which do not block. NULL when memory runs out:
 * then it has not. */
struct output *output_new(struct event_base *base, int out, int error,
			  output_line_fn *on_line,
			  struct executor_process *process, void *arg);
void output_free(struct output *o);
/* Delivers the lines that are there by now. */
void output_read(struct output *o);
/* Delivers what is there, also a last line without its end. */
void output_drain(struct output *o);

#endif
