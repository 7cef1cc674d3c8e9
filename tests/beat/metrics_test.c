/* SPDX-License-Identifier: MIT */
/* What a scheduler tells a monitor. */
#include <event2/event.h>
#include <string.h>

#include "beat/scene.h"
#include "metrics/text.h"
#include "metrics_grammar.h"
#include "suite.h"

/* Both forms are well formed; the older one has this part. */
static void
ck_scraped(const struct beat_scene_beat *b, const char *part)
{
	struct buf om = BUF_INIT, text = BUF_INIT;
	struct metrics_text m = {.openmetrics = &om, .text = &text};
	struct metrics_fault fault;

	beat_write_metrics(b->beat, &m);
	metrics_end(&m);
	buf_addc(&om, '\0');
	buf_addc(&text, '\0');
	ck_assert_msg(metrics_check(om.data, true, &fault) == 0, "%s",
		      fault.why);
	ck_assert_msg(metrics_check(text.data, false, &fault) == 0, "%s",
		      fault.why);
	ck_assert_msg(strstr(text.data, part) != NULL, "%s", text.data);
	buf_done(&om);
	buf_done(&text);
}

START_TEST(a_scheduler_tells_its_fires_and_whether_it_claims)
{
	struct scene *s = beat_scene_new(NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);
	struct beat_scene_beat *b;

	beat_scene_store(s, &schedule);
	b = beat_scene_start(s);
	ck_scraped(b, "flowrra_beat_claims 0\n");
	ck_scraped(b, "flowrra_up{component=\"broker\"} 0\n");
	beat_scene_reach(b, true);
	FAKE_WAIT(&s->store, s->store.n_submitted > 0);
	FAKE_WAIT(&s->store, fake_store_unanswered(&s->store) == 0);
	event_base_loop(s->base, EVLOOP_NONBLOCK);
	ck_scraped(b, "flowrra_beat_claims 1\n");
	ck_scraped(b, "flowrra_schedule_fires_total 1\n");
	ck_scraped(b, "\nflowrra_beat_lag_seconds ");
	ck_scraped(b, "flowrra_up{component=\"scheduler_database\"} 1\n");
	beat_scene_reach(b, false);
	ck_scraped(b, "flowrra_beat_claims 0\n");
	beat_scene_free(s);
}
END_TEST

SUITE("beat-metrics")
{
	TEST(a_scheduler_tells_its_fires_and_whether_it_claims);
}
