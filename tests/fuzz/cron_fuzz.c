/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: cron expressions. What is refused is explained; what is taken
 * fires later and later, and not one fire is skipped.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cron/cron.h"
#include "cron/tz.h"
#include "util/err.h"

#define FIRES 8

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
check_fires(const struct cron *cron, int64_t after_us)
{
	int64_t next_us, again_us;
	int i;

	for (i = 0; i < FIRES; i++) {
		if (!cron_next(cron, tz_utc(), after_us, &next_us))
			return;
		must(next_us > after_us);
		must(cron_next(cron, tz_utc(), next_us - 1, &again_us));
		must(again_us == next_us);
		after_us = next_us;
	}
}

/* Whatever can be parsed has words, of printable ASCII. */
static void
check_words(const struct cron *cron)
{
	struct buf words = BUF_INIT;
	size_t i;

	cron_words(cron, &words);
	must(words.failed || words.len > 0);
	for (i = 0; i < words.len; i++)
		must(words.data[i] >= ' ' && words.data[i] <= '~');
	buf_done(&words);
}

static void
check_fault(const char *text, const struct cron_fault *fault,
	    const struct err *err)
{
	must(fault->code != CRON_NONE && fault->code != CRON_NEVER);
	must(fault->column >= 1);
	must(fault->column - 1 + fault->len <= strlen(text));
	must(err->code == ERR_DATA && err->msg[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cron_options options = {.match_both = size % 2};
	char *text = malloc(size + 1);
	struct cron_fault fault = {.code = CRON_NONE};
	struct err err = ERR_INIT;
	struct slice zone;
	struct cron cron;

	must(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	options.seed = cron_seed((struct slice){text, strlen(text)});
	zone = cron_zone(text);
	if (cron_parse(text, &options, &cron, &fault, &err) != 0) {
		check_fault(text, &fault, &err);
	} else {
		must(zone.p == NULL || zone.len > 0);
		check_fires(&cron, (int64_t)(options.seed % 7258118400) *
				       INT64_C(1000000));
		check_fires(&cron, INT64_MIN);
		check_words(&cron);
	}
	free(text);
	return 0;
}
