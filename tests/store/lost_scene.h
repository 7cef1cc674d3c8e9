/* SPDX-License-Identifier: MIT */
/*
 * What the tests of lost tasks share: a stage whose worker looks for records of tasks
 * that are in no place.
 */
#ifndef TESTS_STORE_LOST_SCENE_H
#define TESTS_STORE_LOST_SCENE_H

#include "store/admin_scene.h"

#define RECORD(id) "{\"task_id\":\"" id "\",\"status\":\"pending\"}"
#define LOST_RECORD(id)                                                        \
	"{\"task_id\":\"" id "\",\"status\":\"failed\",\"lost\":true,\"end\":" \
	"1}"

extern struct backend *lost_records;

void lost_open(int kind);
void lost_close(void);

/* A record, whose task may come later. */
void lost_create_record(struct slice id, struct slice record);
/* A task of "io", and its record. */
void lost_submit(const char *id, const char *record, int32_t priority,
		 int64_t delay_ms);
/* What a person, or an old copy, does to the list of priority 0. */
void lost_delete_list(void);

/* That which has the key. */
struct redis_server *lost_server_of(const char *key);
#define RECORD_SERVER lost_server_of("flowrra:task:t")
#define QUEUE_SERVER lost_server_of("flowrra:queue:io")

/* The worker looks once; what is in no place for so long is lost. */
void lost_tidy(struct party *p, int64_t lost_ms);
#define TIDY_LOST_UNTIL(lost_ms_, condition)                                   \
	do {                                                                   \
		int64_t until_ = stage_deadline();                             \
		while (!(condition)) {                                         \
			lost_tidy(op.worker, (lost_ms_));                      \
			ck_assert_msg(stage_turn(&op.stage, until_),           \
				      "waited for " #condition);               \
		}                                                              \
	} while (0)

/* All that is lost has ended, and this task is not among it. */
void ck_not_lost(const char *id, const char *record);

#endif
