/* SPDX-License-Identifier: MIT */
/* Followers of captures, as the writer sees them. Private to capture.c. */
#ifndef CODEC_CAPTURE_FOLLOW_H
#define CODEC_CAPTURE_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a follower lives that has not opened this file of the attempt yet. */
bool capture_is_followed(const char *directory, const char *id,
			 unsigned int attempt, uint64_t number);

/* "<id>" as it is in names of files. */
#define CAPTURE_BASE_SIZE 256
void capture_base(char base[CAPTURE_BASE_SIZE], const char *id);

#endif
