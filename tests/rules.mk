# SPDX-License-Identifier: MIT
# What the Makefile includes: tests, fuzzing, measuring, checks of the code.
# Programs run in the top folder.

export ASAN_OPTIONS  ?= detect_stack_use_after_return=1
export UBSAN_OPTIONS ?= print_stacktrace=1

# Tests find what was built in $BUILD_DIR; no configuration of the user's, no time
# zone of the system's and no running daemon of this machine reaches them.
ZONES    = $(B)/tests/zoneinfo
TEST_ENV = env $(addprefix -u ,$(filter FLOWRRA_%,$(.VARIABLES))) \
	   -u CREDENTIALS_DIRECTORY BUILD_DIR=$(abspath $(B)) \
	   TZDIR=$(abspath $(ZONES)) RUNTIME_DIRECTORY=$(abspath $(B))/tests/none
JOBS     = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
# A make of its own: only after .ci/deps does pkg-config find everything.
again    = +@$(MAKE) --no-print-directory

# Tests look into databases and servers by themselves.
SERVER_LIBS := $(STORE_LIBS) $(call pc,sqlite3 hiredis)

test_objs  = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)))
SERVER_OBJS := $(call test_objs,tests/redis_server.c tests/redis_group.c tests/redis_cluster.c \
    tests/server.c)
$(B)/tests/%.o: CPPFLAGS += -Itests

# Programs in a folder below tests find the drivers, too.
$(B)/tests/libexec:
	@mkdir -p $(@D)
	@ln -sfn ../libexec $@

# zic is where a user's PATH does not lead on all systems.
$(ZONES): tests/zones.zi
	$(call say,ZIC) rm -rf $@ && PATH="$$PATH:/usr/sbin:/sbin" zic -b slim -d $@ $<
	@cp $< $@/tzdata.zi && touch $@

# --- tests -------------------------------------------------------------------

