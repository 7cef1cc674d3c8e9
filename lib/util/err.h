/* SPDX-License-Identifier: MIT */
/*
 * Errors: every function that can fail returns 0 or -1 (or a pointer or NULL)
 * and fills the struct err that is its last parameter.
 *
 * The message is for a person: it says what was tried, on what, why it failed
 * and, where there is one, the remedy. It never holds a secret. The code is
 * for programs; its number is the exit status of a program that stops on it.
 */
#ifndef UTIL_ERR_H
#define UTIL_ERR_H

/* X(code, name, exit status, short text) */
#define ERR_CODES(X)                                                           \
	X(NONE, none, 0, "no error")                                           \
	X(FAILED, failed, 1, "the task failed")                                \
	X(NOT_FOUND, not_found, 2, "not found")                                \
	X(TIMEOUT, timeout, 3, "timed out waiting")                            \
	X(USAGE, usage, 64, "usage")                                           \
	X(DATA, data, 65, "bad data")                                          \
	X(UNAVAILABLE, unavailable, 69, "unreachable")                         \
	X(INTERNAL, internal, 70, "internal error")                            \
	X(SYSTEM, system, 71, "system error")                                  \
	X(FULL, full, 75, "queue full")                                        \
	X(REFUSED, refused, 77, "refused")                                     \
	X(CONFIG, config, 78, "bad configuration")

enum err_code {
#define X(code, name, status, text) ERR_##code,
	ERR_CODES(X)
#undef X
};

#define ERR_MSG_MAX 512

struct err {
	enum err_code code;
	int sys; /* errno at the failure, or 0 */
	char msg[ERR_MSG_MAX];
};

#define ERR_INIT                                                               \
	{                                                                      \
		.code = ERR_NONE                                               \
	}

/*
 * Sets code and message (cut off at ERR_MSG_MAX) and returns -1, so that
 * `return err_set(err, ...)` reads well. `err` may be NULL.
 */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with ": " and the text of errno behind the message. */
int err_sys(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets ERR_SYSTEM with "out of memory". */
int err_nomem(struct err *err);

/* Puts the formatted text and ": " before the message that is there. */
int err_prefix(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The exit status of a program that stops on this code (sysexits.h). */
int err_exit_status(enum err_code code);

/* The code's short text, and its name in lower case for --json. */
const char *err_text(enum err_code code);
const char *err_name(enum err_code code);

#endif
