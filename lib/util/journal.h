/* SPDX-License-Identifier: MIT */
/* The journal of systemd, as a place for lines with fields. */
#ifndef UTIL_JOURNAL_H
#define UTIL_JOURNAL_H

struct log_entry;

/* For log_set_journal(). */
int journal_send(const struct log_entry *entry);

#endif
