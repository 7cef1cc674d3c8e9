/* SPDX-License-Identifier: MIT */
/* What a command prints: read as it comes, and kept as far as it may be of use. */
#include "module/shipped/exec/printed.h"

#include <string.h>
#include <syslog.h>

#include "codec/capture.h"
#include "flowrra/module.h"
#include "module/ended.h"
#include "module/shipped/exec/captures.h"
#include "module/shipped/exec/result.h"
#include "util/err.h"
#include "util/utf8.h"

/* What of standard error an error shows. */
#define TAIL_BYTES 2048
#define TAIL_LINES 10
/* What of standard output a failed command leaves: as much as its attempt keeps
 * (codec/history.h), in fewer lines than the log takes from one executor. */
#define OUTPUT_BYTES 4096
#define OUTPUT_LINES 50
static void
on_error_line(void *arg, struct slice line)
{
	const struct printed *r = arg;
	struct buf text = BUF_INIT;

	/* A NUL byte must not end the line. */
	utf8_add(&text, line.p, line.len);
	if (!text.failed)
		flowrra_task_log(r->task, LOG_NOTICE, "%s",
				 text.data != NULL ? text.data : "");
	buf_done(&text);
}

static void
keep_tail(struct buf *tail, const char *p, size_t len, size_t max)
{
	if (len > max) {
		p += len - max;
		len = max;
	}
	buf_add(tail, p, len);
	/* Not each time: each time moves what is left. */
	if (tail->len > 4 * max)
		buf_drain(tail, tail->len - max);
}

/* In front of bytes that wait. */
struct piece {
	int fd;
	size_t len;
};

/* A full disk takes nothing from the command but what would be kept of it. Returns
 * how many bytes are done with. */
static size_t
capture_some(struct printed *r, int fd, const char *p, size_t len)
{
	const enum capture_stream stream =
	    fd == 2 ? CAPTURE_STDERR : CAPTURE_STDOUT;
	struct err err = ERR_INIT;
	size_t used;

	if (capture_add(r->capture, stream, p, len, &used, &err) < 0)
		flowrra_task_log(r->task, LOG_WARNING, "%s", err.msg);
	captures_wrote(used);
	return used;
}

/* Behind others that wait, since the order stays. Without memory to hold them, they
 * are as lost as on a full disk. */
static void
keep_capture(struct printed *r, int fd, const char *p, size_t len)
{
	struct piece piece = {.fd = fd};
	size_t used = 0;

	if (r->held.len == 0)
		used = capture_some(r, fd, p, len);
	if (used == len)
		return;
	piece.len = len - used;
	if (buf_reserve(&r->held, sizeof(piece) + piece.len) != 0)
		return;
	buf_add(&r->held, &piece, sizeof(piece));
	buf_add(&r->held, p + used, piece.len);
}

bool
printed_again(struct printed *r)
{
	size_t at = 0, used;
	struct piece piece;

	while (at < r->held.len) {
		memcpy(&piece, r->held.data + at, sizeof(piece));
		used = capture_some(
		    r, piece.fd, r->held.data + at + sizeof(piece), piece.len);
		at += used;
		if (used < piece.len) {
			/* What is left of it gets a head of its own, in the
			 * place of what is done with. */
			piece.len -= used;
			memcpy(r->held.data + at, &piece, sizeof(piece));
			break;
		}
		at += sizeof(piece);
	}
	buf_drain(&r->held, at);
	return r->held.len == 0;
}

/* What is too much is read all the same: the command may do more than talk. */
static void
keep_output(struct printed *r, const char *p, size_t len)
{
	const size_t room = r->max - r->out.len;

	r->n_out += len;
	if (r->output == OUTPUT_NONE)
		keep_tail(&r->out, p, len, OUTPUT_BYTES);
	else
		buf_add(&r->out, p, len < room ? len : room);
}

/* Reading stops for nothing but a follower that lives: a command whose pipe is full
 * would wait for ever. Lines of a command that nobody declared are not the
 * worker's log's affair. */
bool
printed_take(struct printed *r, int fd, const char *p, size_t len)
{
	if (r->capture != NULL)
		keep_capture(r, fd, p, len);
	if (fd != 2)
		keep_output(r, p, len);
	else
		keep_tail(&r->tail, p, len, TAIL_BYTES);
	if (r->store > 0)
		keep_tail(&r->both, p, len, r->store);
	if (fd == 2 && r->logs)
		lines_take(&r->lines, p, len);
	return r->held.len == 0;
}

