/* SPDX-License-Identifier: MIT */
/*
 * Jobs that are held go to the pool as it has room; how many more to claim.
 *
 * A worker claims about as much as it can run at once. What it claims and
 * cannot run, nobody else can: so it holds such a job for a moment only. All
 * of this is worked out afresh at the end of a turn, from what there is then;
 * nothing here remembers what was decided before.
 */
#include "dispatch/ending.h"
#include "dispatch/state.h"
#include "util/clock.h"

/* A job that finds no executor here may find one in another worker. Long enough
 * for a short job to end and make room, which is cheaper than a release and
 * another claim; too short for a person to notice. */
#define HOLD_MS 20
/* A queue that brought nothing for so long is asked for one task only: it
 * covers a claim on a slow network and the run of short jobs. */
#define HOT_MS 100
/* More busy queues than this take turns, each with a claim of this many tasks: one of
 * a few costs as much. A claim that finds nothing is not told of, so a look follows
 * after so long. */
#define TURNS_MIN 8
#define SHARE 64
#define LOOK_MS 2
/* Jobs that have ended and wait for backend and broker: with more of them,
 * nothing is claimed until the servers have caught up. Plenty for a batch;
 * twice as many took 1.5 MiB and an eighth more processor time, since they do
 * not stay in the cache. */
#define UNSETTLED_MAX 512

static unsigned int
minus(unsigned int a, unsigned int b)
{
	return a > b ? a - b : 0;
}

/* --- assigning --------------------------------------------------------- */

/* The first held job of a kind whose claim is ours for sure. */
static struct job *
find_first(const struct dispatch *d, enum pool_kind kind)
{
	struct job *job;

	TAILQ_FOREACH (job, &d->held[kind], link)
		if (broker_is_sure(d->broker, job->claim->queue))
			break;
	return job;
}

/* Gives the first held job of a kind to an executor; false if there is none, or
 * no room. */
static bool
assign_first(struct dispatch *d, enum pool_kind kind)
{
	struct job *job = find_first(d, kind);

	if (job == NULL)
		return false;
	job->run.task = job->task;
	trace_assign(job);
	job->run.environment = job->claim->blob;
	if (!pool_run(d->pool, &job->run))
		return false;
	job_unlink(job);
	job_enter(job, JOB_RUNNING);
	timeout_assign(job);
	return true;
}

void
assign_jobs(struct dispatch *d)
{
	enum pool_kind kind;

	await_resume(d);
	if (dispatch_is_stopping(d))
		return;
	for (kind = 0; kind < POOL_KINDS; kind++)
		while (assign_first(d, kind))
			;
	for (kind = 0; kind < POOL_KINDS; kind++)
		if (find_first(d, kind) != NULL)
			pool_start(d->pool, kind);
}

/* --- claiming ---------------------------------------------------------- */

/*
 * While all slots are taken and there is plenty to follow, small room is not
 * worth a question to the broker: larger claims cost less.
 */
static bool
worth_asking(const struct dispatch *d, enum pool_kind kind, unsigned int n)
{
	unsigned int busy =
	    pool_running(d->pool, kind) - pool_waiting(d->pool, kind);

	/* With a third of the jobs gone, a claim is large enough. */
	return busy < pool_slots(d->pool, kind) || n >= busy / 3;
}

/* How many jobs have ended, but are not settled yet. */
static unsigned int
unsettled(const struct dispatch *d)
{
	unsigned int alive = 0;
	enum pool_kind kind;

	for (kind = 0; kind < POOL_KINDS; kind++)
		alive += d->n_held[kind] + pool_running(d->pool, kind);
	return minus(d->n_jobs, alive);
}

/* What to expect of a queue: what it brought last, or, if that cannot run here
 * (it has brought nothing yet, or another configuration was loaded since), what
 * can. */
static enum pool_kind
expected_kind(const struct dispatch *d, const struct queue *queue)
{
	static const enum pool_kind others[POOL_KINDS] = {
	    [POOL_THREAD] = POOL_COMMAND,
	    [POOL_ASYNC] = POOL_COMMAND,
	    [POOL_CPU] = POOL_CPU_COMMAND,
	    [POOL_COMMAND] = POOL_THREAD,
	    [POOL_CPU_COMMAND] = POOL_CPU};

	if (pool_slots(d->pool, queue->kind) > 0)
		return queue->kind;
	return others[queue->kind];
}

/* How many more jobs of each kind can be taken. */
static void
rooms_of(const struct dispatch *d, unsigned int *rooms)
{
	unsigned int most = minus(UNSETTLED_MAX, unsettled(d)), n;
	enum pool_kind kind;

	/* There is no memory for the jobs of those that have come. */
	if (!TAILQ_EMPTY(&d->untaken))
		return;

	for (kind = 0;
	     kind < POOL_KINDS && !dispatch_is_stopping(d) && !d->quiet;
	     kind++) {
		n = minus(pool_room(d->pool, kind), d->n_held[kind]);
		rooms[kind] = n < most ? n : most;
	}
}

static bool
queue_is_hot(const struct queue *queue, int64_t now)
{
	return now - queue->claimed_ms < HOT_MS;
}

/* What is known when room is shared out, of each kind. */
struct sharing {
	unsigned int rooms[POOL_KINDS]; /* how many more jobs can be taken */
	unsigned int hot[POOL_KINDS];	/* queues that bring tasks now */
	unsigned int busy[POOL_KINDS];	/* and that may hold more */
	/* Tasks for which claims are under way. */
	unsigned int coming[POOL_KINDS];
};

