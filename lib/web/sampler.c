/* SPDX-License-Identifier: MIT */
/*
 * The sampler: a thread that asks the stores in turns.
 *
 * Topics with rows are asked for every second, since nothing says when a queue
 * has changed; so are tasks, where many are looked at (FOLLOWED_MAX). Otherwise a
 * task is asked for when the follower says that it has changed, and now and then
 * all the same: a record that expires, or that another program has
 * stored, is told by nobody. Between two turns there is a gap, so that a task
 * which reports its progress a thousand times a second costs ten questions.
 *
 * It has a client of its own, so that a snapshot waits for no page's request and
 * delays none; the follower and the feeder, which only wait, share another
 * one. What the loop wants is handed over under the lock; what the threads find
 * goes back through samples.h. Nothing else is shared but the atomics, and the
 * parts of struct web_shared that any thread may use.
 */
#include "web/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "manager/health.h"
#include "util/clock.h"
#include "util/log.h"
#include "web/call.h"
#include "web/diff.h"
#include "web/feeder.h"
#include "web/follower.h"
#include "web/hub.h"
#include "web/thread.h"

/* Between two looks whether the stores answer, when no topic is asked for: with
 * the time that one may take, less than readiness is good for (live.c). */
#define PING_US 6000000
/* Between two looks at a task of which nothing is heard. */
#define TASKS_US 15000000
/* Between two turns that the follower causes; a person sees no difference. */
#define GAP_US 100000
/* How long one question may take: less than the shortest [web] timeout that
 * people set, so that pages learn that the stores are away before they ask. */
#define ASK_MS 3500

struct sampler {
	const struct hub_options *options;
	struct web_shared shared; /* with a client of its own */
	struct flowrra_client *waiting_client;
	struct samples *samples;
	struct feeder *feeder;
	struct follower *follower;
	_Atomic int64_t answered_us;
	/* The thread's own, on the clock of web_thread_now_us(). */
	struct topics *topics;
	bool stale;
	bool away;	  /* the log has said so */
	bool failed;	  /* the last turn; then the next asks for all */
	int64_t turn_us;  /* when the last one began */
	int64_t round_us; /* … and the last that was not only of changes */
	int64_t tasks_us; /* … and the last in which all tasks were due */
	struct web_thread thread; /* its lock is of what follows */
	struct topic_wanted *wanted;
	bool again;   /* all of them are to be asked for at once */
	bool changed; /* some of them are due before the next round */
};

/* Any thread may ask: it is the one thing of the sampler that is atomic. */
int64_t
sampler_answered_us(const struct sampler *s)
{
	return atomic_load(&s->answered_us);
}

struct sample *
sampler_take(struct sampler *s)
{
	return samples_take(s->samples);
}

/* --- what is wanted ------------------------------------------------------- */

static void
wanted_free(struct topic_wanted *wanted)
{
	struct topic_wanted *w;

	for (w = wanted; w != NULL && w->name != NULL; w++)
		free(w->name);
	free(wanted);
}

/* NULL without memory. */
static struct topic_wanted *
wanted_copy(const struct topic_wanted *wanted)
{
	struct topic_wanted *copy;
	size_t n = 0, i;

	while (wanted[n].name != NULL)
		n++;
	if ((copy = calloc(n + 1, sizeof(*copy))) == NULL)
		return NULL;
	for (i = 0; i < n; i++) {
		copy[i] = wanted[i];
		if ((copy[i].name = strdup(wanted[i].name)) == NULL) {
			wanted_free(copy);
			return NULL;
		}
	}
	return copy;
}

static bool
wanted_same(const struct topic_wanted *a, const struct topic_wanted *b)
{
	for (; a->name != NULL && b->name != NULL; a++, b++)
		if (a->id != b->id || strcmp(a->name, b->name) != 0)
			return false;
	return a->name == NULL && b->name == NULL;
}

/* Whether there is something of which nobody tells: rows, or more tasks than are
 * followed. */
static bool
wanted_in_each_turn(const struct topic_wanted *wanted)
{
	unsigned int tasks = 0;

	for (; wanted->name != NULL; wanted++)
		if (topic_task(wanted->name) == NULL || ++tasks > FOLLOWED_MAX)
			return true;
	return false;
}

int
sampler_want(struct sampler *s, const struct topic_wanted *topics,
	     enum feed feed)
{
	struct topic_wanted *wanted = wanted_copy(topics);

