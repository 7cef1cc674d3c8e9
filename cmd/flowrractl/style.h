/* SPDX-License-Identifier: MIT */
/*
 * How things look on a terminal: whether there is colour, what colour a word has,
 * how wide the terminal is, and how wide a text is on it.
 */
#ifndef FLOWRRACTL_STYLE_H
#define FLOWRRACTL_STYLE_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>

/* What --color may say. */
enum style_when { STYLE_AUTO, STYLE_ALWAYS, STYLE_NEVER };
/* False: it is none of these words. */
bool style_read_when(const char *word, enum style_when *ret);

/*
 * Whether what is written to a descriptor is coloured. Without a choice: on a
 * terminal that is not dumb, unless NO_COLOR is set; everywhere if CLICOLOR_FORCE
 * is.
 */
bool style_has_color(enum style_when when, int fd);

/* The sequence that a word is coloured with: green for what is well, yellow for
 * what waits or warns, red for what failed; "" for any other. */
const char *style_of_word(const char *word);
#define STYLE_RED "\033[31m"
#define STYLE_YELLOW "\033[33m"
#define STYLE_END "\033[0m"

/* Columns of the terminal on standard output; 80 if it does not say. */
size_t style_columns(void);

/* The user's locale of characters, for uselocale(); loaded once. */
locale_t style_locale(void);
/* Whether it has UTF-8: else what is beyond ASCII is not shown. */
bool style_is_utf8(void);

/*
 * The columns that a text takes in the thread's locale; *ret_len has the bytes of as
 * much of it as fits into `max` columns.
 */
size_t style_width(const char *text, size_t max, size_t *ret_len);

#endif
