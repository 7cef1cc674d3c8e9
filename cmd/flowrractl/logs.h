/* SPDX-License-Identifier: MIT */
/* The verb logs, and how it works through the gateway. */
#ifndef FLOWRRACTL_LOGS_H
#define FLOWRRACTL_LOGS_H

#include <stdbool.h>

struct ctl;

struct logs_options {
	bool follow, all, only_stdout, only_stderr, time;
	int lines;   /* -1: all */
	int attempt; /* 0: the last one */
};

/* Returns the exit status: with `follow` that of the task's command. */
int logs_through_gateway(struct ctl *ctl, const char *id,
			 const struct logs_options *options);

#endif
