/* SPDX-License-Identifier: MIT */
/* Close names: what somebody may have meant who mistyped one. */
#ifndef UTIL_CLOSEST_H
#define UTIL_CLOSEST_H

#include <stdbool.h>
#include <stddef.h>

/* The names that one message can list and still be read. */
#define CLOSEST_SHOWN 5
/* Room for them where names are usual; what does not fit is left out. */
#define CLOSEST_TEXT_SIZE 300
/* The longest name of a task (NAME_TASK_MAX); the rows of the table on the stack
 * have this length. */
#define CLOSEST_LEN_MAX 200

/* The closest names so far, the closest first. Borrows all of them. */
struct closest {
	const char *name;
	size_t count;
	struct {
		const char *name;
		size_t distance;
	} best[CLOSEST_SHOWN];
};

#define CLOSEST_INIT(typed)                                                    \
	{                                                                      \
		.name = (typed)                                                \
	}

/*
 * Considers a name: it is close when it continues what was typed, or when at
 * most a third of that is mistaken.
 */
void closest_offer(struct closest *c, const char *name);
/* Puts a name among them that is close for a reason of the caller's. */
void closest_put(struct closest *c, const char *name, size_t distance);

/* Writes the names that were close, as `"resize", "resume"`, and returns how
 * many. */
size_t closest_write(const struct closest *c, char text[CLOSEST_TEXT_SIZE]);

/*
 * How many characters have to be inserted, deleted, replaced or swapped with
 * their neighbour to make one text of the other. Case counts for nothing.
 * Texts of more than CLOSEST_LEN_MAX bytes are as far apart as can be.
 */
size_t closest_distance(const char *a, const char *b);
/* Whether they have the same letters: of two names that are as close, the one
 * that was meant ("wroker" is as far from "broker" as from "worker"). */
bool closest_is_shuffled(const char *a, const char *b);

#endif
