/* SPDX-License-Identifier: MIT */
/* Members of the JSON objects that the manager makes and reads. */
#ifndef MANAGER_MEMBER_H
#define MANAGER_MEMBER_H

#include <stdint.h>

#include <jansson.h>

/* A new "2026-11-23T11:53:08.846827+00:00"; null for 0. */
json_t *member_of_time(int64_t wall_us);
/* A new string of any text: bytes that are not UTF-8 are replaced. */
json_t *member_of_text(const char *text);

/* The text of a member; NULL if there is none, or it is not a string. */
const char *member_text(const json_t *object, const char *name);
/* Microseconds of a member that is a time; 0 if there is none. */
int64_t member_time_us(const json_t *object, const char *name);

#endif
