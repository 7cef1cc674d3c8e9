# SPDX-License-Identifier: MIT
# Flowrra: `make help` lists the targets.

VERSION := 0.1.0
CONFIG  ?= release
B       := build/$(CONFIG)

prefix      ?= /usr/local
bindir      ?= $(prefix)/bin
libdir      ?= $(prefix)/lib
libexecdir  ?= $(prefix)/libexec/flowrra
moduledir   ?= $(prefix)/lib/flowrra
includedir  ?= $(prefix)/include
mandir      ?= $(prefix)/share/man
docdir      ?= $(prefix)/share/doc/flowrra
unitdir     ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d
# Where the programs look, whatever the prefix of a system's own place.
sysconfdir  ?= $(if $(filter /usr /usr/local,$(prefix)),/etc,$(prefix)/etc)

CC       ?= gcc
CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	    -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 \
	    -Wno-unused-parameter -Werror
HARDEN   := -fstack-protector-strong -fstack-clash-protection -fcf-protection
LDHARDEN := -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed $(LDFLAGS)

ifeq ($(CONFIG),asan)
HARDEN   := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	    -fno-omit-frame-pointer
LDHARDEN := $(HARDEN)
else ifeq ($(CONFIG),tsan)
HARDEN   := -fsanitize=thread -fno-omit-frame-pointer
LDHARDEN := $(HARDEN)
else ifeq ($(CONFIG),fuzz)
CC       := clang-14
HARDEN   := -fsanitize=fuzzer-no-link,address,undefined \
	    -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDHARDEN := $(HARDEN)
# To clang a volatile variable that is only written is an oversight.
WARNINGS += -Wno-unused-but-set-variable
else
HARDEN   += -D_FORTIFY_SOURCE=2
endif
export ASAN_OPTIONS  ?= detect_stack_use_after_return=1
export UBSAN_OPTIONS ?= print_stacktrace=1

# `make V=1` shows the commands whole.
ifndef V
quiet = @printf '  %-5s %s\n' $(1) '$@';
endif

PC        = $(shell pkg-config $(1) 2>/dev/null)
PKGS     := libevent_core libevent_extra libevent_pthreads libevent_openssl openssl hiredis \
	    jansson inih libsystemd smartcols sqlite3 \
	    libpq libmariadb
CPPFLAGS += -D_GNU_SOURCE -DINI_HANDLER_LINENO=1 -DFLOWRRA_VERSION='"$(VERSION)"' \
	    -Ilib -Ilib/module -Ilib/client -I$(B)/gen $(call PC,--cflags $(PKGS))
ALL_CFLAGS = -std=gnu11 -fPIC -pthread $(WARNINGS) $(HARDEN) $(CFLAGS)

EVENT_LIBS   := $(call PC,--libs libevent_core)
JANSSON_LIBS := $(call PC,--libs jansson)
SQLITE_LIBS  := $(call PC,--libs sqlite3)
SCHEDULES_LIBS := $(SQLITE_LIBS) -ldl
REDIS_LIBS   := $(EVENT_LIBS) \
		$(call PC,--libs libevent_extra libevent_openssl openssl hiredis) \
		$(SQLITE_LIBS)

# A line break, to have one command a line in a $(foreach).
define \n


endef

# --- what is built of what ---------------------------------------------------

# Databases for schedules, loaded by those who use them.
DRIVERS    := $(patsubst %,$(B)/libexec/flowrra/database-%.so,postgresql mysql)
DRIVER_SRC := $(addprefix lib/schedules/,postgresql.c postgresql_conn.c \
	      mysql.c mysql_conn.c)

