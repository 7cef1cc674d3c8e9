/* SPDX-License-Identifier: MIT */
/*
 * The program's log: one line an event on standard error.
 *
 * Under systemd (standard error is the journal) lines begin with "<N>", the
 * priority of syslog(3), as sd-daemon(3) has it; elsewhere with time, program
 * and level. Control characters in a message are printed as \xNN, so that
 * nothing a task writes can forge a line. Thread-safe; no function fails.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

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

/* Names the program (borrowed) and finds out where standard error leads. */
void log_init(const char *program);
/* Lines above this level are dropped; the default is "notice". */
void log_set_level(enum log_level level);
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

#endif
