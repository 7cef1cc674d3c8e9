/* SPDX-License-Identifier: MIT */
/* What may be wrong with the database's file and with the place it lies in. */
#ifndef SQLITE_EXAMINE_H
#define SQLITE_EXAMINE_H

#include <stdbool.h>

#define EXAMINE_TEXT_MAX 1024

struct err;
struct tx;

struct finding {
	bool error; /* else a warning */
	char what[EXAMINE_TEXT_MAX];
	char remedy[EXAMINE_TEXT_MAX];
};
typedef void finding_fn(const struct finding *finding, void *arg);

/* In a transaction. Reports each thing that it finds; nothing is changed. 0, or
 * -1 with *err if it could not look. */
int examine_run(struct tx *tx, finding_fn *on_finding, void *arg,
		struct err *err);
/* Whether the disk has room for any change: 0, or -1 with *err. */
int examine_room(const struct tx *tx, struct err *err);
/* "SQLite 3.40.1". */
const char *examine_version(void);

#endif