	if (wanted == NULL)
		return -1;
	pthread_mutex_lock(&s->thread.lock);
	/* Another reader of the same topics is not a reason to ask at once; what
	 * is due stays due. */
	if (wanted_same(s->wanted, wanted)) {
		wanted_free(wanted);
	} else {
		wanted_free(s->wanted);
		s->wanted = wanted;
		s->again = true;
		pthread_cond_broadcast(&s->thread.changed);
	}
	pthread_mutex_unlock(&s->thread.lock);
	follower_want(s->follower, topics);
	feeder_want(s->feeder, feed);
	return 0;
}

void
sampler_again(struct sampler *s)
{
	pthread_mutex_lock(&s->thread.lock);
	s->again = true;
	pthread_cond_broadcast(&s->thread.changed);
	pthread_mutex_unlock(&s->thread.lock);
}

/* On a thread that waits for the follower's client. */
static void
on_sampler_change(const char *id, void *arg)
{
	struct sampler *s = arg;
	struct topic_wanted *w;
	const char *task;

	pthread_mutex_lock(&s->thread.lock);
	for (w = s->wanted; w->name != NULL; w++)
		if ((task = topic_task(w->name)) != NULL &&
		    strcmp(task, id) == 0) {
			w->due = true;
			s->changed = true;
		}
	if (s->changed)
		pthread_cond_broadcast(&s->thread.changed);
	pthread_mutex_unlock(&s->thread.lock);
}

/* --- a turn --------------------------------------------------------------- */

/* One event when the stores go away, and one when they are back. */
static void
sampler_tell_state(struct sampler *s, bool stale)
{
	static const char *const why = "the broker or the backend is out of "
				       "reach";
	const int64_t answered = sampler_answered_us(s);
	struct sample *sample;
	char since[CLOCK_TEXT_SIZE];
	json_t *value;

	if (stale == s->stale)
		return;
	sample = sample_new(stale ? SAMPLE_STALE : SAMPLE_LIVE, "");
	if (sample == NULL)
		return; /* in the next turn */
	clock_format(clock_wall_us() -
			 (answered > 0 ? clock_mono_us() - answered : 0),
		     since);
	value = stale ? json_pack("{s:s,s:s}", "since", since, "why", why)
		      : json_pack("{s:o}", "at", diff_now());
	if (sample_write(s->options->shared->mask, value, sample->delta) != 0) {
		sample_free(sample);
		return;
	}
	s->stale = stale;
	samples_put(s->samples, sample);
}

/* Readers of the log learn why, once: the pages do not say it, since it may
 * have a path in it. */
static void
sampler_log(struct sampler *s, const struct err *why)
{
	if (s->away == (why != NULL))
		return;
	s->away = why != NULL;
	if (s->away)
		log_warning("stores: %s; retrying", why->msg);
	else
		log_notice("stores are reachable again");
}

/* The ping comes first: with the stores away, one question waits, not all. */
static void
sampler_turn(struct sampler *s, const struct topic_wanted *wanted)
{
	struct err err = ERR_INIT;
	int r = health_ping(s->shared.client, &err);

	if (!atomic_load(&s->thread.stop))
		sampler_log(s, r != 0 ? &err : NULL);
	/* A reload changes what is hidden. */
	s->shared.mask = s->options->shared->mask;
	if (r == 0) {
		atomic_store(&s->answered_us, clock_mono_us());
		/* A page has several topics: what is new of all leaves in one
		 * write a reader. */
		samples_hold(s->samples);
		r = topics_ask(s->topics, wanted, &err);
		samples_release(s->samples);
	}
	s->failed = r != 0;
	/* What a stop has cut short says nothing of the stores. */
	if (!atomic_load(&s->thread.stop))
		sampler_tell_state(s, s->failed);
}

/* --- when ----------------------------------------------------------------- */

/* When the next round is due: soon while somebody looks at what only a question
 * can tell, or waits for the stores to come back. With the lock. */
static int64_t
sampler_round_due(const struct sampler *s)
{
	const bool often = s->failed || wanted_in_each_turn(s->wanted);

	return s->round_us + (often ? s->options->every_us : PING_US);
}

/* Waits until a turn is due. While the stores are away a change does not cause one:
 * it would only wait for them as well. With the lock. */
static void
sampler_sleep(struct sampler *s)
{
	int64_t due_us;

	while (!s->again && !atomic_load(&s->thread.stop)) {
		due_us = sampler_round_due(s);
		if (s->changed && !s->failed && s->turn_us + GAP_US < due_us)
			due_us = s->turn_us + GAP_US;
		if (web_thread_now_us() >= due_us)
			return;
		web_thread_wait(&s->thread, due_us);
	}
}

