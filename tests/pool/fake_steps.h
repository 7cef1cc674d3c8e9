/* SPDX-License-Identifier: MIT */
/* The steps of fake_executor.h, which has the list of them: each takes place in the
 * process that is the executor. */
#ifndef TESTS_POOL_FAKE_STEPS_H
#define TESTS_POOL_FAKE_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/ipc.h"

/* An executor that nobody ends must not outlive its test for long. */
#define FAKE_LIFE_S 30

struct fake_job {
	uint32_t number; /* 0: none, or that it has ended */
	int64_t ran_us;	 /* that DONE claims */
	bool queued, deaf, stall;
};

/* To the pool; fake_executor.c opens it. */
extern struct ipc_channel fake_step_channel;

/* Sends a message about the job with this number; `fixed` as ipc_put() has it. */
void fake_step_say(enum ipc_type type, uint32_t number, const void *fixed,
		   const char *text);
/* The answer to PING, as the steps "behind" and "nameless" want it. */
void fake_step_pong(void);

/* Takes "NAME" or "NAME=VALUE". An unknown name ends the process. */
void fake_step_take(struct fake_job *job, const char *step);

#endif
