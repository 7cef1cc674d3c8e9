/* SPDX-License-Identifier: MIT */
/*
 * The program's log on standard error.
 *
 * Where lines go is found out, not configured: to a terminal or a file they
 * have a time and a level, to the journal the priority in a form that it
 * understands. Lines about a task go there through its own protocol, with
 * fields to search for.
 */
#include "util/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/log_queue.h"
#include "util/utf8.h"

/* How long an end waits for a reader: as long as nobody who stops a service
 * would mind, and long enough for a journal that is busy. */
#define LOG_END_US 1000000

static const struct {
	const char *name;
	int priority;
} levels[] = {
#define X(label, number)                                                       \
	[LOG_LEVEL_##label] = {.name = #label, .priority = (number)},
    LOG_LEVELS(X)
#undef X
};

#define N_LEVELS (sizeof(levels) / sizeof(levels[0]))

static const char *const field_names[] = {
#define X(label) [LOG_FIELD_##label] = #label,
    LOG_FIELDS(X)
#undef X
};

/* Set before threads start: log_init() and log_set_journal(). The others may
 * change while threads log, hence atomic. */
static const char *program_name;
static bool to_journal;
static atomic_int max_level = LOG_LEVEL_notice;
static atomic_int line_format = LOG_FORMAT_text;
static _Atomic(const char *) worker_name;
static int (*send_to_journal)(const struct log_entry *entry);

/*
 * Whether standard error is the stream that systemd announces as its own.
 * Comparing device and inode is what systemd.exec(5) says: a service may have
 * redirected its output, and the variable is inherited.
 */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;
	char *end;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	device = strtoumax(stream, &end, 10);
	if (end == stream || *end != ':')
		return false;
	inode = strtoumax(end + 1, &end, 10);
	return *end == '\0' && device == (uintmax_t)st.st_dev &&
	       inode == (uintmax_t)st.st_ino;
}

void
log_init(const char *program)
{
	program_name = program;
	to_journal = stderr_is_journal();
}

void
log_set_journal(int (*send)(const struct log_entry *entry))
{
	send_to_journal = send;
}

const char *
log_field_name(enum log_field field)
{
	return field_names[field];
}

void
log_set_format(enum log_format format)
{
	atomic_store(&line_format, (int)format);
}

void
log_set_worker(const char *worker)
{
	atomic_store(&worker_name, worker);
}

void
log_set_level(enum log_level level)
{
	atomic_store(&max_level, (int)level);
}