STORES := store/redis store/sqlite
LIBS := $(notdir $(wildcard lib/*)) $(STORES)
objs  = $(patsubst %.c,$(B)/%.o,$(filter-out $(DRIVER_SRC),$(wildcard $(1)/*.c)))
ar    = $(patsubst %,$(B)/lib/%.a,$(1))
# The contracts and the stores need each other's archives.
GROUP := -Wl,--start-group
ENDGROUP := -Wl,--end-group

# The link lines show what each program can reach.
DAEMON_LIBS   := dispatch pool store $(STORES) redis sqlite ipc codec core util
EXECUTOR_LIBS := executor module ipc util
CLIENT_LIBS   := client store $(STORES) redis sqlite codec core util
BEAT_LIBS     := beat schedules cron store $(STORES) redis sqlite codec core util
CTL_LIBS      := manager client $(BEAT_LIBS)

PROGRAMS := $(B)/bin/flowrrad $(B)/bin/flowrra-beat $(B)/bin/flowrractl \
	    $(B)/libexec/flowrra/flowrra-executor \
	    $(B)/libexec/flowrra/flowrra-spawner
SHARED   := $(B)/lib/libflowrra.so.0
# A file, or a folder, is a module.
MODULES  := $(patsubst lib/module/shipped/%.c,$(B)/lib/flowrra/%.so,\
	      $(wildcard lib/module/shipped/*.c)) $(B)/lib/flowrra/exec.so

#: all      programs, library and modules, in build/release (the default)
all: $(PROGRAMS) $(SHARED) $(MODULES) $(DRIVERS)

# Without this, a missing package would show as a missing header somewhere.
NO_PKGS := deps check asan tsan lint fuzz demo bench bench-peers bench-growth dist deb check-deb format clean help
ifneq ($(filter-out $(NO_PKGS),$(or $(MAKECMDGOALS),all)),)
MISSING := $(shell for p in $(PKGS); do pkg-config --exists $$p || echo $$p; \
	     done 2>/dev/null)
ifneq ($(MISSING),)
$(error pkg-config does not find $(MISSING); `make deps` installs it)
endif
endif

$(B)/bin/flowrrad: $(call objs,cmd/flowrrad) $(call ar,$(DAEMON_LIBS))
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -pie -o $@ $(GROUP) $^ $(ENDGROUP) $(REDIS_LIBS) \
	    $(JANSSON_LIBS) $(call PC,--libs inih libsystemd) -lm

$(B)/bin/flowrra-beat: $(call objs,cmd/flowrra-beat) $(call ar,$(BEAT_LIBS))
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -pie -o $@ $(GROUP) $^ $(ENDGROUP) $(REDIS_LIBS) \
	    $(SCHEDULES_LIBS) $(JANSSON_LIBS) $(call PC,--libs inih libsystemd) -lm

$(B)/bin/flowrractl: $(call objs,cmd/flowrractl) $(call ar,$(CTL_LIBS))
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -pie -o $@ $(GROUP) $^ $(ENDGROUP) $(REDIS_LIBS) \
	    $(SCHEDULES_LIBS) $(JANSSON_LIBS) $(call PC,--libs inih smartcols)

# Modules find the functions of flowrra/module.h in the executor itself.
$(B)/libexec/flowrra/flowrra-executor: $(call objs,cmd/flowrra-executor) \
    $(call ar,$(EXECUTOR_LIBS)) cmd/flowrra-executor/exports
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -pie -o $@ $(filter-out %/exports,$^) \
	    -Wl,--dynamic-list=cmd/flowrra-executor/exports \
	    $(EVENT_LIBS) $(call PC,--libs libevent_pthreads) $(JANSSON_LIBS) -ldl

$(B)/libexec/flowrra/flowrra-spawner: $(call objs,cmd/flowrra-spawner) \
    $(call ar,spawn util)
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -pie -o $@ $^

$(SHARED): $(call ar,$(CLIENT_LIBS)) lib/client/libflowrra.map
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -shared -o $@ -Wl,-soname,$(@F) \
	    -Wl,--version-script=lib/client/libflowrra.map \
	    -Wl,--whole-archive $(B)/lib/client.a -Wl,--no-whole-archive \
	    $(GROUP) $(filter-out %/client.a %.map,$^) $(ENDGROUP) $(REDIS_LIBS) $(JANSSON_LIBS) \
	    $(call PC,--libs inih)
	@ln -sf $(@F) $(@D)/libflowrra.so

$(B)/libexec/flowrra/database-postgresql.so: DRIVER_LIBS = $(call PC,--libs libpq)
$(B)/libexec/flowrra/database-mysql.so: DRIVER_LIBS = $(call PC,--libs libmariadb)
$(B)/libexec/flowrra/database-%.so: $(B)/lib/schedules/%.o \
    $(B)/lib/schedules/%_conn.o $(call ar,schedules util) lib/schedules/drivers.map
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -shared -o $@ \
	    -Wl,--version-script=lib/schedules/drivers.map $(filter-out %.map,$^) \
	    $(DRIVER_LIBS) $(JANSSON_LIBS)

$(B)/lib/flowrra/%.so: lib/module/shipped/%.c
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -shared -MMD -MP -MF $(@:.so=.d) -o $@ $<

# libevent and jansson are the executor's.
$(B)/lib/flowrra/exec.so: $(call objs,lib/module/shipped/exec) \
    $(call ar,spawn module util) lib/module/shipped/module.map
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -shared -o $@ \
	    -Wl,--version-script=lib/module/shipped/module.map $(filter-out %.map,$^)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define archive
$(B)/lib/$(1).a: $(call objs,lib/$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call quiet,AR)$$(AR) rcs $$@ $$^
endef
$(foreach l,$(LIBS),$(eval $(call archive,$(l))))

# Lua scripts become C strings.
define lua
$(B)/gen/%.lua.inc: lib/$(1)/lua/%.lua
	@mkdir -p $$(@D)
	$$(call quiet,GEN)sed -e 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$$$/\\n"/' $$< > $$@
$(call objs,lib/$(1)): $(patsubst lib/$(1)/lua/%.lua,$(B)/gen/%.lua.inc,\
	$(wildcard lib/$(1)/lua/*.lua))
endef
$(foreach l,store/redis,$(eval $(call lua,$(l))))

# --- tests -------------------------------------------------------------------

CHECK_LIBS := $(call PC,--libs check)
UNIT_SRCS  := $(wildcard tests/*.c $(patsubst lib/%,tests/%/*.c,$(wildcard lib/*)))
UNIT_OBJS  := $(patsubst %.c,$(B)/%.o,$(UNIT_SRCS))
E2E_OBJS   := $(patsubst %.c,$(B)/%.o,$(wildcard tests/*.c tests/e2e/*.c))
TEST_MODULES := $(patsubst tests/modules/%.c,$(B)/tests/modules/%.so,\
	      $(wildcard tests/modules/*.c))
$(UNIT_OBJS) $(E2E_OBJS): CPPFLAGS += -Itests

$(B)/tests/unit: $(UNIT_OBJS) $(call ar,$(LIBS))
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -rdynamic -o $@ $(UNIT_OBJS) \
	    -Wl,--start-group $(call ar,$(LIBS)) -Wl,--end-group $(REDIS_LIBS) \
	    $(SCHEDULES_LIBS) $(call PC,--libs libpq libmariadb) $(JANSSON_LIBS) $(CHECK_LIBS) \
	    $(call PC,--libs libevent_pthreads inih libsystemd smartcols)

$(B)/tests/modules/%.so: tests/modules/%.c
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -shared -MMD -MP -MF $(@:.so=.d) -o $@ $<

# Programs in a folder below tests find the drivers, too.
link_libexec = @ln -sfn ../libexec $(B)/tests/libexec

$(B)/tests/e2e/run: $(E2E_OBJS) $(call ar,$(LIBS))
	@mkdir -p $(@D)
	$(link_libexec)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -rdynamic -o $@ $(E2E_OBJS) \
	    -Wl,--start-group $(call ar,$(LIBS)) -Wl,--end-group $(REDIS_LIBS) \
	    $(SCHEDULES_LIBS) $(call PC,--libs libpq libmariadb) $(JANSSON_LIBS) $(CHECK_LIBS) \
	    $(call PC,--libs libevent_pthreads inih libsystemd smartcols)

# The campaign of faults: a program of its own, which uses the worlds of the
# tests of the whole.
SOAK_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out %/clock_shim.c,\
	      $(wildcard tests/soak/*.c)) tests/redis_server.c tests/server.c \
	      $(addprefix tests/e2e/,world.c run.c worker.c look.c))
$(SOAK_OBJS): CPPFLAGS += -Itests

$(B)/tests/soak/campaign: $(SOAK_OBJS) $(call ar,$(CLIENT_LIBS))
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $(GROUP) $^ $(ENDGROUP) $(REDIS_LIBS) \
	    $(JANSSON_LIBS) $(CHECK_LIBS) $(call PC,--libs inih sqlite3)

# Preloaded into programs: no sanitizer may stand before it.
$(B)/tests/soak/clock_shim.so: tests/soak/clock_shim.c
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(CPPFLAGS) -std=gnu11 -fPIC $(WARNINGS) $(CFLAGS) \
	    -shared -o $@ $<

soak-programs: all $(TEST_MODULES) $(B)/tests/soak/campaign \
    $(B)/tests/soak/clock_shim.so

# Tests run in the top folder and find what was built in $BUILD_DIR; no
# configuration of the user's reaches them.
TEST_ENV  = env $(addprefix -u ,$(filter FLOWRRA_%,$(.VARIABLES))) \
	    -u CREDENTIALS_DIRECTORY BUILD_DIR=$(abspath $(B))
TEST_BINS = $(B)/tests/unit $(if $(wildcard tests/e2e/*.c),$(B)/tests/e2e/run)
JOBS      = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

test-programs: all $(TEST_MODULES) $(TEST_BINS) $(B)/tests/soak/clock_shim.so

#: unit     the unit tests only; SUITES="conf log" runs some of them
unit: $(B)/tests/unit $(PROGRAMS) $(MODULES) $(DRIVERS) $(TEST_MODULES)
	$(TEST_ENV) $(B)/tests/unit $(SUITES)

#: e2e      the tests of the whole, with real programs and servers, only
e2e: test-programs
	$(if $(filter %/e2e/run,$(TEST_BINS)),$(TEST_ENV) $(B)/tests/e2e/run $(SUITES))

#: soak     injects all faults, for hours; SOAK="--short --seed 7 cuts" less
soak: soak-programs
	$(TEST_ENV) $(B)/tests/soak/campaign --long $(SOAK)

#: soak-beat kills schedulers over 10,000 fires, with each database
soak-beat: test-programs
	$(TEST_ENV) BEAT_FIRES=10000 $(B)/tests/e2e/run beat

#: soak-sqlite kills users of the embedded database 1,000 times, at random
soak-sqlite: $(B)/tests/unit
	$(TEST_ENV) FLOWRRA_CRASH_RUNS=1000 CK_TIMEOUT_MULTIPLIER=10 \
	    $(B)/tests/unit sqlite-crash

#: soak-mutants breaks the rules that keep tasks safe: soak must notice
soak-mutants: soak-programs
	tests/soak/mutants/run $(B) $(MUTANTS)

# Sanitizers take memory that the campaign would miss.
soak-short: $(if $(filter release,$(CONFIG)),soak-programs)
	$(if $(filter release,$(CONFIG)),$(TEST_ENV) $(B)/tests/soak/campaign)

# The transcript stays in $(B)/tests/tour.log.
#: tour     follows the tour of README.md, and says so only if it is wrong
tour: all
	@mkdir -p $(B)/tests
	@BUILD_DIR=$(B) tests/tour >$(B)/tests/tour.log || { cat $(B)/tests/tour.log; false; }

# In a container that boots the installed programs; skipped where none can.
#: check-systemd runs the units for real; needs root and systemd-nspawn
check-systemd: test-programs
	@BUILD_DIR=$(B) tests/systemd/check

# Sanitizers want what the units' bounds forbid.
systemd-short: $(if $(filter release,$(CONFIG)),check-systemd)

#: check    installs what is missing, builds everything, runs all tests
check:
	@.ci/deps build test
	@# A make of its own: only now does pkg-config find everything.
	@$(MAKE) --no-print-directory $(JOBS) test-programs
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory e2e
	@$(MAKE) --no-print-directory tour
	@$(MAKE) --no-print-directory soak-short
	@$(MAKE) --no-print-directory systemd-short

#: asan     check, under the address and undefined behaviour sanitizers
#: tsan     check, under the thread sanitizer
asan tsan:
	@$(MAKE) --no-print-directory CONFIG=$@ B=build/$@ check

# --- fuzzing -----------------------------------------------------------------

FUZZ_SECONDS ?= 30
FUZZ_LIBS := $(filter util core codec cron ipc redis,$(LIBS))
FUZZERS   := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))

$(FUZZERS): %: %.o $(call ar,$(FUZZ_LIBS))
	$(call quiet,LD)$(CC) -fsanitize=fuzzer,address,undefined -pthread -o $@ $< \
	    -Wl,--start-group $(call ar,$(FUZZ_LIBS)) -Wl,--end-group \
	    $(REDIS_LIBS) $(JANSSON_LIBS) $(call PC,--libs inih)

fuzzers: $(FUZZERS)

# What a target finds goes to build/fuzz; what is worth keeping is put into
# tests/fuzz/corpus/NAME by hand.
#: fuzz     each fuzz target for FUZZ_SECONDS (30)
fuzz:
	@.ci/deps build fuzz
	@$(MAKE) --no-print-directory $(JOBS) CONFIG=fuzz B=build/fuzz fuzzers
	@set -e; for c in tests/fuzz/*.c; do \
	    n=$$(basename $$c .c); echo "fuzz: $$n"; \
	    mkdir -p build/fuzz/corpus/$$n; \
	    build/fuzz/tests/fuzz/$$n -max_total_time=$(FUZZ_SECONDS) \
		-verbosity=0 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/$$n- build/fuzz/corpus/$$n \
		$$(test ! -d tests/fuzz/corpus/$$n || echo tests/fuzz/corpus/$$n); \
	done

# --- the rest ----------------------------------------------------------------

#: deps     installs what is missing of the Debian packages that are needed
deps:
	@.ci/deps build test

#: lint     checks form, layers, manual pages and scripts, and runs clang-tidy
lint:
	@.ci/deps build lint
	@$(MAKE) --no-print-directory $(JOBS) all
	@.ci/lint $(B)

#: format   puts the C code into the style of .clang-format
format:
	find lib cmd tests -name '*.[ch]' -exec clang-format -i {} +

# For clang-tidy, one a line.
compile-flags:
	@printf '%s\n' $(CPPFLAGS) -std=gnu11

#: demo     follows the tour of README.md, and shows it
demo:
	@.ci/deps build
	@$(MAKE) --no-print-directory $(JOBS) all
	@BUILD_DIR=$(B) tests/tour

BENCH_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/bench/*.c))
BENCH_RUN  := $(filter-out %_bench.o %/module.o %/operate_fill.o,$(BENCH_OBJS)) \
	      $(B)/tests/redis_server.o $(B)/tests/server.o
BENCH_PROGRAMS := $(B)/tests/bench/run $(B)/tests/bench/module.so \
	      $(patsubst %.o,%,$(filter %_bench.o,$(BENCH_OBJS)))
$(BENCH_OBJS): CPPFLAGS += -Itests

$(B)/tests/bench/run: $(BENCH_RUN) $(B)/lib/util.a $(SHARED)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -Wl,-rpath,$(abspath $(B)/lib) \
	    -o $@ $^ $(REDIS_LIBS) $(JANSSON_LIBS) $(SQLITE_LIBS) \
	    $(call PC,--libs inih)

# Of the library as users have it, or of what it does not show them.
BENCH_LIBS := $(call ar,$(filter cron core util,$(LIBS)))
$(B)/tests/bench/%_bench: $(B)/tests/bench/%_bench.o $(SHARED) $(BENCH_LIBS)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -Wl,-rpath,$(abspath $(B)/lib) \
	    -o $@ $< $(SHARED) -Wl,--start-group $(BENCH_LIBS) -Wl,--end-group -lm

# With servers of its own, and a database filled from below.
$(B)/tests/bench/beat_bench: $(B)/tests/bench/beat_bench.o $(B)/tests/sql_server.o \
    $(B)/tests/redis_server.o $(B)/tests/server.o $(call ar,schedules sqlite core util)
	$(link_libexec)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $(GROUP) $^ $(ENDGROUP) $(REDIS_LIBS) \
	    $(SCHEDULES_LIBS) $(call PC,--libs libpq libmariadb) $(JANSSON_LIBS) \
	    $(call PC,--libs inih)

$(B)/tests/bench/operate_bench: $(B)/tests/bench/operate_bench.o \
    $(B)/tests/bench/operate_fill.o $(B)/tests/redis_server.o $(B)/tests/server.o \
    $(call ar,store $(STORES) redis sqlite codec core util)
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $(GROUP) $^ $(ENDGROUP) $(REDIS_LIBS) \
	    $(JANSSON_LIBS) $(call PC,--libs inih) -lm

$(B)/tests/bench/manager_bench: $(B)/tests/bench/manager_bench.o \
    $(B)/tests/bench/operate_fill.o $(B)/tests/redis_server.o $(B)/tests/server.o \
    $(call ar,$(CTL_LIBS))
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $(GROUP) $^ $(ENDGROUP) $(REDIS_LIBS) \
	    $(SCHEDULES_LIBS) $(JANSSON_LIBS) $(call PC,--libs inih) -lm

$(B)/tests/bench/module.so: $(B)/tests/bench/module.o
	$(call quiet,LD)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -shared -o $@ $^

bench-programs: all $(BENCH_PROGRAMS)

#: bench    measures throughput and latency; BENCH=--help lists its options
bench:
	@.ci/deps build test
	@$(MAKE) --no-print-directory $(JOBS) bench-programs
	@$(TEST_ENV) $(B)/tests/bench/run $(BENCH)

#: bench-peers the same beside other task queues; PEERS="rq sidekiq" ROUNDS=3
bench-peers:
	@.ci/deps build test
	@$(MAKE) --no-print-directory $(JOBS) bench-programs
	@$(TEST_ENV) tests/bench/peers/run

#: bench-growth how cost grows; GROWTH="waiting queues", GROWTH_MAX=1000000
bench-growth:
	@.ci/deps build test
	@$(MAKE) --no-print-directory $(JOBS) bench-programs
	@$(TEST_ENV) tests/bench/growth/run

#: bench-beat measures the scheduler: wake-ups, bursts, how late fires are
bench-beat: all $(B)/tests/bench/beat_bench
	@$(TEST_ENV) $(B)/tests/bench/beat_bench $(BENCH)

#: bench-operate measures what operators ask for, with a million tasks
bench-operate: all $(B)/tests/bench/operate_bench $(B)/tests/bench/manager_bench
	@$(TEST_ENV) $(B)/tests/bench/operate_bench $(or $(BENCH),redis)
	@$(TEST_ENV) $(B)/tests/bench/manager_bench $(or $(BENCH),redis)
	$(if $(BENCH),,@$(TEST_ENV) $(B)/tests/bench/operate_bench sqlite)
	$(if $(BENCH),,@$(TEST_ENV) $(B)/tests/bench/manager_bench sqlite)

# The programs find the rest by /proc/self/exe, ../libexec and ../lib: so the
# folders below prefix have the shape of those below build/release.
man = $(wildcard cmd/*/*.$(1) lib/*/*.$(1) lib/*/*/*/*.$(1) conf/*.$(1))
put = $(if $(2),install -d $(DESTDIR)$(3) && install -m $(1) $(2) $(DESTDIR)$(3)/)
# $(1).in with its places filled in, to the folder $(2).
fill = install -d $(DESTDIR)$(2) && \
    sed -e '/^@common@$$/{' -e 'r systemd/common.conf' -e 'd' -e '}' \
    -e 's|@VERSION@|$(VERSION)|; s|@prefix@|$(prefix)|; s|@bindir@|$(bindir)|' \
    -e 's|@libdir@|$(libdir)|; s|@includedir@|$(includedir)|' \
    -e 's|@docdir@|$(docdir)|' $(1).in | \
    install -m 644 /dev/stdin $(DESTDIR)$(2)/$(notdir $(1))
# The script of a shell, to a file in share.
completion = install -d $(DESTDIR)$(prefix)/share/$(dir $(2)) && \
    $(B)/bin/flowrractl completion $(1) | \
    install -m 644 /dev/stdin $(DESTDIR)$(prefix)/share/$(2)
UNITS := $(patsubst %.in,%,$(wildcard systemd/*.service.in))

#: install  into $(DESTDIR)$(prefix); prefix is /usr/local by default
install: all
	$(call put,755,$(filter $(B)/bin/%,$(PROGRAMS)),$(bindir))
	$(call put,755,$(filter $(B)/libexec/%,$(PROGRAMS)),$(libexecdir))
	$(call put,644,$(DRIVERS),$(libexecdir))
	$(call put,644,$(MODULES),$(moduledir))
	$(call put,644,$(SHARED),$(libdir))
	ln -sf $(notdir $(SHARED)) $(DESTDIR)$(libdir)/libflowrra.so
	$(call put,644,$(wildcard lib/*/flowrra/*.h),$(includedir)/flowrra)
	$(call fill,lib/client/flowrra.pc,$(libdir)/pkgconfig)
	$(foreach n,1 3 5 7 8,$(call put,644,$(call man,$n),$(mandir)/man$n)$(\n))
	$(call completion,bash,bash-completion/completions/flowrractl)
	$(call completion,zsh,zsh/$(if $(filter /usr,$(prefix)),vendor-completions,site-functions)/_flowrractl)
	$(call completion,fish,fish/vendor_completions.d/flowrractl.fish)
	$(foreach u,$(UNITS),$(call fill,$u,$(unitdir))$(\n))
	$(call put,644,systemd/sysusers.d/flowrra.conf,$(sysusersdir))
	$(call put,644,systemd/tmpfiles.d/flowrra.conf,$(tmpfilesdir))
	$(call put,644,README.md LICENSE lib/module/shipped/demo.c \
	    systemd/handlers.conf,$(docdir))
	install -d $(DESTDIR)$(sysconfdir)/flowrra
	install -m 644 conf/flowrra.conf \
	    $(DESTDIR)$(sysconfdir)/flowrra/flowrra.conf.example

# What `install` with the same variables would put there, and the folders of
# Flowrra's own if they are empty then.
#: uninstall removes what install has put there
uninstall: all
	@rm -rf $(B)/uninstall
	@$(MAKE) --no-print-directory install DESTDIR=$(abspath $(B))/uninstall >/dev/null
	cd $(B)/uninstall && find . ! -type d | sed 's|^\.|$(DESTDIR)|' | xargs -d '\n' rm -f
	@cd $(B)/uninstall && find . -depth -type d -name flowrra | \
	    sed 's|^\.|$(DESTDIR)|' | xargs -d '\n' -r rmdir --ignore-fail-on-non-empty
	@rm -rf $(B)/uninstall

DIST := flowrra-$(VERSION)
#: dist     build/flowrra-VERSION.tar.gz: the sources, always the same bytes
dist:
	@mkdir -p build
	tar --create --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw,a-s \
	    --mtime=@$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),0) \
	    --transform='s|^|$(DIST)/|' --exclude='*.o' \
	    .ci .clang-format .clang-tidy .debian .gitignore LICENSE Makefile README.md \
	    cmd conf lib systemd tests | gzip -9n > build/$(DIST).tar.gz

#: deb      Debian packages in build/deb, which lintian has looked at
deb: dist
	@.ci/deps build deb
	rm -rf build/deb
	mkdir -p build/deb
	ln build/$(DIST).tar.gz build/deb/flowrra_$(VERSION).orig.tar.gz
	tar -C build/deb -xf build/$(DIST).tar.gz
	cp -r .debian build/deb/$(DIST)/debian
	cd build/deb/$(DIST) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
	    dpkg-buildpackage -us -uc
	lintian --fail-on error build/deb/*.changes

#: check-deb installs, uses and purges the packages in a Debian of its own
check-deb: deb
	@tests/package/check

#: clean    removes what was built
clean:
	rm -rf build

#: help     this list
help:
	@sed -n 's/^#: /make /p' Makefile

.PHONY: all test-programs bench-programs soak-programs soak soak-short soak-mutants \
	soak-beat soak-sqlite bench-beat bench-operate bench-peers bench-growth \
	unit e2e check tour check-systemd systemd-short asan tsan fuzzers fuzz deps lint \
	format compile-flags demo bench install uninstall dist deb check-deb clean help
.DELETE_ON_ERROR:
.SECONDARY:

-include $(shell find $(B) -name '*.d' 2>/dev/null)
