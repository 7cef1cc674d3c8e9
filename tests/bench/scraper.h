/* SPDX-License-Identifier: MIT */
/* A monitor: a process that reads /metrics of a worker each second. */
#ifndef BENCH_SCRAPER_H
#define BENCH_SCRAPER_H

#include <sys/types.h>

/* At a Unix socket; ends with this process. */
pid_t scraper_start(const char *path);
/* Fails if it has read nothing. */
void scraper_stop(pid_t pid);

#endif
