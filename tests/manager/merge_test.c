/* SPDX-License-Identifier: MIT */
/* Lists over queues, where all of it has one time: a place is a number of those,
 * in one of the queues. */
#include <stdio.h>
#include <string.h>

#include "manager/dead.h"
#include "manager/page.h"
#include "manager/scene.h"
#include "suite.h"

#define N 30

/* In queues a and b, N each, with one time. */
static void
all_at_once(void)
{
	char id[16];
	int i;

	for (i = 0; i < 2 * N; i++) {
		snprintf(id, sizeof(id), "%02d", i);
		scene_dead(i < N ? "a" : "b", id, SCENE_NOON_MS, "{}");
	}
	scene.page_max = 8;
}

/* One step from *cursor on: appends the keys to `seen`, and moves the cursor;
 * returns whether there is more. */
static bool
step(char cursor[256], char seen[256])
{
	const struct dead_filter filter = {.tasks = {.queue = NULL}};
	struct page_query page = {.cursor = cursor, .limit = 7};
	json_t *answer = dead_page(scene.client, &filter, &page, &scene.err);
	const char *next;
	json_t *item;
	size_t i;

	ck_assert_msg(answer != NULL, "%s", scene.err.msg);
	json_array_foreach (json_object_get(answer, "items"), i, item) {
		strcat(seen, json_string_value(json_object_get(item, "key")));
		ck_assert_uint_lt(strlen(seen), 250);
	}
	next = json_string_value(json_object_get(answer, "next"));
	snprintf(cursor, 256, "%s", next != NULL ? next : "");
	json_decref(answer);
	return cursor[0] != '\0';
}

/* The newest first; in one queue that is what came in last. */
START_TEST(of_one_time_each_is_told_once_queue_by_queue)
{
	char cursor[256] = "", seen[256] = "", wanted[256] = "";
	int i;

	all_at_once();
	while (step(cursor, seen))
		;
	for (i = N - 1; i >= 0; i--)
		sprintf(wanted + strlen(wanted), "%02d", i);
	for (i = 2 * N - 1; i >= N; i--)
		sprintf(wanted + strlen(wanted), "%02d", i);
	ck_assert_str_eq(seen, wanted);
}
END_TEST

/* Nothing of queue b can come before those of a: it is not read to its end. */
START_TEST(of_one_time_no_queue_is_read_for_another)
{
	char cursor[256] = "", seen[256] = "";
	const char *p;
	int views = 0;

	all_at_once();
	ck_assert(step(cursor, seen));
	for (p = scene.journal.data; (p = strstr(p, "view")) != NULL; p++)
		views++;
	ck_assert_int_le(views, 2);
}
END_TEST

SUITE("manager-merge")
{
	tcase_add_checked_fixture(suite_case_, scene_begin, scene_end);
	TEST(of_one_time_each_is_told_once_queue_by_queue);
	TEST(of_one_time_no_queue_is_read_for_another);
}
