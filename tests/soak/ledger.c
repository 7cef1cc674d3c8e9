/* SPDX-License-Identifier: MIT */
/* The ledger of a run. */
#include "soak/ledger.h"

#include <check.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fault {
	pid_t pid;
	enum cause cause;
	int64_t us, until_us;
};

struct ledger {
	char *path;
	FILE *file;
	long offset;
	pthread_mutex_t lock; /* of what follows */
	struct ledger_task **entries;
	size_t n;
	void *by_id;
	struct fault *faults;
	size_t n_faults;
};

const char *const cause_names[CAUSE_COUNT] = {
    [CAUSE_EXECUTOR_KILLED] = "executor killed",
    [CAUSE_WORKER_KILLED] = "worker killed",
    [CAUSE_WORKER_STOPPED] = "worker stopped",
    [CAUSE_CRASHED] = "neighbour crashed",
    [CAUSE_FROZEN] = "worker frozen",
    [CAUSE_STUCK] = "executor stopped",
    [CAUSE_FAILOVER] = "failover",
    [CAUSE_RETRIED] = "failed at first",
};

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* One more element, all zero, for an array of `n`. */
static void *
append(void *array, size_t *n, size_t size)
{
	char *bytes = realloc(array, (*n + 1) * size);

	if (bytes == NULL)
		abort();
	memset(bytes + *n * size, 0, size);
	++*n;
	return bytes;
}

struct ledger *
ledger_new(const char *path)
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (l == NULL || (l->path = strdup(path)) == NULL ||
	    (l->file = fopen(path, "ae+")) == NULL)
		abort();
	pthread_mutex_init(&l->lock, NULL);
	return l;
}

static void
keep_node(void *node)
{
}

void
ledger_free(struct ledger *l)
{
	size_t i;

	tdestroy(l->by_id, keep_node);
	for (i = 0; i < l->n; i++) {
		free(l->entries[i]->id);
		free(l->entries[i]->final);
		free(l->entries[i]->executions);
		free(l->entries[i]);
	}
	fclose(l->file);
	free(l->entries);
	free(l->faults);
	free(l->path);
	free(l);
}

const char *
ledger_path(const struct ledger *l)
{
	return l->path;
}

static int
compare(const void *a, const void *b)
{
	const struct ledger_task *x = a, *y = b;

	return strcmp(x->id, y->id);
}

/* The entry of this id, a new one if need be. Locked. */
static struct ledger_task *
entry_of(struct ledger *l, const char *id)
{
	struct ledger_task probe = {.id = strdup(id)}, *e;
	void *node = tfind(&probe, &l->by_id, compare);

	if (node != NULL) {
		free(probe.id);
		return *(struct ledger_task **)node;
	}
	if ((e = malloc(sizeof(*e))) == NULL)
		abort();
	*e = probe;
	l->entries = append(l->entries, &l->n, sizeof(*l->entries));
	l->entries[l->n - 1] = e;
	tsearch(e, &l->by_id, compare);
	return e;
}

void
ledger_submitted(struct ledger *l, const char *id, bool acknowledged,
		 unsigned int traits, int64_t due_us)
{
	struct ledger_task *e;

	pthread_mutex_lock(&l->lock);
	e = entry_of(l, id);
	e->acknowledged = acknowledged;
	e->traits = traits;
	e->due_us = due_us;
	pthread_mutex_unlock(&l->lock);
}

void
ledger_fault_since(struct ledger *l, pid_t pid, enum cause cause,
		   int64_t since_us)
{
	l->faults = append(l->faults, &l->n_faults, sizeof(*l->faults));
	l->faults[l->n_faults - 1] = (struct fault){
	    .pid = pid, .cause = cause, .us = since_us, .until_us = now_us()};
}

void
ledger_fault(struct ledger *l, pid_t pid, enum cause cause)
{
	ledger_fault_since(l, pid, cause, now_us());
}

/* --- what handlers wrote ------------------------------------------------- */