/* Says what is due in the turn that begins now, besides what the follower has
 * said. With the lock. */
static void
sampler_mark_due(struct sampler *s)
{
	const int64_t now_us = web_thread_now_us();
	const bool round = s->again || now_us >= sampler_round_due(s);
	const bool all = s->again || (round && s->failed);
	const bool tasks = all || (round && now_us >= s->tasks_us + TASKS_US);
	unsigned int n_tasks = 0;
	struct topic_wanted *w;

	for (w = s->wanted; w->name != NULL; w++)
		w->due |=
		    topic_task(w->name) != NULL && ++n_tasks <= FOLLOWED_MAX
			? tasks
			: round;
	s->turn_us = now_us;
	if (round)
		s->round_us = now_us;
	if (tasks)
		s->tasks_us = now_us;
}

/* A copy of what is wanted, with what is due; NULL without memory, and then all
 * stays due. */
static struct topic_wanted *
sampler_wait(struct sampler *s)
{
	struct topic_wanted *wanted, *w;

	pthread_mutex_lock(&s->thread.lock);
	sampler_sleep(s);
	sampler_mark_due(s);
	wanted = wanted_copy(s->wanted);
	for (w = s->wanted; wanted != NULL && w->name != NULL; w++)
		w->due = false;
	s->again = s->changed = false;
	pthread_mutex_unlock(&s->thread.lock);
	return wanted;
}

static void *
sampler_thread(void *arg)
{
	struct sampler *s = arg;
	struct topic_wanted *wanted;

	while (!atomic_load(&s->thread.stop)) {
		wanted = sampler_wait(s);
		if (wanted != NULL && !atomic_load(&s->thread.stop))
			sampler_turn(s, wanted);
		wanted_free(wanted);
	}
	/* Here: drivers of databases keep things of the thread that used them. */
	topics_free(s->topics);
	s->topics = NULL;
	return NULL;
}

/* --- life ----------------------------------------------------------------- */

/* Of the daemon's, what any thread may use; jobs, audit and replays are of
 * requests, which these are not, and the mask is replaced by a reload. */
static void
sampler_share(struct sampler *s, const struct web_shared *shared)
{
	s->shared.conf = shared->conf;
	s->shared.tables = shared->tables;
	s->shared.figures = shared->figures;
}

/* The thread comes last: what it uses must be there. */
static int
sampler_begin(struct sampler *s, int wake, struct err *err)
{
	const struct hub_options *o = s->options;
	struct follower_options follower = {.on_change = on_sampler_change,
					    .arg = s};

	if ((s->samples = samples_new(wake, err)) == NULL ||
	    (s->topics = topics_new(&s->shared, o->shared, s->samples, err)) ==
		NULL ||
	    web_client_open(o->config_file, o->settings, &s->shared.client,
			    err) != 0 ||
	    client_set_deadline(s->shared.client, ASK_MS, err) != 0 ||
	    web_client_open(o->config_file, o->settings, &s->waiting_client,
			    err) != 0)
		return -1;
	follower.client = s->waiting_client;
	return (s->follower = follower_new(&follower, err)) != NULL &&
		       (s->feeder = feeder_new(s->waiting_client, o->shared,
					       s->samples, err)) != NULL &&
		       web_thread_begin(&s->thread, sampler_thread, s, err) == 0
		   ? 0
		   : -1;
}

struct sampler *
sampler_new(const struct hub_options *o, int wake, struct err *err)
{
	struct sampler *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->wanted = calloc(1, sizeof(*s->wanted))) == NULL) {
		free(s);
		err_nomem(err);
		return NULL;
	}
	s->options = o;
	web_thread_init(&s->thread);
	sampler_share(s, o->shared);
	if (sampler_begin(s, wake, err) == 0)
		return s;
	sampler_free(s);
	return NULL;
}

void
sampler_stop(struct sampler *s)
{
	atomic_store(&s->shared.stopping, true);
	web_thread_stop(&s->thread);
	if (s->follower != NULL)
		follower_stop(s->follower);
	if (s->feeder != NULL)
		feeder_stop(s->feeder);
}

/* All are told to end before the first is waited for. What the others call goes
 * last: the follower marks what the sampler's lock protects. */
void
sampler_free(struct sampler *s)
{
	if (s == NULL)
		return;
	sampler_stop(s);
	follower_free(s->follower);
	feeder_free(s->feeder);
	web_thread_done(&s->thread);
	topics_free(s->topics);
	flowrra_close(s->shared.client);
	flowrra_close(s->waiting_client);
	samples_free(s->samples);
	wanted_free(s->wanted);
	free(s);
}