int
log_level_parse(const char *name, enum log_level *ret_level)
{
	size_t i;

	for (i = 0; i < N_LEVELS; i++) {
		if (strcmp(name, levels[i].name) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

int
log_enabled(enum log_level level)
{
	return (int)level <= atomic_load(&max_level);
}

/* --- lines ------------------------------------------------------------- */

/* What has gone through utf8_add_visible() as a JSON string. */
static void
log_add_quoted(struct buf *line, const char *text)
{
	buf_addc(line, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_addc(line, '\\');
		buf_addc(line, *text);
	}
	buf_addc(line, '"');
}

/* `attempt` is the only number among the fields. */
static void
add_member(struct buf *line, enum log_field field, const char *value)
{
	struct buf clean = BUF_INIT;

	buf_addf(line, ",\"%s\":", field_names[field]);
	if (field == LOG_FIELD_attempt) {
		buf_adds(line, value);
		return;
	}
	utf8_add_visible(&clean, value, strlen(value));
	log_add_quoted(line, clean.data != NULL ? clean.data : "");
	buf_done(&clean);
}

/*
 * The message is escaped already, so it has no control characters, and JSON
 * needs only quotes and backslashes escaped. That \x1b becomes \\x1b is
 * intended: both formats show the same text.
 */
static void
log_add_json(struct buf *line, const struct log_entry *e, const char *now)
{
	int i;

	buf_addf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%s\"",
		 now, levels[e->level].name, e->program);
	buf_adds(line, ",\"message\":");
	log_add_quoted(line, e->message);
	for (i = 0; i < LOG_N_FIELDS; i++)
		if (e->fields[i] != NULL)
			add_member(line, (enum log_field)i, e->fields[i]);
	buf_addc(line, '}');
}

/* The priority stands before JSON, too: the journal takes it off. */
static void
log_add_line(struct buf *line, const struct log_entry *e)
{
	char now[CLOCK_TEXT_SIZE];

	clock_format(e->time_us, now);
	if (to_journal)
		buf_addf(line, "<%d>", e->priority);
	if (atomic_load(&line_format) == LOG_FORMAT_json)
		log_add_json(line, e, now);
	else if (to_journal)
		buf_adds(line, e->message);
	else
		buf_addf(line, "%s %s %s: %s", now, e->program,
			 levels[e->level].name, e->message);
	buf_addc(line, '\n');
}

/*
 * One write a line, so that lines of threads and processes do not mix: a pipe
 * keeps up to PIPE_BUF bytes together. The loop is for longer lines. An error
 * has no place to be reported.
 */
static void
write_line(const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(STDERR_FILENO, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

/* A lost line is announced with a constant text, which needs no memory. */
static void
print(const struct log_entry *e)
{
	static const char no_memory[] = "out of memory: a log line is lost\n";
	struct buf line = BUF_INIT;

	if (e->message != NULL)
		log_add_line(&line, e);
	if (e->message == NULL || line.failed)
		write_line(no_memory, sizeof(no_memory) - 1);
	else
		write_line(line.data, line.len);
	buf_done(&line);
}

/*
 * To the journal with its fields where that takes them, else as a line. The
 * journal's protocol is used only for text; with JSON the user has chosen a form
 * that another program reads, and it must come out unchanged.
 */
static void
log_deliver(const struct log_entry *e)
{
	if (!e->has_subject || e->message == NULL || !to_journal ||
	    send_to_journal == NULL ||
	    atomic_load(&line_format) != LOG_FORMAT_text ||
	    send_to_journal(e) != 0)
		print(e);
}

/* `attempt` is the caller's memory for the number as text. */
static void
set_fields(struct log_entry *e, const struct log_subject *about,
	   char attempt[24])
{
	e->fields[LOG_FIELD_worker] = atomic_load(&worker_name);
	if (about == NULL)
		return;
	e->fields[LOG_FIELD_schedule] = about->schedule;
	e->fields[LOG_FIELD_task_id] = about->task_id;
	e->fields[LOG_FIELD_task_name] = about->task_name;
	e->fields[LOG_FIELD_trace_id] = about->trace_id;
	e->fields[LOG_FIELD_queue] = about->queue;
	e->fields[LOG_FIELD_user] = about->user;
	e->fields[LOG_FIELD_role] = about->role;
	e->fields[LOG_FIELD_peer] = about->peer;
	e->fields[LOG_FIELD_action] = about->action;
	e->fields[LOG_FIELD_target] = about->target;
	e->fields[LOG_FIELD_count] = about->count;
	e->fields[LOG_FIELD_outcome] = about->outcome;
	e->fields[LOG_FIELD_request_id] = about->request_id;
	snprintf(attempt, 24, "%lld", about->attempt);
	if (about->attempt > 0)
		e->fields[LOG_FIELD_attempt] = attempt;
}

static struct log_entry
log_new_entry(enum log_level level)
{
	return (struct log_entry){
	    .time_us = clock_wall_us(),
	    .level = level,
	    .priority = levels[level].priority,
	    .program =
		program_name ? program_name : program_invocation_short_name};
}

/*
 * errno is kept: a function that logs in the midst of handling an error must
 * not change it.
 */
__attribute__((format(printf, 3, 0))) static void
log_entry(enum log_level level, const struct log_subject *about,
	  const char *fmt, va_list ap)
{
	struct log_entry e = log_new_entry(level);
	struct buf message = BUF_INIT;
	int saved = errno;
	char attempt[24], *text = NULL;
	int len = vasprintf(&text, fmt, ap);

	if (len >= 0) {
		utf8_add_visible(&message, text, (size_t)len);
		free(text);
	}
	e.message = len == 0 ? "" : message.failed ? NULL : message.data;
	e.has_subject = about != NULL;
	set_fields(&e, about, attempt);
	if (!log_queue_put(&e))
		log_deliver(&e);
	buf_done(&message);
	errno = saved;
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	log_entry(level, NULL, fmt, ap);
	va_end(ap);
}

void
log_about(enum log_level level, const struct log_subject *about,
	  const char *fmt, ...)
{
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	log_entry(level, about, fmt, ap);
	va_end(ap);
}

/* --- without waiting ---------------------------------------------------- */

static void
write_queued(const struct log_entry *entry, unsigned long lost)
{
	struct log_entry e = log_new_entry(LOG_LEVEL_warning);
	char message[80];

	if (entry != NULL) {
		log_deliver(entry);
		return;
	}
	snprintf(message, sizeof(message),
		 "%lu log lines are lost: they were not read in time", lost);
	e.message = message;
	set_fields(&e, NULL, NULL);
	log_deliver(&e);
}

int
log_start_thread(struct err *err)
{
	if (log_queue_start(write_queued) != 0)
		return err_sys(err, ERR_SYSTEM,
			       "cannot start the thread of the log");
	return 0;
}

void
log_stop_thread(void)
{
	log_queue_stop(LOG_END_US);
}
