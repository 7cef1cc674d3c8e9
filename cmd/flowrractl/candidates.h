/* SPDX-License-Identifier: MIT */
/* What a word on the command line can be, from the servers. */
#ifndef FLOWRRACTL_CANDIDATES_H
#define FLOWRRACTL_CANDIDATES_H

#include "verb.h"

/*
 * Prints what a word of this kind may be, one a line, of those that begin with
 * `prefix`: the word, a tab, and what it is. Prints nothing, soon, when there
 * is nobody to ask; never complains.
 */
void print_candidates(struct ctl *ctl, enum word_kind kind, const char *prefix);

/* One line of them. */
void print_candidate(const char *word, const char *what, const char *prefix);

#endif
