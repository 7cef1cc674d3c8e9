/* SPDX-License-Identifier: MIT */
/* One run: servers, workers, and how time passes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include <flowrra/client.h>

#include "e2e/look.h"
#include "redis_cluster.h"
#include "redis_group.h"
#include "soak/proxy.h"
#include "soak/soak.h"

#define IO_WORKERS 4
#define CPU_WORKERS 2

/* --- chance -------------------------------------------------------------- */

/* splitmix64 */
uint64_t
rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

int64_t
rng_between(struct rng *r, int64_t first, int64_t last)
{
	return first + (int64_t)(rng_next(r) % (uint64_t)(last - first + 1));
}

uint64_t
hash_text(const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3u;
	return h;
}

/* --- time ---------------------------------------------------------------- */

void
scene_sleep(int64_t ms)
{
	struct timespec t = {.tv_sec = ms / 1000,
			     .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&t, &t) != 0)
		;
}

/* Workers tell of their status each second, and there is room for ten: then
 * they wait until somebody reads. */
static void
forget_notified(struct scene *s)
{
	unsigned int i;

	for (i = 0; i < s->n_workers; i++)
		worker_forget_notified(s->workers[i]);
}

void
scene_sleep_between(struct scene *s, int64_t first_ms, int64_t last_ms)
{
	int64_t ms = rng_between(&s->rng, first_ms, last_ms);

	for (; ms > 500; ms -= 500) {
		forget_notified(s);
		scene_sleep(500);
	}
	forget_notified(s);
	scene_sleep(ms);
}

void
scene_look(struct scene *s)
{
	forget_notified(s);
	ledger_read(s->ledger);
}

void
scene_recovered(struct scene *s, int64_t ms)
{
	struct tally *t = s->tally;

	if (t->n_recoveries < RECOVERIES_MAX)
		t->recovery_ms[t->n_recoveries++] = (float)ms;
	if (s->row->limit_ms != 0)
		ck_assert_msg(ms <= s->row->limit_ms,
			      "recovery took %lld ms, at most %lld were "
			      "promised",
			      (long long)ms, (long long)s->row->limit_ms);
}

void
scene_await_start(struct scene *s, int64_t since_ms)
{
	SCENE_WAIT_WITHIN(s, PATIENCE_MS,
			  ledger_started(s->ledger, since_ms * 1000) > 0);
	scene_recovered(s, now_ms() - since_ms);
}

void
scene_await_ends(struct scene *s, int64_t since_ms, size_t n)
{
	SCENE_WAIT_WITHIN(s, PATIENCE_MS,
			  ledger_ended(s->ledger, since_ms * 1000) >= n);
}

/* --- starting ------------------------------------------------------------ */

void
scene_configure(struct scene *s, unsigned int i, const char *modules)
{
	const struct scene_options *o = &s->options;
	struct world *w = s->world;
	const char *url = i == 0 && o->proxy
			      ? world_text(w, "unix://%s/proxy", world_dir(w))
			      : s->url;
	const char *backend =
	    o->separate_backend ? redis_server_unix_url(world_backend(w)) : "";
	const char *text = world_text(
	    w,
	    "[broker]\nurl = %s\n[backend]\nurl = %s\n"
	    "[executor]\nio_workers = %d\ncpu_workers = %d\nkill_grace = "
	    "300ms\n"
	    "[scheduler]\ndatabase_url = sqlite://%s/schedules.db\n"
	    "[worker]\nid = soak:%u\nstate_dir = %s/state-%u\n%s%s",
	    url, backend, IO_WORKERS, CPU_WORKERS, world_dir(w), i,
	    scene_disk(s), i, modules, o->config != NULL ? o->config : "");

	world_write(w, world_text(w, "worker-%u.conf", i), text, strlen(text));
}

struct flowrra_client *
scene_client(struct scene *s, const char *timeout)
{
	const char *settings[] = {
	    world_text(s->world, "broker.socket_timeout=%s", timeout),
	    s->replicas ? "broker.replicas=1" : "broker.replicas=0",
	    world_text(s->world, "backend.socket_timeout=%s", timeout), NULL};
	struct flowrra_options o = FLOWRRA_OPTIONS_INIT;
	struct flowrra_client *client;
	struct flowrra_error error;

	o.config_file = "/dev/null";
	o.settings = settings;
	o.broker_url = s->url;
	o.backend_url = world_backend(s->world) != world_redis(s->world)
			    ? redis_server_unix_url(world_backend(s->world))
			    : "";
	ck_assert_msg(flowrra_open(&o, &client, &error) == 0, "%s",
		      error.message);
	return client;
}

/* Tasks for all slots at once, so that all executors run. */
static void
warm_up(struct scene *s)
{
	const int64_t begin = now_ms();
	unsigned int i, n = 0;

	for (i = 0; i < CPU_WORKERS * s->n_workers * 2; i++, n++)
		scene_submit(s, "ledger_cpu", "150", NULL);
	for (i = 0; i < IO_WORKERS * s->n_workers; i++, n += 2) {
		scene_submit(s, "ledger", "50", NULL);
		scene_submit(s, "ledger_async", "5", NULL);
	}
	scene_await_ends(s, begin, n);
	WAIT_UNTIL(scene_left(s) == 0);
}

const char *
scene_disk(struct scene *s)
{
	return world_text(s->world, "%s/disk", world_dir(s->world));
}