void
printed_add_tail(const struct printed *r, struct buf *out)
{
	const char *p = r->tail.data, *end, *begin;
	size_t lines = 0;

	if (r->tail.len == 0)
		return;
	end = p + r->tail.len;
	while (end > p && end[-1] == '\n')
		end--;
	for (begin = end; begin > p && end - begin < TAIL_BYTES; begin--)
		if (begin[-1] == '\n' && ++lines == TAIL_LINES)
			break;
	if (begin < end)
		buf_adds(out, ": ");
	/* A NUL byte must not end the error. */
	utf8_add(out, begin, (size_t)(end - begin));
}

/* What a command that failed wrote to standard output is not a result; its end
 * says what was done until then, so it goes where standard error goes. */
void
printed_tell(struct printed *r)
{
	const char *p = r->out.data, *end = p + r->out.len, *begin, *line;
	size_t lines = 0;

	if (r->out.len == 0)
		return;
	while (end > p && end[-1] == '\n')
		end--;
	for (begin = end; begin > p && end - begin < OUTPUT_BYTES; begin--)
		if (begin[-1] == '\n' && ++lines == OUTPUT_LINES)
			break;
	for (; begin < end; begin = line + 1) {
		if ((line = memchr(begin, '\n', (size_t)(end - begin))) == NULL)
			line = end;
		on_error_line(r, (struct slice){begin, (size_t)(line - begin)});
	}
}

void
printed_store(const struct printed *r)
{
	const size_t left_out =
	    r->both.len > r->store ? r->both.len - r->store : 0;
	struct buf text = BUF_INIT;

	if (r->both.len == 0)
		return;
	utf8_add(&text, r->both.data + left_out, r->both.len - left_out);
	if (!text.failed)
		flowrra_task_command_printed(r->task, text.data, text.len);
	buf_done(&text);
}

/* --- the result ---------------------------------------------------------- */

/* A promise that was broken; another try would break it, too. */
static const char *
why_not_json(const struct printed *r)
{
	return r->n_out > r->out.len
		   ? "it succeeded, but wrote more to standard output than a "
		     "result may have ([executor] max_result_size)"
		   : "it succeeded, but what it wrote to standard output is "
		     "not "
		     "JSON";
}

json_t *
printed_result(const struct printed *r, int64_t *ret_left_out,
	       struct buf *exact, const char **ret_why)
{
	const struct slice output = {r->out.data, r->out.len};
	json_t *value = NULL;
	size_t used;

	*ret_left_out = 0;
	*ret_why = NULL;
	if (r->out.failed)
		return NULL;
	if (r->output == OUTPUT_NONE)
		return json_null();
	if (r->output != OUTPUT_TEXT && r->n_out == output.len)
		value = result_json(output);
	if (value != NULL) {
		result_exact(output, exact);
		return value;
	}
	if (r->output == OUTPUT_JSON) {
		*ret_why = why_not_json(r);
		return NULL;
	}
	if ((value = result_text(output, r->max, &used)) != NULL)
		*ret_left_out = (int64_t)(r->n_out - used);
	return value;
}

/* --- its life -------------------------------------------------------------- */

/* Of output_total, what the output of one command may take while somebody reads it
 * slowly: until then neither it nor those behind it wait for him. */
#define SPOOL_PART 4

/* Without memory for that, a command runs without. */
static struct capture *
begin_capture(struct flowrra_task *task, const struct declarations *all)
{
	const struct capture_options o = {.directory = all->captures,
					  .id = flowrra_task_id(task),
					  .attempt = flowrra_task_attempt(task),
					  .max = all->capture_max,
					  .spool =
					      all->capture_total / SPOOL_PART};

	if (all->captures == NULL)
		return NULL;
	captures_sweep(all);
	return capture_new(&o);
}

void
printed_init(struct printed *r, struct flowrra_task *task,
	     const struct declared *declared, const struct declarations *all)
{
	*r = (struct printed){.task = task,
			      .max = all->max_result_size,
			      .output = declared != NULL ? declared->output
							 : OUTPUT_NONE,
			      .logs = declared != NULL,
			      .store = all->output_store,
			      .capture = begin_capture(task, all)};
	r->sink = (struct lines_sink){.on_line = on_error_line, .arg = r};
	r->lines.sink = &r->sink;
}

void
printed_end(struct printed *r)
{
	if (r->capture != NULL) {
		capture_hurry(r->capture);
		printed_again(r);
	}
	lines_end(&r->lines);
	lines_sink_end(&r->sink);
}

void
printed_done(struct printed *r)
{
	buf_done(&r->out);
	buf_done(&r->tail);
	buf_done(&r->both);
	buf_done(&r->held);
	capture_free(r->capture);
}
