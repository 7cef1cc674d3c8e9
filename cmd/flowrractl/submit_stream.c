/* SPDX-License-Identifier: MIT */
/*
 * submit --stdin: many tasks, one a line.
 *
 * Lines go into batches, some of which are under way while the next is filled;
 * their answers are printed in order. A slow writer is not kept waiting: when
 * there is nothing to read, what has come is sent.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "awaiting.h"
#include "flowrra/client.h"
#include "lines.h"
#include "manager/request.h"
#include "submit.h"
#include "util/buf.h"
#include "util/err.h"
#include "verb.h"

/* A batch is sent with this many lines, or bytes of tasks and records. 512
 * lines are one round trip to the broker; with more of them an error would be
 * known later. 2 MiB keep one batch of large tasks from holding the
 * connection. */
#define BATCH_LINES 512
#define BATCH_BYTES (2 * 1024 * 1024)
/* Five under way and one being filled: enough to hide a round trip of some
 * milliseconds behind the parsing of lines. */
#define BATCHES 6

/* A line that has been read. */
struct line {
	size_t number;
	bool is_task;  /* it is in the batch */
	char *problem; /* else why not; NULL: no memory to keep that */
	int status;
};

/* Lines in their order, with tasks and problems mixed; tasks->… has the answers
 * of those that are tasks, in the same order. */
struct batch {
	struct flowrra_batch *tasks;
	struct line lines[BATCH_LINES];
	size_t n;
};

/* The ring: batches from `first` on, `under_way` of them, have been sent and
 * wait for their answers; the one behind them is being filled. under_way is
 * less than BATCHES whenever a line is added. */
struct stream {
	struct ctl *ctl;
	const struct flowrra_request *base;
	struct batch batches[BATCHES];
	size_t first, under_way; /* those that have been sent, in a ring */
	struct buf scratch;	 /* strings of one request */
	size_t number;		 /* of the last line, from 1 */
	size_t line_max;	 /* bytes */
	size_t answered;	 /* lines, for the progress */
	bool hopeless; /* the server takes no tasks, or stdout no answers */
	struct submit_problems problems;
	int status;
	struct awaiting *awaiting; /* with --wait; else NULL */
};

/* The batch behind those that are under way. */
static struct batch *
filling(struct stream *s)
{
	return &s->batches[(s->first + s->under_way) % BATCHES];
}

/* The highest of all lines: one bad line is seen in the end, whatever follows.
 */
static void
note_status(struct stream *s, int status)
{
	if (status > s->status)
		s->status = status;
}

/* --- answers ----------------------------------------------------------- */

/* In the place of the task: with --wait, those before it have to end first. */
static void
print_problem(struct stream *s, size_t number, int status, const char *problem)
{
	struct err err = ERR_INIT;

	note_status(s, status);
	if (s->awaiting == NULL) {
		submit_print_problem(s->ctl, &s->problems, number, status,
				     problem);
		return;
	}
	err_set(&err, err_of_exit_status(status), "%s", problem);
	if (awaiting_add_problem(s->awaiting, number, &err) != 0)
		s->hopeless = true;
}

static void
print_id(struct stream *s, size_t number, const char *id)
{
	int status;

	if (s->awaiting == NULL) {
		submit_print_id(s->ctl, id);
		return;
	}
	if ((status = awaiting_add(s->awaiting, number, id)) != 0) {
		note_status(s, status);
		s->hopeless = true;
	}
}

/* Whether a problem is one of the server, and the next task will have it. */
static bool
is_general(int code)
{
	return code == FLOWRRA_UNAVAILABLE;
}

/* Answers of a batch that is done, which is empty then. If no task of it was
 * taken because the server is away, the next ones will not be, either:
 * `hopeless` ends the stream rather than fail a million lines, one timeout
 * after the other. */
static void
print_answers(struct stream *s, struct batch *b)
{
	size_t task = 0, unavailable = 0, i;
	struct flowrra_error error;
	struct line *line;

	for (i = 0; i < b->n; i++) {
		line = &b->lines[i];
		if (!line->is_task) {
			print_problem(s, line->number, line->status,
				      line->problem != NULL ? line->problem
							    : "no memory");
			free(line->problem);
		} else if (flowrra_batch_answer(b->tasks, task, &error) == 0) {
			print_id(s, line->number,
				 flowrra_batch_id(b->tasks, task++));
		} else {
			print_problem(s, line->number, error.code,
				      error.message);
			unavailable += is_general(error.code);
			task++;
		}
	}
	if (unavailable > 0 && unavailable == task)
		s->hopeless = true;
	/* Nobody would learn the ids of what follows. */
	if (ferror(stdout))
		s->hopeless = true;
	s->answered += b->n;
	/* Where the ids go by, they are progress enough. */
	if (!isatty(STDOUT_FILENO) && s->awaiting == NULL)
		show_progress(s->ctl, (long long)s->answered, "submitted");
	b->n = 0;
	flowrra_batch_reset(b->tasks);
}

/* Waits for the batch that was sent first. */
static void
settle_first(struct stream *s)
{
	struct batch *b = &s->batches[s->first];

	if (flowrra_batch_count(b->tasks) > 0)
		flowrra_batch_wait(b->tasks, NULL);
	s->first = (s->first + 1) % BATCHES;
	s->under_way--;
	print_answers(s, b);
}

