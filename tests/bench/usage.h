/* SPDX-License-Identifier: MIT */
/* What a process and its descendants use, as /proc says. */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <sys/types.h>

struct usage {
	double cpu_s;	/* user and system, since they were started; of dead
			   descendants too */
	double pss_mib; /* with their part of what they share with others */
	unsigned int processes;
};

/* A pid of 0 uses nothing. */
struct usage usage_of(pid_t pid);
/* The same without pss_mib, which takes the kernel some time. */
struct usage usage_cpu_of(pid_t pid);
/* CPU seconds of this process, its descendants left out. */
double usage_alone_of(pid_t pid);

#endif
