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
sysconfdir  ?= $(if $(filter /usr,$(prefix)),/etc,$(prefix)/etc)

CC       ?= gcc
CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	    -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Werror
HARDEN   := -fstack-protector-strong -fstack-clash-protection -fcf-protection
LDHARDEN := -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed

ifeq ($(CONFIG),asan)
HARDEN   := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	    -fno-omit-frame-pointer
LDHARDEN := $(HARDEN)
else ifeq ($(CONFIG),tsan)
HARDEN   := -fsanitize=thread -fno-omit-frame-pointer
LDHARDEN := $(HARDEN)
else
HARDEN   += -D_FORTIFY_SOURCE=2
endif

PC        = $(shell pkg-config $(1) 2>/dev/null)
PKGS     := libevent_core libevent_extra libevent_pthreads libevent_openssl openssl hiredis \
	    jansson inih libsystemd smartcols
CPPFLAGS += -D_GNU_SOURCE -DINI_HANDLER_LINENO=1 -DFLOWRRA_VERSION='"$(VERSION)"' \
	    -Ilib -Ilib/module -Ilib/client -I$(B)/gen $(call PC,--cflags $(PKGS))
ALL_CFLAGS = -std=gnu11 -fPIC -pthread $(WARNINGS) $(HARDEN) $(CFLAGS)

EVENT_LIBS   := $(call PC,--libs libevent_core)
JANSSON_LIBS := $(call PC,--libs jansson)
REDIS_LIBS   := $(EVENT_LIBS) \
		$(call PC,--libs libevent_extra libevent_openssl openssl hiredis)

# --- what is built of what ---------------------------------------------------

LIBS := $(notdir $(wildcard lib/*))
objs  = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)/*.c))
ar    = $(patsubst %,$(B)/lib/%.a,$(1))

# The link lines show what each program can reach.
DAEMON_LIBS   := dispatch results broker redis ipc codec core util
EXECUTOR_LIBS := executor module ipc util
CLIENT_LIBS   := client results broker redis codec core util
CTL_LIBS      := manager $(CLIENT_LIBS)

PROGRAMS := $(B)/bin/flowrrad $(B)/bin/flowrractl \
	    $(B)/libexec/flowrra/flowrra-executor
SHARED   := $(B)/lib/libflowrra.so.0
MODULES  := $(patsubst lib/module/shipped/%.c,$(B)/lib/flowrra/%.so,\
	      $(wildcard lib/module/shipped/*.c))

all: $(PROGRAMS) $(SHARED) $(MODULES)

$(B)/bin/flowrrad: $(call objs,cmd/flowrrad) $(call ar,$(DAEMON_LIBS))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDHARDEN) -pie -o $@ $^ $(REDIS_LIBS) \
	    $(JANSSON_LIBS) $(call PC,--libs inih libsystemd)

$(B)/bin/flowrractl: $(call objs,cmd/flowrractl) $(call ar,$(CTL_LIBS))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDHARDEN) -pie -o $@ $^ $(REDIS_LIBS) \
	    $(JANSSON_LIBS) $(call PC,--libs inih smartcols)

# Modules find the functions of flowrra/module.h in the executor itself.
$(B)/libexec/flowrra/flowrra-executor: $(call objs,cmd/flowrra-executor) \
    $(call ar,$(EXECUTOR_LIBS)) cmd/flowrra-executor/exports
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDHARDEN) -pie -o $@ $(filter-out %/exports,$^) \
	    -Wl,--dynamic-list=cmd/flowrra-executor/exports \
	    $(EVENT_LIBS) $(call PC,--libs libevent_pthreads) $(JANSSON_LIBS) -ldl

$(SHARED): $(call ar,$(CLIENT_LIBS)) lib/client/libflowrra.map
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDHARDEN) -shared -o $@ -Wl,-soname,$(@F) \
	    -Wl,--version-script=lib/client/libflowrra.map \
	    -Wl,--whole-archive $(B)/lib/client.a -Wl,--no-whole-archive \
	    $(filter-out %/client.a %.map,$^) $(REDIS_LIBS) $(JANSSON_LIBS) \
	    $(call PC,--libs inih)

$(B)/lib/flowrra/%.so: lib/module/shipped/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -shared -MMD -MP -MF $(@:.so=.d) -o $@ $<

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define archive
$(B)/lib/$(1).a: $(call objs,lib/$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(foreach l,$(LIBS),$(eval $(call archive,$(l))))

# Lua scripts become C strings.
LUA := $(wildcard lib/broker/lua/*.lua)
$(B)/gen/%.lua.inc: lib/broker/lua/%.lua
	@mkdir -p $(@D)
	sed -e 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $< > $@
$(call objs,lib/broker): $(patsubst lib/broker/lua/%.lua,$(B)/gen/%.lua.inc,$(LUA))

# --- tests -------------------------------------------------------------------

CHECK_LIBS := $(call PC,--libs check)
UNIT_SRCS  := $(wildcard tests/*.c $(patsubst lib/%,tests/%/*.c,$(wildcard lib/*)))
UNIT_OBJS  := $(patsubst %.c,$(B)/%.o,$(UNIT_SRCS))
E2E_OBJS   := $(patsubst %.c,$(B)/%.o,$(wildcard tests/e2e/*.c)) $(B)/tests/suite.o
TEST_MODULES := $(patsubst tests/modules/%.c,$(B)/tests/modules/%.so,\
	      $(wildcard tests/modules/*.c))
$(UNIT_OBJS) $(E2E_OBJS): CPPFLAGS += -Itests

$(B)/tests/unit: $(UNIT_OBJS) $(call ar,$(LIBS))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDHARDEN) -rdynamic -o $@ $(UNIT_OBJS) \
	    -Wl,--start-group $(call ar,$(LIBS)) -Wl,--end-group $(REDIS_LIBS) \
	    $(JANSSON_LIBS) $(CHECK_LIBS) -ldl \
	    $(call PC,--libs libevent_pthreads inih libsystemd smartcols)

$(B)/tests/modules/%.so: tests/modules/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -shared -MMD -MP -MF $(@:.so=.d) -o $@ $<

unit: $(B)/tests/unit $(B)/libexec/flowrra/flowrra-executor $(MODULES) $(TEST_MODULES)
	BUILD_DIR=$(abspath $(B)) $(B)/tests/unit

clean:
	rm -rf build

help:
	@sed -n 's/^#: //p' Makefile

.PHONY: all unit clean help
.DELETE_ON_ERROR:
.SECONDARY:

-include $(shell find $(B) -name '*.d' 2>/dev/null)