static void
started(struct ledger_task *e, unsigned int attempt, pid_t pid, int64_t us)
{
	e->executions = append(e->executions, &e->n, sizeof(*e->executions));
	e->executions[e->n - 1] =
	    (struct execution){.attempt = attempt, .pid = pid, .start_us = us};
}

static void
ended(struct ledger_task *e, unsigned int attempt, pid_t pid, int64_t us)
{
	size_t i;

	for (i = e->n; i-- > 0;)
		if (e->executions[i].pid == pid &&
		    e->executions[i].attempt == attempt &&
		    e->executions[i].end_us == 0) {
			e->executions[i].end_us = us;
			return;
		}
	ck_abort_msg("task %s ends without a beginning", e->id);
}

void
ledger_read(struct ledger *l)
{
	char line[512], id[256], what;
	unsigned int attempt;
	long long us;
	int pid;

	clearerr(l->file);
	fseek(l->file, l->offset, SEEK_SET);
	while (fgets(line, sizeof(line), l->file) != NULL &&
	       strchr(line, '\n') != NULL) {
		l->offset += (long)strlen(line);
		ck_assert_int_eq(sscanf(line, "%c %255s %u %d %lld", &what, id,
					&attempt, &pid, &us),
				 5);
		pthread_mutex_lock(&l->lock);
		(what == 'S' ? started : ended)(entry_of(l, id), attempt, pid,
						us);
		pthread_mutex_unlock(&l->lock);
	}
}

static size_t
count_executions(const struct ledger *l,
		 bool (*counts)(const struct execution *, int64_t), int64_t n)
{
	struct ledger *locked = (struct ledger *)(uintptr_t)l;
	size_t i, j, count = 0;

	pthread_mutex_lock(&locked->lock);
	for (i = 0; i < l->n; i++)
		for (j = 0; j < l->entries[i]->n; j++)
			count += counts(&l->entries[i]->executions[j], n);
	pthread_mutex_unlock(&locked->lock);
	return count;
}

static bool
starts_at(const struct execution *x, int64_t us)
{
	return x->start_us >= us;
}

static bool
ends_at(const struct execution *x, int64_t us)
{
	return x->end_us != 0 && x->end_us >= us;
}

static bool
unfinished_in(const struct execution *x, int64_t pid)
{
	return x->pid == pid && x->end_us == 0;
}

size_t
ledger_started(const struct ledger *l, int64_t us)
{
	return count_executions(l, starts_at, us);
}

size_t
ledger_ended(const struct ledger *l, int64_t us)
{
	return count_executions(l, ends_at, us);
}

size_t
ledger_unfinished(const struct ledger *l, pid_t pid)
{
	return count_executions(l, unfinished_in, pid);
}

/* --- the verdict --------------------------------------------------------- */

