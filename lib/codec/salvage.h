/* SPDX-License-Identifier: MIT */
/*
 * What can be read of bytes that task_decode() refuses: above all the id, so
 * that those who wait for the task can be told that it will never run.
 */
#ifndef CODEC_SALVAGE_H
#define CODEC_SALVAGE_H

#include "util/buf.h"

struct task;

/*
 * Looks for the members "id", "name", "reply_to" and "flow" of the object that `head`
 * begins, as far as it goes, and that `tail` ends; `tail` is empty if `head` is
 * all there is. Between the two any number of bytes may be missing. Nothing
 * else needs to be right: the numbers, the strings, the depth, the end.
 *
 * Returns a task that has an id, and nothing else but perhaps a name (else ""),
 * a reply_to and a flow; free it with task_free(). NULL if no valid id is there, if
 * there are two that differ, or if memory runs out. An id that was found is
 * what somebody wrote, no more: it may be that of another task.
 *
 * Reads each byte at most three times and does not recurse.
 */
struct task *task_salvage(struct slice head, struct slice tail);

#endif
