/* SPDX-License-Identifier: MIT */
/* What the two halves of an import share: reading lines, and storing what they
 * say. */
#ifndef MANAGER_CARRY_PRIVATE_H
#define MANAGER_CARRY_PRIVATE_H

#include "core/task.h"
#include "manager/carry.h"
#include "manager/command_after.h"
#include "util/err.h"

#define CARRY_BATCH 256
/* A member of the record until a worker stores another one. */
#define CARRY_MARK "imported"
#define KEY_SIZE (TASK_ID_MAX + 8)

struct carried {
	size_t line;
	struct task *task; /* NULL: a record */
	char queue[TASK_QUEUE_MAX + 1];
	char id[TASK_ID_MAX + 1], key[KEY_SIZE];
	struct buf bytes, record;
	int64_t at_ms;
	struct command_after after;
	bool failed;   /* of a record */
	bool present;  /* it need not be stored */
	bool recorded; /* it has a record, with the mark */
	struct err err;
};

struct carry_import {
	struct flowrra_client *client;
	struct carry_import_options opt;
	struct carry_counts counts;
	struct carried batch[CARRY_BATCH];
	size_t n;
};

/* Stores the batch; each has its answer, in `present` and `err`. -1 with *err when
 * that is not known. */
int carry_store(struct carry_import *im, struct err *err);

#endif
