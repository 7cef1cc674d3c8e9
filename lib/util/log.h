/* SPDX-License-Identifier: MIT */
/*
 * The program's log: one line an event on standard error.
 *
 * A line is text (time, program, level, message) or a JSON object with time,
 * level, program, message and what it is about. Under systemd (standard error
 * is the journal) lines begin with "<N>", the priority of syslog(3), as
 * sd-daemon(3) has it, and lines of text have no time, program or level;
 * log_set_journal() may take them with what they are about. In a message
 * control characters, and bytes that are not UTF-8, appear as \xNN, so that
 * nothing a task writes can forge a line. Thread-safe; no function fails.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <stdbool.h>
#include <stdint.h>

struct err;

/* X(name, syslog priority) */
#define LOG_LEVELS(X)                                                          \
	X(error, 3)                                                            \
	X(warning, 4)                                                          \
	X(notice, 5)                                                           \
	X(info, 6)                                                             \
	X(debug, 7)

enum log_level {
#define X(name, priority) LOG_LEVEL_##name,
	LOG_LEVELS(X)
#undef X
};

#define LOG_FORMATS(X) X(text) X(json)

enum log_format {
#define X(name) LOG_FORMAT_##name,
	LOG_FORMATS(X)
#undef X
};

/* What a line may be about, beside its message: members of JSON, and
 * FLOWRRA_NAME in the journal. */
#define LOG_FIELDS(X)                                                          \
	X(worker)                                                              \
	X(schedule)                                                            \
	X(task_id)                                                             \
	X(task_name)                                                           \
	X(queue)                                                               \
	X(attempt)                                                             \
	X(trace_id)                                                            \
	X(user)                                                                \
	X(role)                                                                \
	X(peer)                                                                \
	X(action)                                                              \
	X(target)                                                              \
	X(count)                                                               \
	X(outcome)                                                             \
	X(request_id)

/* Names the program (borrowed) and finds out where standard error leads. */
void log_init(const char *program);
/* Lines above this level are dropped; the default is "notice". */
void log_set_level(enum log_level level);
/* The default is text. */
void log_set_format(enum log_format format);
/* Names the worker (borrowed, NULL: none) that all lines are about. */
void log_set_worker(const char *worker);
/* Finds a level by name; returns -1 if there is none. */
int log_level_parse(const char *name, enum log_level *ret_level);
/* Whether a line of this level would be printed. */
int log_enabled(enum log_level level);

void log_line(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_error, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_warning, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_notice, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_info, __VA_ARGS__)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (log_enabled(LOG_LEVEL_debug))                              \
			log_line(LOG_LEVEL_debug, __VA_ARGS__);                \
	} while (0)

/* What a line is about; NULL and 0: nothing to say. */
struct log_subject {
	const char *schedule;
	const char *task_id;
	const char *task_name;
	const char *queue;
	long long attempt; /* from 1 on */
	const char *trace_id;
	/* Of a change that somebody has made, by flowrra-web. */
	const char *user, *role, *peer;
	const char *action, *target, *count, *outcome, *request_id;
};

/* A line about something. */
void log_about(enum log_level level, const struct log_subject *about,
	       const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* --- without waiting ---------------------------------------------------- */

/*
 * From now on a thread writes the lines, so that no reader of standard error
 * and no journal, however slow, makes a caller wait. 4 MiB of lines may wait;
 * those that find no room are dropped, and a line says how many. For daemons.
 */
int log_start_thread(struct err *err);

/* Waits for what is not written yet, a second at most; then, and before
 * log_start_thread(), each caller writes its own lines. */
void log_stop_thread(void);

/* --- another place for lines ------------------------------------------- */

enum log_field {
#define X(name) LOG_FIELD_##name,
	LOG_FIELDS(X)
#undef X
	    LOG_N_FIELDS
};

struct log_entry {
	int64_t time_us; /* wall clock */
	enum log_level level;
	int priority;
	const char *program;
	const char *message; /* NULL: there was no memory for it */
	bool has_subject;
	const char *fields[LOG_N_FIELDS]; /* NULL: nothing to say */
};

/* A field's name, in lower case. */
const char *log_field_name(enum log_field field);

/*
 * Lines of text that are about something go to `send` when standard error is
 * the journal; it returns 0, or -1 to have the line printed after all. Other
 * lines do not: those that a program ends with would not be known for its
 * unit's when it is gone.
 */
void log_set_journal(int (*send)(const struct log_entry *entry));

#endif
