/* SPDX-License-Identifier: MIT */
/* The tasks of crash.c, for cpu executors. */
#define CRASH_PREFIX "crash_cpu."
#define CRASH_CPU_BOUND true
#include "crash.c" /* NOLINT(bugprone-suspicious-include) */
