/* SPDX-License-Identifier: MIT */
/*
 * wait --queue: until nothing waits or runs in a queue.
 *
 * It looks at the figures, which cost the store next to nothing, a few times a
 * second. A task that a crash puts back into its queue could be on its way
 * between two figures: so they must say the same twice.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "gateway.h"
#include "manager/queues.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"
#include "wait.h"

/* Between two looks; at first less, for queues that are empty soon. */
#define LOOK_MS 500
#define FIRST_MS 20

static json_int_t
figure(const json_t *list, const char *name)
{
	return json_integer_value(
	    json_object_get(json_array_get(list, 0), name));
}

/* How many are left; -1 after a complaint, with *ret_status. */
static json_int_t
queue_left(struct ctl *ctl, const char *queue, bool delayed, int *ret_status)
{
	struct err err = ERR_INIT;
	json_t *list = ctl->gateway != NULL
			   ? gateway_queues(ctl->gateway, queue, &err)
			   : queues_list(ctl->client, queue, &err);
	json_int_t left;

	if (list == NULL) {
		*ret_status = complain_of_err(ctl, &err);
		return -1;
	}
	left = figure(list, "waiting") + figure(list, "in_flight");
	if (delayed)
		left += figure(list, "delayed");
	json_decref(list);
	return left;
}

static void
pause_ms(int64_t ms)
{
	const struct timespec t = {.tv_sec = ms / 1000,
				   .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

/* The pause before the next look; none beyond the end of the time. */
static int64_t
next_pause(int64_t pause, int64_t until_ms)
{
	const int64_t left = until_ms - clock_mono_ms();

	pause = pause * 2 < LOOK_MS ? pause * 2 : LOOK_MS;
	return until_ms != 0 && left < pause ? left : pause;
}

int
wait_queue(struct ctl *ctl, const char *queue, bool delayed, double timeout_s)
{
	const int64_t until_ms =
	    timeout_s >= 0 ? clock_mono_ms() + (int64_t)(timeout_s * 1e3) : 0;
	int64_t pause = FIRST_MS / 2;
	unsigned int empty = 0;
	json_int_t left = 0;
	int status = 0;

	while (empty < 2) {
		left = queue_left(ctl, queue, delayed, &status);
		if (left < 0)
			return status;
		empty = left == 0 ? empty + 1 : 0;
		if (empty == 2)
			break;
		show_progress(ctl, left, "left");
		pause = empty == 1 ? FIRST_MS : next_pause(pause, until_ms);
		if (empty == 0 && until_ms != 0 && pause <= 0) {
			complain(ctl,
				 "waited %g s: %lld tasks of queue %s are left",
				 timeout_s, (long long)left, queue);
			return err_exit_status(ERR_TIMEOUT);
		}
		pause_ms(pause);
	}
	end_progress(ctl);
	return 0;
}