UNIT_OBJS := $(call test_objs,tests/*.c $(patsubst lib/%/,tests/%/*.c,$(wildcard lib/*/)))
E2E_OBJS  := $(call test_objs,tests/*.c tests/e2e/*.c)
TEST_LIBS := $(call pc,libpq libmariadb check libevent_pthreads libsystemd)
TEST_MODULES := $(patsubst tests/modules/%.c,$(B)/tests/modules/%.so,\
		$(wildcard tests/modules/*.c))

$(B)/tests/unit: $(UNIT_OBJS) $(call ar,$(LIBS))
	$(link) -rdynamic $(inputs) $(SERVER_LIBS) $(HTTP_LIBS) -lcrypt $(TEST_LIBS)

$(B)/tests/e2e/run: $(E2E_OBJS) $(call ar,$(LIBS)) | $(B)/tests/libexec
	$(link) -rdynamic $(inputs) $(SERVER_LIBS) $(HTTP_LIBS) -lcrypt $(TEST_LIBS)

# As the tests of those who write modules: the library finds no part of itself in
# the program. The suite "authors" runs it.
$(B)/tests/authors/run: $(call test_objs,tests/authors/*.c) $(B)/tests/suite.o \
    $(TESTING)
	$(link) -rdynamic -Wl,-rpath,$(abspath $(B)/lib) $(inputs) \
	    $(call pc,check jansson)

$(B)/tests/modules/%.so: tests/modules/%.c
	$(call say,LD) $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -shared -MMD -MP \
	    -MF $(@:.so=.d) -o $@ $<

test-programs: all $(TEST_MODULES) $(B)/tests/unit $(B)/tests/e2e/run $(B)/tests/authors/run \
    $(B)/tests/soak/clock_shim.so $(B)/tests/shims/cron_shim.so $(ZONES)

# Runs the suites of the program $(1). Most of their time goes by in waiting, so
# $(2) of them run side by side, in the order $(3), which brings the longest one
# early; what one prints is shown when it has ended, and what failed again at the
# end of all.
suites = $(if $(SUITES),$(TEST_ENV) $(1) $(SUITES),\
    rm -f $(1).failed; $(1) --list | $(3) | \
    $(TEST_ENV) xargs -P $(2) -n 1 tests/one $(1) || \
    { echo "What failed:"; cat $(1).failed; exit 1; })

#: unit     the unit tests only; SUITES="conf log" runs some of them
unit: $(B)/tests/unit $(B)/tests/authors/run $(PROGRAMS) $(MODULES) $(DRIVERS) $(SERVE) $(TEST_MODULES) $(ZONES) \
    $(B)/tests/shims/cron_shim.so
	$(call suites,$(B)/tests/unit,4,sort -ru)

#: e2e      the tests of the whole, with real programs and servers, only
e2e: test-programs
	$(call suites,$(B)/tests/e2e/run,3,sort -u)

#: wrong-year a simulated year of schedulers with clocks that are wrong
wrong-year: $(B)/tests/unit $(DRIVERS) $(ZONES)
	@for seed in $(or $(SEEDS),4711 1 2); do \
	    WRONG_DAYS=365 WRONG_SEED=$$seed $(TEST_ENV) $(B)/tests/unit \
	        beat_wrong_year || exit; done

#: demo     follows the tour of README.md, and shows it
demo:
	@.ci/deps build tour
	$(again) $(JOBS) all
	@BUILD_DIR=$(B) tests/tour

# The transcripts stay in $(B)/tests/tour.log.
#: tour     follows the tour of README.md, cookbook, migrating and protocol(7), and says so only if one is wrong
tour: all
	@mkdir -p $(B)/tests
	@(for f in README.md conf/flowrra-cookbook.7 conf/flowrra-migrating.7; do \
	    BUILD_DIR=$(B) tests/tour $$f || exit; \
	done; BUILD_DIR=$(B) TOUR_REDIS=1 timeout 120 \
	    tests/tour lib/codec/flowrra-protocol.7 \
	) >$(B)/tests/tour.log 2>&1 || { cat $(B)/tests/tour.log; false; }

# The pages of flowrra-web in Debian's chromium. What drives it is npm's, and
# used by the tests alone; the versions are pinned here.
BROWSER_PACKAGES := playwright-core@1.65.1 axe-core@4.14.1
BROWSER := build/browser/node_modules/.of-$(subst @,-,$(firstword $(BROWSER_PACKAGES)))-$(subst @,-,$(lastword $(BROWSER_PACKAGES)))
$(BROWSER):
	@mkdir -p build/browser
	npm install --prefix build/browser --no-audit --no-fund --no-save --silent \
	    --ignore-scripts --fetch-retries 1 --fetch-timeout 30000 $(BROWSER_PACKAGES)
	@touch $@

#: browser  the pages in chromium, beside a mock; BROWSER_TESTS="purge dry" some
# FLOWRRA_WEB_URL and FLOWRRA_WEB_TOKEN name a daemon instead of the mock.
# Pictures of all pages are in build/browser/screenshots then.
browser:
	@.ci/deps web
	@$(MAKE) --no-print-directory $(BROWSER)
	node tests/web/browser/run.mjs $(BROWSER_TESTS)

# Skipped where npm cannot be reached, and has not been before.
#: browser-daemon the same with workers, a scheduler and flowrra-web, on both stores
# BROWSER_STORES=redis: on that one.
BROWSER_STORES ?= sqlite redis
browser-daemon: all
	@.ci/deps web
	@if $(MAKE) --no-print-directory $(BROWSER); then \
	    for store in $(BROWSER_STORES); do echo "browser-daemon: $$store"; \
	        BUILD_DIR=$(abspath $(B)) tests/web/browser/daemon $$store \
	            $(BROWSER_TESTS) || exit 1; done; \
	else \
	    echo "browser-daemon: skipped: npm cannot install $(BROWSER_PACKAGES)"; \
	fi

# Pages are the same with sanitizers, and only slower.
browser-short: $(if $(filter release,$(CONFIG)),browser-daemon)

#: browser-picture the picture of the overview that README shows
browser-picture:
	@$(MAKE) --no-print-directory browser-daemon BROWSER_TESTS=picture \
	    BROWSER_STORES=sqlite
	cp build/browser/screenshots/flowrra-web.png cmd/flowrra-web/

# Times and rates in it are fixed: it changes with what the programs print alone.
#: cast     the moving picture of a terminal that README shows
cast: all
	tests/cast/cast $(B)/bin >$(B)/cast.svg
	cp $(B)/cast.svg conf/

#: cast-check whether that is still what the programs print
cast-check: all
	@tests/cast/cast $(B)/bin >$(B)/cast.svg
	@diff conf/cast.svg $(B)/cast.svg || \
	    { echo "conf/cast.svg is out of date; \"make cast\" makes it" >&2; false; }

# With sanitizers it would show the same, and only later.
cast-short: $(if $(filter release,$(CONFIG)),cast-check)

#: mount    the dashboard behind proxies and inside applications, only
mount: all
	@BUILD_DIR=$(B) tests/web/mount/check

# In a container that boots the installed programs; skipped where none can.
#: check-systemd runs the units for real; needs root and systemd-nspawn
check-systemd: test-programs
	@BUILD_DIR=$(B) tests/systemd/check

# Sanitizers want what the units' bounds forbid.
systemd-short: $(if $(filter release,$(CONFIG)),check-systemd)

#: check-deb installs, uses and purges the packages in a Debian of its own
check-deb: deb
	@tests/package/check

# CHECK="unit SUITES=cron-next" or CHECK="check CC=clang" PACKAGES=clang does
# something else; the script has more.
#: check-debian check in a Debian of its own; SUITE=bookworm, CACHE=DIR; needs root
SUITE ?= trixie
CHECK ?= check
check-debian:
	@tests/debian/check $(SUITE) $(CHECK)

#: check    installs what is missing, builds everything, runs all tests
check:
	@.ci/deps build test $(if $(filter release,$(CONFIG)),web)
	$(again) $(JOBS) test-programs
	$(again) unit
	$(again) e2e
	$(again) tour
	$(again) cast-short
	$(again) mount
	$(again) browser-short
	$(again) soak-short
	$(again) systemd-short

#: asan     check, under the address and undefined behaviour sanitizers
#: tsan     check, under the thread sanitizer
asan tsan:
	$(again) CONFIG=$@ B=build/$@ check

# --- soak: the campaign of faults --------------------------------------------

# A program of its own, which uses the worlds of the tests of the whole.
SOAK_OBJS := $(filter-out %/clock_shim.o,$(call test_objs,tests/soak/*.c)) \
	     $(SERVER_OBJS) $(addprefix $(B)/tests/e2e/,world.o run.o worker.o look.o)

$(B)/tests/soak/campaign: $(SOAK_OBJS) $(call ar,$(CTL_LIBS))
	$(link) $(inputs) $(SERVER_LIBS) $(call pc,check)

# Preloaded into programs: no sanitizer may stand before it.
$(B)/tests/soak/clock_shim.so $(B)/tests/shims/cron_shim.so: \
    $(B)/%.so: %.c
	$(call say,LD) $(CC) $(CPPFLAGS) -std=gnu11 -fPIC $(WARNINGS) $(CFLAGS) \
	    -shared -o $@ $<

soak-programs: all $(TEST_MODULES) $(B)/tests/soak/campaign \
    $(B)/tests/soak/clock_shim.so $(ZONES)

#: soak     injects all faults, for hours; SOAK="--short --seed 7 cuts" less
soak: soak-programs
	$(TEST_ENV) $(B)/tests/soak/campaign --long $(SOAK)

# Sanitizers take memory that the campaign would miss.
soak-short: $(if $(filter release,$(CONFIG)),soak-programs)
	$(if $(filter release,$(CONFIG)),$(TEST_ENV) $(B)/tests/soak/campaign)

#: soak-beat kills schedulers over 10,000 fires, with each database
soak-beat: test-programs
	$(TEST_ENV) BEAT_FIRES=10000 $(B)/tests/e2e/run beat

#: soak-sqlite kills users of the embedded database 1,000 times, and upgrades of a million rows
soak-sqlite: $(B)/tests/unit $(ZONES)
	$(TEST_ENV) FLOWRRA_CRASH_RUNS=1000 CK_TIMEOUT_MULTIPLIER=10 \
	    $(B)/tests/unit sqlite-crash
	$(TEST_ENV) FLOWRRA_UPGRADE_ROWS=1000000 CK_TIMEOUT_MULTIPLIER=10 \
	    $(B)/tests/unit sqlite-upgrade

#: soak-mutants breaks the rules that keep tasks safe: soak must notice
soak-mutants: soak-programs
	tests/soak/mutants/run $(B) $(MUTANTS)

# --- fuzzing -----------------------------------------------------------------

FUZZ_SECONDS ?= 30
FUZZ_LIBS := util core codec cron ipc redis http
FUZZERS   := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))

# Those of flowrra-web ask its routes, and so have a store below them.
$(filter %/web_fuzz %/web_auth_fuzz %_damage_fuzz,$(FUZZERS)): \
    $(call ar,$(WEB_LIBS))
# What a target needs beside itself is in folders.
$(filter %/web_fuzz %_damage_fuzz,$(FUZZERS)): $(call test_objs,tests/fuzz/web/*.c)
$(filter %_damage_fuzz,$(FUZZERS)): $(B)/tests/fuzz/redis_store/peer.o \
    $(call test_objs,tests/fuzz/sqlite_damage/*.c)
$(B)/tests/fuzz/cursor_fuzz: $(B)/tests/fuzz/redis_store/told.o $(call ar,$(STORE))
$(B)/tests/fuzz/spool_fuzz: $(B)/lib/dispatch/spool_read.o
$(B)/tests/fuzz/redis_store_fuzz: $(call test_objs,tests/fuzz/redis_store/*.c) \
    $(call ar,$(STORE))

$(FUZZERS): %: %.o $(call ar,$(FUZZ_LIBS))
	$(call say,LD) $(CC) -fsanitize=fuzzer,address,undefined -pthread -o $@ \
	    $(inputs) $(SERVER_LIBS) $(HTTP_LIBS) -lcrypt $(call pc,libsystemd)

fuzzers: $(FUZZERS)

# What a target finds goes to build/fuzz; what is worth keeping is put into
# tests/fuzz/corpus/NAME by hand.
#: fuzz     each fuzz target for FUZZ_SECONDS (30)
fuzz:
	@.ci/deps build fuzz
	$(again) $(JOBS) CONFIG=fuzz B=build/fuzz fuzzers
	@set -e; for c in tests/fuzz/*.c; do \
	    n=$$(basename $$c .c); echo "fuzz: $$n"; \
	    mkdir -p build/fuzz/corpus/$$n; \
	    build/fuzz/tests/fuzz/$$n -max_total_time=$(FUZZ_SECONDS) \
		-verbosity=0 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/$$n- build/fuzz/corpus/$$n \
		$$(test ! -d tests/fuzz/corpus/$$n || echo tests/fuzz/corpus/$$n); \
	done

# --- measuring ---------------------------------------------------------------

BENCH_OBJS := $(call test_objs,tests/bench/*.c)
BENCH_FILL := $(addprefix $(B)/tests/bench/,operate_fill.o longest.o)
BENCH_SITE := $(B)/tests/bench/web_site.o
BENCH_COMMANDS := $(addprefix $(B)/tests/bench/,commands_fill.o commands_world.o commands_look.o)
BENCH_BARE := $(addprefix $(B)/tests/bench/,bare.o bare_chain.o)
BENCH_RUN  := $(filter-out %_bench.o %_floor.o %/module.o %/steps.o $(BENCH_BARE) $(BENCH_FILL) $(BENCH_SITE) $(BENCH_COMMANDS),$(BENCH_OBJS))
BENCH_PROGRAMS := $(B)/tests/bench/run $(B)/tests/bench/module.so $(B)/tests/bench/steps.so \
		  $(patsubst %.o,%,$(filter %_bench.o %_floor.o,$(BENCH_OBJS)))
# Of the library as users have it, or of what it does not show them.
BENCH_LIBS := $(CLIENT) $(call ar,cron core util)
$(B)/tests/bench/run $(B)/tests/bench/%_bench: BUILT_LIBS = -Wl,-rpath,$(abspath $(B)/lib)

$(B)/tests/bench/run: $(BENCH_RUN) $(SERVER_OBJS) $(call ar,redis util) $(CLIENT)
	$(link) $(BUILT_LIBS) $(inputs) $(SERVER_LIBS)

$(B)/tests/bench/%_bench: $(B)/tests/bench/%_bench.o $(BENCH_LIBS)
	$(link) $(BUILT_LIBS) $(inputs) -lm

$(B)/tests/bench/latency_bench $(B)/tests/bench/submit_bench: $(BENCH_BARE)

# What ours are compared with: as lean as a program can be.
$(B)/tests/bench/%_floor: $(B)/tests/bench/%_floor.o
	$(link) $(inputs) $(call pc,sqlite3)

# With servers of its own, and a database filled from below.
$(B)/tests/bench/beat_bench: $(B)/tests/bench/beat_bench.o $(B)/tests/sql_server.o $(B)/tests/processes.o \
    $(SERVER_OBJS) $(call ar,schedules sqlite redis core util) | $(B)/tests/libexec
	$(link) $(inputs) $(SERVER_LIBS) $(call pc,libpq libmariadb)

$(B)/tests/bench/operate_bench: $(B)/tests/bench/operate_bench.o $(BENCH_FILL) \
    $(SERVER_OBJS) $(call ar,$(STORE))
	$(link) $(inputs) $(SERVER_LIBS)

$(B)/tests/bench/sqlite_floor_bench: $(B)/tests/bench/sqlite_floor_bench.o $(call ar,$(STORE))
	$(link) $(inputs) $(STORE_LIBS) $(call pc,sqlite3)

$(B)/tests/bench/commands_bench: $(B)/tests/bench/commands_bench.o $(BENCH_COMMANDS) \
    $(B)/tests/bench/longest.o $(SERVER_OBJS) $(call ar,$(STORE))
	$(link) $(inputs) $(SERVER_LIBS)

$(B)/tests/bench/manager_bench: $(B)/tests/bench/manager_bench.o $(BENCH_FILL) \
    $(SERVER_OBJS) $(call ar,$(CTL_LIBS))
	$(link) $(inputs) $(SERVER_LIBS)

$(B)/tests/bench/web_bench: $(B)/tests/bench/web_bench.o $(BENCH_FILL) $(BENCH_SITE) \
    $(SERVER_OBJS) $(call ar,$(CTL_LIBS))
	$(link) $(inputs) $(SERVER_LIBS)

$(B)/tests/bench/viewers_bench: $(B)/tests/bench/viewers_bench.o $(BENCH_SITE) \
    $(addprefix $(B)/tests/bench/,files.o options.o program.o system.o usage.o) \
    $(SERVER_OBJS) $(call ar,redis util)
	$(link) $(inputs) $(SERVER_LIBS)

$(B)/tests/bench/follower_bench: $(B)/tests/bench/follower_bench.o \
    $(addprefix $(B)/tests/bench/,files.o options.o program.o system.o) \
    $(SERVER_OBJS) $(call ar,redis util)
	$(link) $(inputs) $(SERVER_LIBS)

$(B)/tests/bench/limit_bench: $(B)/tests/bench/limit_bench.o \
    $(addprefix $(B)/tests/bench/,files.o options.o program.o system.o usage.o) \
    $(SERVER_OBJS) $(call ar,$(CTL_LIBS))
	$(link) $(inputs) $(SERVER_LIBS)

$(B)/tests/bench/flow_bench: $(B)/tests/bench/flow_bench.o \
    $(addprefix $(B)/tests/bench/,files.o options.o program.o system.o usage.o) \
    $(SERVER_OBJS) $(call ar,$(CTL_LIBS))
	$(link) $(inputs) $(SERVER_LIBS)

$(B)/tests/bench/module.so: $(B)/tests/bench/module.o
	$(link) -shared $(inputs)

# In the place of SQLite's own, which it calls.
$(B)/tests/bench/steps.so: $(B)/tests/bench/steps.o
	$(link) -shared $(inputs)

bench-programs: all $(BENCH_PROGRAMS) $(ZONES)

#: bench    measures throughput and latency; BENCH=--help lists its options
bench:
	@.ci/deps build test bench
	$(again) $(JOBS) bench-programs
	@$(TEST_ENV) $(B)/tests/bench/run $(BENCH)
	$(if $(BENCH),,@$(TEST_ENV) $(B)/tests/bench/limit_bench redis)
	$(if $(BENCH),,@$(TEST_ENV) $(B)/tests/bench/limit_bench sqlite)

#: bench-peers the same beside other task queues; PEERS="rq sidekiq" ROUNDS=3
bench-peers:
	@.ci/deps build test bench
	$(again) $(JOBS) bench-programs
	@$(TEST_ENV) tests/bench/peers/run

#: bench-growth how cost grows; GROWTH="waiting queues", GROWTH_MAX=1000000
bench-growth:
	@.ci/deps build test
	$(again) $(JOBS) bench-programs
	@$(TEST_ENV) tests/bench/growth/run

#: bench-lives that nothing is left of 1,000,000 tasks; LIVES_TASKS=10000
bench-lives: all $(ZONES)
	@.ci/deps build test
	@$(TEST_ENV) tests/bench/growth/lives

#: bench-beat measures the scheduler: wake-ups, bursts, how late fires are
bench-beat: all $(ZONES) $(B)/tests/bench/beat_bench
	@$(TEST_ENV) $(B)/tests/bench/beat_bench $(BENCH)

#: bench-operate measures what operators ask for, with a million tasks
bench-operate: all $(ZONES) $(B)/tests/bench/operate_bench $(B)/tests/bench/manager_bench
	@$(TEST_ENV) $(B)/tests/bench/operate_bench $(or $(BENCH),redis)
	@$(TEST_ENV) $(B)/tests/bench/manager_bench $(or $(BENCH),redis)
	$(if $(BENCH),,@$(TEST_ENV) $(B)/tests/bench/operate_bench sqlite)
	$(if $(BENCH),,@$(TEST_ENV) $(B)/tests/bench/manager_bench sqlite)

#: bench-commands the longest Redis command; COMMANDS="levels large", COMMANDS_SCALE=10
bench-commands: all $(ZONES) $(B)/tests/bench/commands_bench
	@$(TEST_ENV) $(B)/tests/bench/commands_bench $(COMMANDS)

#: bench-web measures the dashboard: its calls with a million tasks, 500 viewers
bench-web: all $(ZONES) $(B)/tests/bench/web_bench $(B)/tests/bench/viewers_bench \
    $(B)/tests/bench/module.so $(B)/tests/bench/steps.so
	@$(TEST_ENV) $(B)/tests/bench/web_bench $(or $(BENCH),redis)
	$(if $(BENCH),,@$(TEST_ENV) $(B)/tests/bench/web_bench sqlite)
	@$(TEST_ENV) $(B)/tests/bench/viewers_bench $(or $(BENCH),redis)
	$(if $(BENCH),,@$(TEST_ENV) $(B)/tests/bench/viewers_bench sqlite)

#: bench-follower what one follower of events costs worker and server
bench-follower: all $(ZONES) $(B)/tests/bench/follower_bench $(B)/tests/bench/module.so
	@$(TEST_ENV) $(B)/tests/bench/follower_bench $(or $(BENCH),redis)
	$(if $(BENCH),,@$(TEST_ENV) $(B)/tests/bench/follower_bench sqlite)

#: bench-flows measures workflows: chains, joins, and how soon a step is released
bench-flows: all $(ZONES) $(B)/tests/bench/flow_bench $(B)/tests/bench/module.so
	@$(TEST_ENV) $(B)/tests/bench/flow_bench $(or $(BENCH),redis)
	$(if $(BENCH),,@$(TEST_ENV) $(B)/tests/bench/flow_bench sqlite)

# Compiled for gcov: as written, so that each line can be told from the next.
ifeq ($(CONFIG),coverage)
HARDEN   := --coverage -O0
LDHARDEN := --coverage
endif

# Counts the lines of lib/FOLDER/*.c that ran; executors count for themselves,
# but one that is killed cannot write its counts down.
#: coverage lines that the unit tests reach, by folder; SUITES="pool", FILES=1
coverage:
	@.ci/deps build test
	@find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	$(again) $(JOBS) CONFIG=coverage B=build/coverage CFLAGS="-g" unit
	@find build/coverage/lib -name '*.gcno' -exec gcov -n {} + 2>/dev/null | \
	    awk -v FILES=$(FILES) -f tests/coverage.awk

# --- checks of the code ------------------------------------------------------

#: deps     installs what is missing of the Debian packages that are needed
deps:
	@.ci/deps build test

#: lint     checks form, layers, manual pages and scripts, and runs clang-tidy
lint:
	@.ci/deps build lint
	$(again) $(JOBS) all
	@.ci/lint $(B)

#: format   puts the C code into the style of .clang-format
format:
	find lib cmd tests -name '*.[ch]' -exec clang-format -i {} +

# For clang-tidy, one a line.
compile-flags:
	@printf '%s\n' $(CPPFLAGS) -std=gnu11

.PHONY: test-programs unit e2e demo tour mount check-systemd systemd-short check-deb \
	check-debian \
	browser browser-daemon browser-short browser-picture cast cast-check cast-short check asan tsan soak-programs soak \
	soak-short soak-beat \
	soak-sqlite soak-mutants fuzzers fuzz bench-programs bench bench-peers bench-growth bench-lives \
	bench-beat bench-operate bench-commands bench-web bench-follower bench-flows wrong-year coverage deps lint format compile-flags
