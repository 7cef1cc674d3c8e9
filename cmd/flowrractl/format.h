/* SPDX-License-Identifier: MIT */
/*
 * What --format and --json=FIELDS make of the JSON that a command prints. One choice
 * a process, as there is one standard output.
 */
#ifndef FLOWRRACTL_FORMAT_H
#define FLOWRRACTL_FORMAT_H

#include <stdbool.h>

#include <jansson.h>

struct buf;
struct err;

/*
 * `format` is a template, such as "{task_id}\t{record.status}\n": members of an
 * object in braces, with dots between, and \t, \n, \\ and \{ for what cannot stand
 * there by itself. `fields` are members, with commas between. NULL: not given. 0, or
 * -1 with *err (ERR_USAGE): the template cannot be read.
 */
int format_choose(const char *format, const char *fields, struct err *err);
/* Whether one of them was chosen. */
bool format_is_chosen(void);

/*
 * Appends what was chosen. A template makes a line of each object, with a newline
 * between; texts bare, null and what is not there as "-", what is strange masked.
 * Fields make an object of each, with null for what is not there. An array is taken
 * object by object.
 */
void format_write(const json_t *json, struct buf *out);

#endif
