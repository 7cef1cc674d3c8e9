/* SPDX-License-Identifier: MIT */
/* What both headers define must be the same: the compiler compares. */
#include <flowrra/client.h>
#include <flowrra/module.h>

extern char flowrra_id[FLOWRRA_ID_SIZE];