static bool
is_one_of(pid_t pid, const pid_t *pids, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

int64_t
ledger_gone_on(const struct ledger *l, const pid_t *pids, size_t n)
{
	struct ledger *locked = (struct ledger *)(uintptr_t)l;
	const struct execution *x;
	int64_t last = 1;
	size_t i, j;

	pthread_mutex_lock(&locked->lock);
	for (i = 0; i < l->n && last != 0; i++)
		for (j = 0; j < l->entries[i]->n; j++) {
			x = &l->entries[i]->executions[j];
			if (x->end_us != 0 || !is_one_of(x->pid, pids, n))
				continue;
			if (j + 1 == l->entries[i]->n)
				last = 0;
			else if (last != 0 && x[1].start_us > last)
				last = x[1].start_us;
		}
	pthread_mutex_unlock(&locked->lock);
	return last;
}

size_t
ledger_count(const struct ledger *l)
{
	struct ledger *locked = (struct ledger *)(uintptr_t)l;
	size_t n;

	pthread_mutex_lock(&locked->lock);
	n = l->n;
	pthread_mutex_unlock(&locked->lock);
	return n;
}

/* The array may move while tasks are submitted; its entries do not. */
static struct ledger_task *
ledger_entry(const struct ledger *l, size_t i)
{
	struct ledger *locked = (struct ledger *)(uintptr_t)l;
	struct ledger_task *e;

	pthread_mutex_lock(&locked->lock);
	e = l->entries[i];
	pthread_mutex_unlock(&locked->lock);
	return e;
}

const struct ledger_task *
ledger_task_at(const struct ledger *l, size_t i)
{
	return ledger_entry(l, i);
}

bool
ledger_final(struct ledger *l, size_t i, const char *record)
{
	struct ledger_task *e = ledger_entry(l, i);

	if (e->final != NULL)
		return strcmp(e->final, record) == 0;
	if ((e->final = strdup(record)) == NULL)
		abort();
	return true;
}

/* A task that misbehaved in this process and did not come to its end. */
static bool
crashed(const struct ledger *l, pid_t pid)
{
	size_t i, j;

	for (i = 0; i < l->n; i++)
		for (j = 0; j < l->entries[i]->n; j++)
			if ((l->entries[i]->traits & TRAIT_MISBEHAVES) != 0 &&
			    unfinished_in(&l->entries[i]->executions[j], pid))
				return true;
	return false;
}

static bool
failed_at_first(const struct ledger_task *e, const struct execution *before,
		const struct execution *x)
{
	return (e->traits & TRAIT_RETRIES) != 0 && before->attempt == 1 &&
	       before->end_us != 0 && x->attempt == 2;
}

/* An executor of a frozen worker goes on with what it was given, and cannot know
 * that another one has done it; soon after the thaw it is told. */
static bool
had_it_before(const struct ledger *l, const struct execution *x,
	      int64_t settle_us)
{
	const struct fault *f;

	for (f = l->faults; f < l->faults + l->n_faults; f++)
		if (f->cause == CAUSE_FROZEN && f->pid == x->pid &&
		    f->us <= x->start_us &&
		    x->start_us <= f->until_us + settle_us)
			return true;
	return false;
}

/* Its end was lost with a server: it runs again, and never before that end. */
static bool
was_forgotten(const struct ledger *l, const struct execution *before,
	      const struct execution *x, int64_t settle_us)
{
	const struct fault *f;

	if (before->end_us == 0 || x->start_us < before->end_us)
		return false;
	for (f = l->faults; f < l->faults + l->n_faults; f++)
		/* From then on there may be others at any time. */
		if (f->cause == CAUSE_FAILOVER &&
		    f->us < before->end_us + settle_us)
			return true;
	return false;
}

enum cause
ledger_explain(const struct ledger *l, const struct ledger_task *e, size_t i,
	       int64_t settle_us)
{
	const struct execution *before = &e->executions[i - 1];
	const struct execution *x = &e->executions[i];
	const int64_t due_us = before->end_us + LEDGER_RETRY_MS * 1000 - 2000;
	const struct fault *f;

	/* Not for a fault, which may have come then: it came in its time. */
	if (failed_at_first(e, before, x) && x->start_us >= due_us)
		return CAUSE_RETRIED;
	for (f = l->faults; f < l->faults + l->n_faults; f++)
		if (f->pid == before->pid && f->until_us >= before->start_us &&
		    f->us <= x->start_us &&
		    (before->end_us == 0 || f->us < before->end_us + settle_us))
			return f->cause;
	if (failed_at_first(e, before, x))
		return CAUSE_RETRIED;
	if (was_forgotten(l, before, x, settle_us))
		return CAUSE_FAILOVER;
	if (had_it_before(l, x, settle_us))
		return CAUSE_FROZEN;
	/* When it crashed is not known, but what came of it, at once. */
	if ((before->end_us == 0 || x->start_us < before->end_us + settle_us) &&
	    crashed(l, before->pid))
		return CAUSE_CRASHED;
	return CAUSE_COUNT;
}
