/* SPDX-License-Identifier: MIT */
/* Stores with many tasks in them, of all kinds, and how long Redis was busy. */
#ifndef TESTS_BENCH_OPERATE_FILL_H
#define TESTS_BENCH_OPERATE_FILL_H

struct redis_server;

#define OPERATE_DEAD 20000
#define OPERATE_IN_FLIGHT 1000
#define OPERATE_WORKERS 50

/* `tasks` wait in queue "io"; a tenth of that is delayed, another tenth has
 * completed; the rest as above. SQLite's file and tables must be there. */
void operate_fill_redis(struct redis_server *server, long tasks);
void operate_fill_sqlite(const char *url, long tasks);

/* And variety beside it: OPERATE_QUEUES queues, q0 and so on, in each of which
 * tasks of many names wait, are delayed, are to be retried, and are dead;
 * failures; a registration of each name; and an hour of measures. */
#define OPERATE_QUEUES 200
void operate_vary_redis(struct redis_server *server);
void operate_vary_sqlite(const char *url);

#endif