/* Only this process and those it starts see it. */
static void
make_disk(struct scene *s, unsigned int kib)
{
	ck_assert_int_eq(mkdir(scene_disk(s), 0700), 0);
	if (kib == 0)
		return;
	ck_assert_msg(mount("tmpfs", scene_disk(s), "tmpfs", 0,
			    world_text(s->world, "size=%uk,mode=700", kib)) ==
			  0,
		      "cannot mount: %s", strerror(errno));
}

static void
make_url(struct scene *s)
{
	if (s->broker == SOAK_SQLITE)
		s->url = world_text(s->world, "sqlite://%s/flowrra.db",
				    scene_disk(s));
	else if (s->cluster != NULL)
		s->url = redis_cluster_url(s->cluster);
	else
		s->url = s->group != NULL
			     ? redis_group_url(s->group)
			     : redis_server_unix_url(world_redis(s->world));
}

static void
start_worker(struct scene *s, unsigned int i)
{
	const struct scene_options *o = &s->options;
	const char *command = o->commands != NULL ? o->commands[i] : NULL;

	scene_configure(
	    s, i,
	    o->modules != NULL
		? o->modules[i]
		: world_text(s->world, "modules = %s\n",
			     world_built(s->world, "tests/modules/ledger.so")));
	s->workers[i] = worker_start(
	    s->world,
	    world_text(s->world, "%sexec flowrrad --config worker-%u.conf",
		       command != NULL ? command : "", i));
}

void
scene_start(struct scene *s, const struct scene_options *given)
{
	const struct scene_options *o = &s->options;
	struct world_options wo = {.no_worker = true, .crashes = true};
	unsigned int i;

	if (given != NULL)
		s->options = *given;
	wo.separate_backend = o->separate_backend;
	wo.redis.args = o->redis;
	wo.group = o->group;
	if (o->cluster != NULL) {
		s->cluster = redis_cluster_start(o->cluster);
		wo.url = redis_cluster_url(s->cluster);
	}
	s->replicas = o->group || (o->cluster != NULL && o->cluster->replicas);
	s->world = world_start(&wo);
	s->group = world_group(s->world);
	make_disk(s, o->disk_kib);
	make_url(s);
	if (o->proxy)
		s->proxy = proxy_start(
		    world_text(s->world, "%s/proxy", world_dir(s->world)),
		    world_text(s->world, "%s/redis.sock",
			       redis_server_dir(world_redis(s->world))));
	s->ledger =
	    ledger_new(world_text(s->world, "%s/ledger", world_dir(s->world)));
	s->n_workers = o->workers > 0 ? o->workers : 1;
	for (i = 0; i < s->n_workers; i++)
		start_worker(s, i);
	s->client = scene_client(s, "5s");
	s->settle_us = 1000000;
	warm_up(s);
	s->descriptors = count_descriptors(worker_pid(s->workers[0]));
	s->kib = private_kib(worker_pid(s->workers[0]));
}

struct redis_server *
scene_redis(const struct scene *s)
{
	return world_redis(s->world);
}

struct redis_server *
scene_redis_of(const struct scene *s, const char *queue)
{
	if (s->cluster == NULL)
		return world_redis(s->world);
	return redis_cluster_server_of(
	    s->cluster, world_text(s->world, "flowrra:queue:%s", queue));
}

void
scene_skip(struct scene *s, const char *why)
{
	snprintf(s->tally->skipped, sizeof(s->tally->skipped), "%s", why);
}

size_t
scene_freeze(struct worker *k, pid_t executors[CHILDREN_MAX])
{
	worker_signal(k, SIGSTOP);
	return children_of(worker_pid(k), executors);
}

void
scene_blame(struct scene *s, const pid_t *executors, size_t n, enum cause cause)
{
	size_t i;

	s->tally->faults++;
	for (i = 0; i < n; i++)
		ledger_fault(s->ledger, executors[i], cause);
}

size_t
scene_kill_worker(struct scene *s, struct worker *k,
		  pid_t executors[CHILDREN_MAX])
{
	const size_t n = scene_freeze(k, executors);
	size_t i;

	worker_kill(k);
	for (i = 0; i < n; i++)
		WAIT_UNTIL_WITHIN(1000, is_gone(executors[i]));
	scene_blame(s, executors, n, CAUSE_WORKER_KILLED);
	ledger_read(s->ledger);
	return n;
}

const char *
scene_submit(struct scene *s, const char *name, const char *arg,
	     const struct flowrra_request *given)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_error error;
	char id[FLOWRRA_ID_SIZE];
	bool cpu = strstr(name, "_cpu") != NULL;
	const int64_t begin = now_ms(); /* the answer may come late */

	if (given != NULL)
		request = *given;
	request.name = name;
	request.args =
	    world_text(s->world, "[\"%s\",%s]", ledger_path(s->ledger), arg);
	request.queue = cpu ? "cpu" : "io";
	request.cpu_bound = cpu;
	request.force = true;
	ck_assert_msg(flowrra_submit(s->client, &request, id, &error) == 0,
		      "%s", error.message);
	ledger_submitted(
	    s->ledger, id, true,
	    (strncmp(name, "misbehave", 9) == 0 ? TRAIT_MISBEHAVES : 0) |
		(cpu ? TRAIT_CPU : 0),
	    request.delay_s > 0
		? (begin - 2) * 1000 + (int64_t)(request.delay_s * 1e6)
		: 0);
	return world_text(s->world, "%s", id);
}
