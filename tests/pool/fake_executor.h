/* SPDX-License-Identifier: MIT */
/*
 * An executor that does what the test says, also what no executor should do.
 *
 * It is this very test program, started under the name of flowrra-executor.
 * What it does at its start stands in the list of modules, what it does for a
 * job in the job's arguments: a JSON array of steps, as text, each "NAME" or
 * "NAME=VALUE". It takes them one after the other, so that a test waits for
 * nothing but messages.
 *
 * At the start (each a "module"):
 *	hello=VERSION	says HELLO with this version of the protocol
 *	type=N		sends a message of this type that is only a header
 *	cut=N		sends only the header of a message of N bytes
 *	bytes=TEXT	sends bytes that are not a frame
 *	exit=STATUS	ends
 *	needs=PATH	ends with status 3 if there is no such file
 *	silent		never says that it is ready
 *	ready=JSON	says this instead of what it can run
 *	cpu:STEP	does this step in a cpu executor only
 * With none of them it says HELLO and READY, with the tasks "job" (a thread),
 * "async" and "cpu" (cpu-bound), all of queue "io".
 *
 * For a job:
 *	started, done=JSON, failed=TEXT, final=TEXT, limited=TEXT (it failed,
 *	since it was told to end), progress=JSON, log=LEVEL:TEXT, submit=JSON,
 *	returned	the messages of these names
 *	ran=US		what DONE says that it took; else 1000
 *	lied=JSON	DONE with times that no clock has; "false" fails
 *	print=TEXT	a line on standard output
 *	complain=TEXT	a line on standard error
 *	flood=N, long=N	N lines; a line of N bytes
 *	unfinished=TEXT	a line without its end
 *	other=N		"started", for the job with the number N
 *	type=N, cut=N, bytes=TEXT, exit=STATUS	as above
 *	words=SIGNAL:STATUS	last words about this job; with a third
 *	number, about the job with that; with a fourth, of that thread
 *	lost=TEXT	what ran it outside has died
 *	behind=N	answers PING: N were missed since this job keeps the loop;
 *	nameless=N	the same, but it is not known which job does
 *	kill=SIGNAL	a signal to itself
 *	queued		it does not begin: RECALL gives it back
 *	deaf		CANCEL does not end it
 *	stall		RECALL is not answered, only told as progress "recall"
 *	fork		leaves a process behind that never ends; prints its pid
 *	close		closes its channel
 *	pad=TEXT	nothing
 *
 * CANCEL ends a job as "limited" does, an answer to a submission ends it with
 * the result {"code": N, "text": "…"}, and STOP ends the process.
 */
#ifndef TESTS_POOL_FAKE_EXECUTOR_H
#define TESTS_POOL_FAKE_EXECUTOR_H

/* The path of this program; static. */
const char *fake_executor_path(void);

#endif
