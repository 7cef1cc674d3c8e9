/* SPDX-License-Identifier: MIT */
/* What ledger.py says, for C. Each worker is a process with one thread. */
#ifndef PEERS_LEDGER_H
#define PEERS_LEDGER_H

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static inline int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline FILE *
ledger_open(const char *what)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.%d", getenv("BENCH_DIR"), what,
		 (int)getpid());
	if ((f = fopen(path, "w+e")) == NULL)
		err(71, "%s", path);
	return f;
}

static inline void
ledger_note(int64_t at_ns)
{
	static int64_t *page;

	if (page == NULL) {
		FILE *f = ledger_open("count");

		if (ftruncate(fileno(f), 24) != 0 ||
		    (page = mmap(NULL, 24, PROT_READ | PROT_WRITE, MAP_SHARED,
				 fileno(f), 0)) == MAP_FAILED)
			err(71, "mapping the ledger");
		fclose(f);
		page[1] = at_ns;
	}
	page[2] = at_ns;
	page[0]++;
}

static inline void
ledger_stamp(int64_t begun_us)
{
	static FILE *starts;
	const int64_t at_ns = now_ns();

	ledger_note(at_ns);
	if (begun_us == 0)
		return;
	if (starts == NULL)
		starts = ledger_open("starts");
	fprintf(starts, "%lld\n", (long long)(at_ns / 1000 - begun_us));
	fflush(starts);
}

/* Tasks are told apart by what they carry: when they were begun, or no number.
 */
static inline void
ledger_run(const char *text)
{
	if (*text < '0')
		ledger_note(now_ns());
	else
		ledger_stamp(strtoll(text, NULL, 10));
}

#endif