static void
sharing_begin(struct sharing *s, const struct dispatch *d, int64_t now)
{
	const struct queue *queue;
	enum pool_kind kind;
	unsigned int i;

	*s = (struct sharing){.hot = {0}};
	rooms_of(d, s->rooms);
	for (i = 0; i < d->n_queues; i++) {
		queue = &d->queues[i];
		kind = expected_kind(d, queue);
		s->hot[kind] += queue_is_hot(queue, now);
		s->busy[kind] += queue->busy;
		s->coming[kind] += broker_coming(d->broker, i);
	}
}

static bool
sharing_has_turns(const struct sharing *s, enum pool_kind kind)
{
	return s->rooms[kind] > 0 && s->busy[kind] > TURNS_MIN;
}

/* Queues that bring tasks share the room; the others could make it overflow,
 * and are asked for one to show that they are there. */
static unsigned int
share_of(const struct sharing *s, const struct dispatch *d, enum pool_kind kind,
	 bool is_hot)
{
	const unsigned int room = s->rooms[kind], hot = s->hot[kind];

	if (room <= 1 || is_hot)
		return hot > 1 ? (room + hot - 1) / hot : room;
	return hot > 0 || d->n_queues > TURNS_MIN ? 1 : room;
}

/* Asks the next busy queue, if there is room for a large claim beside those that
 * are under way, or there are none. One that is known to be empty has its next turn
 * when it has brought something. */
static void
take_turn(struct dispatch *d, struct sharing *s, enum pool_kind kind,
	  unsigned int i)
{
	const unsigned int room = minus(s->rooms[kind], s->coming[kind]);
	const unsigned int share = room < SHARE ? room : SHARE;

	if (share < SHARE && s->coming[kind] > 0)
		return;
	broker_want(d->broker, i, share);
	if (broker_coming(d->broker, i) == 0) {
		d->queues[i].busy = false;
		broker_want(d->broker, i, 1);
		return;
	}
	s->coming[kind] += share;
	d->first[kind] = i + 1;
}

/* In the order of their turns; what is under way stays so. */
static void
take_turns(struct dispatch *d, struct sharing *s, enum pool_kind kind)
{
	const struct timeval tv = {.tv_usec = LOOK_MS * 1000};
	const unsigned int first = d->first[kind];
	unsigned int n, i, coming;

	for (n = 0; n < d->n_queues; n++) {
		i = (first + n) % d->n_queues;
		if (expected_kind(d, &d->queues[i]) != kind)
			continue;
		coming = broker_coming(d->broker, i);
		/* One that is not busy is asked whether it has begun to be. */
		broker_want(d->broker, i, d->queues[i].busy ? coming : 1);
		if (d->queues[i].busy && coming == 0)
			take_turn(d, s, kind, i);
	}
	if (!evtimer_pending(d->rotate, NULL))
		evtimer_add(d->rotate, &tv);
}

void
assign_wants(struct dispatch *d)
{
	const int64_t now = clock_mono_ms();
	enum pool_kind kind;
	struct sharing s;
	unsigned int i;

	/* A broker that is away keeps what it was told last, and a stop must
	 * reach it all the same. */
	if ((!d->broker_state.up || declare_is_awaited(d)) &&
	    !dispatch_is_stopping(d))
		return;
	sharing_begin(&s, d, now);
	for (i = 0; i < d->n_queues; i++) {
		kind = expected_kind(d, &d->queues[i]);
		if (sharing_has_turns(&s, kind) ||
		    (s.rooms[kind] > 0 &&
		     !worth_asking(d, kind, s.rooms[kind])))
			continue;
		broker_want(
		    d->broker, i,
		    share_of(&s, d, kind, queue_is_hot(&d->queues[i], now)));
	}
	for (kind = 0; kind < POOL_KINDS; kind++)
		if (sharing_has_turns(&s, kind))
			take_turns(d, &s, kind);
}

/* --- held for too long ------------------------------------------------- */

/* Releases what cannot run here soon; returns whether some is left. */
static bool
release_old(struct dispatch *d, int64_t now)
{
	struct job *job, *next;
	enum pool_kind kind;
	bool left = false;

	for (kind = 0; kind < POOL_KINDS; kind++) {
		/* What is to run alone waits for its turn: as it is the first
		 * of its queue, it would come back at once, and keep all that
		 * is behind it. */
		if (pool_kind_is_alone(kind))
			continue;
		/* An executor that is starting will have room soon. */
		if (pool_is_starting(d->pool, kind)) {
			left = left || !TAILQ_EMPTY(&d->held[kind]);
			continue;
		}
		/* The last first: each goes to the front of its queue. */
		for (job = TAILQ_LAST(&d->held[kind], job_list); job;
		     job = next) {
			next = TAILQ_PREV(job, job_list, link);
			if (now - job->held_ms < HOLD_MS ||
			    pool_has_room(d->pool, kind))
				left = true;
			else
				outcome_release(job);
		}
	}
	return left;
}

void
assign_unstick(struct dispatch *d)
{
	const struct timeval tv = {.tv_usec = POOL_STUCK_MS * 1000};
	bool left = release_old(d, clock_mono_ms());
	bool stuck = pool_unstick(d->pool);

	if ((left || stuck) && !evtimer_pending(d->stall, NULL))
		evtimer_add(d->stall, &tv);
}