/* In the order in which they were sent, which is that of their lines. */
static void
settle_all(struct stream *s)
{
	while (s->under_way > 0)
		settle_first(s);
}

/* --- lines ------------------------------------------------------------- */

/* Sends the batch that is being filled, and goes on with the next of the ring.
 * A batch without tasks, whose lines were all bad, goes the same way: its
 * complaints keep their place. */
static void
send_batch(struct stream *s)
{
	struct batch *b = filling(s);

	if (b->n == 0)
		return;
	if (flowrra_batch_count(b->tasks) > 0)
		flowrra_batch_send(b->tasks, NULL);
	/* One is left to be filled. */
	if (++s->under_way == BATCHES)
		settle_first(s);
}

/* A line that is not a task takes a place in the batch, too, for its complaint
 * to come in order. */
static void
add_problem(struct stream *s, int status, const char *problem)
{
	struct batch *b = filling(s);

	b->lines[b->n++] = (struct line){
	    .number = s->number, .problem = strdup(problem), .status = status};
}

/* Reads the line and puts its task into the batch, where the client checks it:
 * both kinds of mistakes take the line's place. */
static void
add_task(struct stream *s, struct slice text)
{
	struct batch *b = filling(s);
	struct flowrra_request request;
	struct flowrra_error error;
	struct err err = ERR_INIT;

	if (request_read(text, s->base, &s->scratch, &request, NULL, &err) !=
	    0) {
		add_problem(s, err_exit_status(err.code), err.msg);
	} else if (flowrra_batch_add(b->tasks, &request, &error) != 0) {
		add_problem(s, error.code, error.message);
		/* The registry could not be asked. */
		if (is_general(error.code))
			s->hopeless = true;
	} else {
		b->lines[b->n++] =
		    (struct line){.number = s->number, .is_task = true};
	}
}

static void
add_long_line(struct stream *s)
{
	char problem[80];

	snprintf(problem, sizeof(problem),
		 "longer than %zu bytes ([worker] max_task_size)", s->line_max);
	add_problem(s, err_exit_status(ERR_DATA), problem);
}

static bool
on_line(void *arg, size_t number, struct slice text, bool too_long)
{
	struct stream *s = arg;
	const struct batch *b;

	s->number = number;
	if (too_long)
		add_long_line(s);
	else
		add_task(s, text);
	b = filling(s);
	if (b->n == BATCH_LINES || flowrra_batch_bytes(b->tasks) >= BATCH_BYTES)
		send_batch(s);
	return !s->hopeless;
}

/* --- reading ----------------------------------------------------------- */

/* Before it waits for a slow writer it sends what is filled and settles what is
 * under way, so that a program that writes one line and reads one ID gets it. */
static bool
on_idle(void *arg)
{
	struct stream *s = arg;

	send_batch(s);
	while (s->under_way > 0 && lines_would_block())
		settle_first(s);
	fflush(stdout);
	/* A time that is over keeps no task from being submitted. */
	if (s->awaiting != NULL && lines_would_block() &&
	    awaiting_until_input(s->awaiting) != 0)
		s->hopeless = true;
	return !s->hopeless;
}

/* Whatever ends the input, what was read before is sent and answered: batches
 * under way are never given up. */
static void
read_all(struct stream *s)
{
	const struct lines lines = {.max = s->line_max,
				    .on_line = on_line,
				    .on_idle = on_idle,
				    .arg = s};

	if (lines_read(&lines) != 0) {
		complain(s->ctl, "cannot read standard input: %s",
			 strerror(errno));
		note_status(s, err_exit_status(ERR_SYSTEM));
	}
	send_batch(s);
	settle_all(s);
	submit_end_problems(s->ctl, &s->problems);
	end_progress(s->ctl);
	if (s->hopeless)
		complain(s->ctl,
			 "giving up: lines after %zu were not submitted",
			 s->number);
}

/* On the heap: the batches have some 100 KiB of lines. */
static int
stream_run(struct ctl *ctl, const struct flowrra_request *base,
	   struct awaiting *awaiting)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct flowrra_error error;
	int status = 0;
	size_t i;

	if (s == NULL) {
		complain(ctl, "out of memory");
		return err_exit_status(ERR_SYSTEM);
	}
	s->ctl = ctl;
	s->base = base;
	s->awaiting = awaiting;
	s->line_max = request_max(ctl->client);
	for (i = 0; i < BATCHES && status == 0; i++)
		if (flowrra_batch_new(ctl->client, &s->batches[i].tasks,
				      &error) != 0)
			status = complain_of(ctl, &error);
	if (status == 0) {
		read_all(s);
		status = s->status;
	}
	for (i = 0; i < BATCHES; i++)
		flowrra_batch_free(s->batches[i].tasks);
	buf_done(&s->scratch);
	free(s);
	return status;
}

int
submit_stream(struct ctl *ctl, const struct flowrra_request *base)
{
	return stream_run(ctl, base, NULL);
}

int
submit_stream_and_wait(struct ctl *ctl, const struct flowrra_request *base,
		       double timeout_s)
{
	struct awaiting awaiting;
	int status = awaiting_begin(&awaiting, ctl, timeout_s), waited;

	if (status != 0)
		return status;
	status = stream_run(ctl, base, &awaiting);
	waited = awaiting_finish(&awaiting);
	awaiting_done(&awaiting);
	return waited > status ? waited : status;
}
