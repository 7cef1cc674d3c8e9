/* SPDX-License-Identifier: MIT */
/* Columns that more than one verb shows. */
#ifndef FLOWRRACTL_COLUMNS_H
#define FLOWRRACTL_COLUMNS_H

#include "table.h"

#define N_QUEUE_COLUMNS 7
extern const struct column queue_columns[N_QUEUE_COLUMNS];

#define N_WORKER_COLUMNS 10
extern const struct column worker_columns[N_WORKER_COLUMNS];

#define N_RUNNING_COLUMNS 6
extern const struct column running_columns[N_RUNNING_COLUMNS];

#endif
