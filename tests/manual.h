/* SPDX-License-Identifier: MIT */
/* The manual pages of flowrractl, which are one text to tests: what it does is
 * described on one of them. */
#ifndef TESTS_MANUAL_H
#define TESTS_MANUAL_H

/* All pages below the sources' directory, one after the other; free() it. */
char *manual_read(const char *sources);

#endif
