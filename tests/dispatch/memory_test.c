/* SPDX-License-Identifier: MIT */
/* A worker that is out of memory for a while. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dispatch/state.h"
#include "dispatch/worker.h"
#include "suite.h"

/* Sanitizers map what they like, and need it. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

/* Blocks of all sizes, so that none of any size is left. */
static void *taken;
static struct rlimit limit_before;

static void
take_all_memory(void)
{
	struct rlimit now;
	unsigned long pages = 0;
	size_t size;
	void **block;
	FILE *f = fopen("/proc/self/statm", "re");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%lu", &pages), 1);
	fclose(f);
	getrlimit(RLIMIT_AS, &limit_before);
	now = limit_before;
	now.rlim_cur = pages * (unsigned long)sysconf(_SC_PAGESIZE);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &now), 0);
	for (size = 1 << 20; size >= 16; size -= size > 4096 ? 4096 : 16)
		while ((block = malloc(size)) != NULL) {
			*block = taken;
			taken = (void *)block;
		}
}

static void
give_memory_back(void)
{
	void *next;

	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit_before), 0);
	for (; taken != NULL; taken = next) {
		next = *(void **)taken;
		free(taken);
	}
}

START_TEST(a_claim_waits_for_memory_and_runs_then)
{
	struct worker *w = worker_begin_real();

	w->store.before_claim = take_all_memory;
	worker_claim(w, "add", "[1,2]", "");
	w->store.before_claim = NULL;
	give_memory_back();
	ck_assert(!TAILQ_EMPTY(&w->dispatch->untaken));
	ck_journal(w, "");
	/* Until it is a job, nothing more is wanted. */
	FAKE_WAIT(&w->store, w->store.wanted[0] == 0);
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; ack; ");
	FAKE_WAIT(&w->store, w->store.wanted[0] > 0);
	worker_end(w);
}
END_TEST

START_TEST(a_claim_that_is_lost_while_it_waits_for_memory_is_forgotten)
{
	struct worker *w = worker_begin_real();

	w->store.before_claim = take_all_memory;
	worker_claim(w, "add", "[1,2]", "");
	w->store.before_claim = NULL;
	give_memory_back();
	fake_store_lose(&w->store, 0);
	ck_journal(w, "drop; ");
	ck_assert(TAILQ_EMPTY(&w->dispatch->untaken));
	worker_end(w);
}
END_TEST

START_TEST(a_claim_that_waits_for_memory_is_released_by_a_worker_that_stops)
{
	struct worker *w = worker_begin_real();

	w->store.before_claim = take_all_memory;
	worker_claim(w, "add", "[1,2]", "");
	w->store.before_claim = NULL;
	give_memory_back();
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "release; deregister; ");
	worker_end(w);
}
END_TEST

#endif

SUITE("memory")
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	TEST(a_claim_waits_for_memory_and_runs_then);
	TEST(a_claim_that_is_lost_while_it_waits_for_memory_is_forgotten);
	TEST(a_claim_that_waits_for_memory_is_released_by_a_worker_that_stops);
#endif
	(void)suite_case_;
}
