/* SPDX-License-Identifier: MIT */
/* The options of the benchmark: environment variables with defaults. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

/* X(member, variable, default, text) */
#define NUMBERS(X)                                                             \
	X(rounds, "BENCH_ROUNDS", 3, "rounds")                                 \
	X(tasks, "BENCH_TASKS", 200000, "tasks submitted in bulk and drained") \
	X(single, "BENCH_SINGLE", 10000, "tasks submitted one at a time")      \
	X(ctl, "BENCH_CTL", 300, "tasks submitted by a flowrractl each")       \
	X(rate, "BENCH_RATE", 200, "tasks a second to measure latency at")     \
	X(seconds, "BENCH_SECONDS", 10, "seconds of that; 0: leave it out")    \
	X(io_workers, "BENCH_IO_WORKERS", 4, "[executor] io_workers")          \
	X(cpu_workers, "BENCH_CPU_WORKERS", 2, "[executor] cpu_workers")
/* The same for texts. */
#define TEXTS(X)                                                               \
	X(systems, "BENCH_SYSTEMS", "redis sqlite",                            \
	  "systems under test, see below")                                     \
	X(task, "BENCH_TASK", "noop",                                          \
	  "what is run: noop, noop_async, noop_cpu")                           \
	X(json, "BENCH_JSON", "build/bench.json", "where the results go")

struct options {
#define X(member, variable, preset, text) long member;
	NUMBERS(X)
#undef X
#define X(member, variable, preset, text) const char *member;
	TEXTS(X)
#undef X
};
extern struct options opt;

/* Fills `opt`; ends the program with a message if a value is bad. */
void options_read(void);
void options_help(void);

#endif
