# SPDX-License-Identifier: MIT
# Flowrra: `make help` lists the targets. Tests and checks are in tests/rules.mk.

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
userunitdir ?= $(prefix)/lib/systemd/user
sysusersdir ?= $(prefix)/lib/sysusers.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d
# Where the programs look, whatever the prefix of a system's own place.
sysconfdir  ?= $(if $(filter /usr /usr/local,$(prefix)),/etc,$(prefix)/etc)

CC       ?= gcc
CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	    -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 \
	    -Wno-unused-parameter -Werror

# The other CONFIGs; `make asan` and the like build them into folders of their own.
SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
SANITIZE_tsan := -fsanitize=thread
SANITIZE_fuzz := -fsanitize=fuzzer-no-link,address,undefined \
		 -fno-sanitize-recover=undefined
ifdef SANITIZE_$(CONFIG)
HARDEN   := $(SANITIZE_$(CONFIG)) -fno-omit-frame-pointer
LDHARDEN := $(HARDEN)
else
HARDEN   := -fstack-protector-strong -fstack-clash-protection \
	    -fcf-protection -D_FORTIFY_SOURCE=2
LDHARDEN := -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed $(LDFLAGS)
endif
ifeq ($(CONFIG),fuzz)
CC       := clang
# To clang a volatile variable that is only written is an oversight, and so is an
# initializer that names some members and leaves the others 0.
WARNINGS += -Wno-unused-but-set-variable -Wno-missing-field-initializers
endif

PKGS := libevent_core libevent_extra libevent_pthreads libevent_openssl openssl \
	hiredis jansson inih libsystemd smartcols sqlite3 libpq libmariadb \
	libmicrohttpd gnutls libmd libcurl
# Without this, a missing package would show as a missing header somewhere.
NO_PKGS := deps check coverage asan tsan lint fuzz demo bench bench-peers bench-growth bench-lives \
	   dist deb check-deb check-debian browser format clean help
ifneq ($(filter-out $(NO_PKGS),$(or $(MAKECMDGOALS),all)),)
MISSING := $(shell for p in $(PKGS); do pkg-config --exists $$p || echo $$p; \
	     done 2>/dev/null)
ifneq ($(MISSING),)
$(error pkg-config does not find $(MISSING); `make deps` installs it)
endif
endif

pc         = $(shell pkg-config --libs $(1) 2>/dev/null)
# What is linked, each program that starts has to load: the rest is loaded when it is
# used (LOADED below).
STORE_LIBS := $(call pc,libevent_core jansson inih libmd) -lm -ldl
# The same for flowrractl, which starts for each command: of a small library the
# archive, where there is one, since to load it takes longer than all that it does.
lean       = $(if $(findstring /,$(shell $(CC) -print-file-name=lib$(1).a)),-l:lib$(1).a,-l$(1))
SHORT_LIBS := $(call pc,libevent_core jansson) $(call lean,inih) $(call lean,md) -lm -ldl
# libwslay has no file for pkg-config.
HTTP_LIBS  := $(call pc,libmicrohttpd gnutls openssl) -lwslay
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
CPPFLAGS  += -D_GNU_SOURCE -DINI_HANDLER_LINENO=1 -DFLOWRRA_VERSION='"$(VERSION)"' \
	     -Ilib -Ilib/module -Ilib/client -Ilib/testing -I$(B)/gen $(PKG_CFLAGS)
ALL_CFLAGS = -std=gnu11 -fPIC -pthread $(WARNINGS) $(HARDEN) $(CFLAGS)

# Of each FILE.functions, the package that pkg-config knows.
LOADED_sqlite3   := sqlite3
LOADED_hiredis   := hiredis
LOADED_evdns     := libevent_extra
LOADED_evhttp    := libevent_extra
LOADED_openssl   := libevent_openssl
LOADED_smartcols := smartcols
LOADED_curl     := libcurl
FUNCTIONS := $(wildcard lib/*/*.functions cmd/*/*.functions)
LOADED_H  := $(patsubst %.functions,$(B)/gen/loaded/%.h,$(notdir $(FUNCTIONS)))

# --- what is built of what ---------------------------------------------------

# The link lines show what each program can reach. A folder is an archive.
STORES := $(patsubst lib/%/,%,$(wildcard lib/store/*/))
LIBS   := $(notdir $(patsubst %/,%,$(wildcard lib/*/))) $(STORES)

STORE         := store $(STORES) redis sqlite codec core util
# Of lib/http the daemons have the addresses; the server is an object of its own.
METRICS       := metrics http
DAEMON_LIBS   := dispatch pool trace ipc $(METRICS) $(STORE)
EXECUTOR_LIBS := executor module codec ipc core util
TESTING_LIBS  := testing $(EXECUTOR_LIBS)
CLIENT_LIBS   := client $(STORE)
BEAT_LIBS     := beat schedules cron $(METRICS) $(STORE)
CTL_LIBS      := manager client module $(BEAT_LIBS)
WEB_LIBS      := web $(CTL_LIBS)

PROGRAMS := $(B)/bin/flowrrad $(B)/bin/flowrra-beat $(B)/bin/flowrractl \
	    $(B)/bin/flowrra-web \
	    $(B)/libexec/flowrra/flowrra-executor \
	    $(B)/libexec/flowrra/flowrra-spawner
CLIENT   := $(B)/lib/libflowrra.so.0
TESTING  := $(B)/lib/libflowrra_testing.so.0
SHARED   := $(CLIENT) $(TESTING)
# A file, or a folder, is a module.
MODULES  := $(patsubst lib/module/shipped/%.c,$(B)/lib/flowrra/%.so,\
	      $(wildcard lib/module/shipped/*.c)) $(B)/lib/flowrra/exec.so
# Databases for schedules, loaded by those who use them.
DRIVERS  := $(patsubst %,$(B)/libexec/flowrra/database-%.so,postgresql mysql)
DRIVER_SRC := $(addprefix lib/schedules/,postgresql.c postgresql_conn.c \
	      postgresql_fault.c mysql.c mysql_conn.c mysql_tls.c)
# The HTTP server of workers and schedulers, loaded if they serve their metrics.
SERVE    := $(B)/libexec/flowrra/metrics.so
SERVE_SRC := lib/metrics/serve.c

#: all      programs, library and modules, in build/release (the default)
all: $(PROGRAMS) $(SHARED) $(MODULES) $(DRIVERS) $(SERVE)

# `make V=1` shows the commands whole.
say  = $(if $(V),,@printf '  %-5s %s\n' $(1) '$@';) mkdir -p $(@D) &&
objs = $(patsubst %.c,$(B)/%.o,$(filter-out $(DRIVER_SRC) $(SERVE_SRC),$(wildcard $(1)/*.c)))
ar   = $(patsubst %,$(B)/lib/%.a,$(1))
link = $(call say,LD) $(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@
# Archives may need each other, in any order.
inputs = -Wl,--start-group $(filter %.o %.a %.so.0,$^) -Wl,--end-group

$(B)/bin/flowrrad: $(call objs,cmd/flowrrad) $(call ar,$(DAEMON_LIBS))
	$(link) -pie $(inputs) $(STORE_LIBS) $(call pc,libsystemd)

$(B)/bin/flowrra-beat: $(call objs,cmd/flowrra-beat) $(call ar,$(BEAT_LIBS))
	$(link) -pie $(inputs) $(STORE_LIBS) $(call pc,libsystemd)

$(B)/bin/flowrra-web: $(call objs,cmd/flowrra-web) $(call ar,$(WEB_LIBS))
	$(link) -pie $(inputs) $(STORE_LIBS) $(HTTP_LIBS) -lcrypt \
	    $(call pc,libsystemd)

# Of lib/web it has the codes to log in with.
$(B)/bin/flowrractl: $(call objs,cmd/flowrractl) $(call ar,web $(CTL_LIBS))
	$(link) -pie $(inputs) $(SHORT_LIBS)

# Modules find the functions of flowrra/module.h in the executor itself.
$(B)/libexec/flowrra/flowrra-executor: $(call objs,cmd/flowrra-executor) \
    $(call ar,$(EXECUTOR_LIBS)) cmd/flowrra-executor/exports
	$(link) -pie -Wl,--dynamic-list=cmd/flowrra-executor/exports $(inputs) \
	    $(call pc,libevent_core libevent_pthreads jansson) -ldl

$(B)/libexec/flowrra/flowrra-spawner: $(call objs,cmd/flowrra-spawner) \
    $(call ar,spawn util)
	$(link) -pie $(inputs)

# Of lib/manager it has what public.c needs. It stays where it was loaded: SQLite, which
# its program may use, too, is told of a VFS of ours.
$(CLIENT): $(call ar,$(CTL_LIBS)) lib/client/libflowrra.map
	$(link) -shared -Wl,-soname,$(@F) -Wl,-z,nodelete \
	    -Wl,--version-script=lib/client/libflowrra.map \
	    -Wl,--whole-archive $(B)/lib/client.a -Wl,--no-whole-archive \
	    $(B)/lib/manager/public.o \
	    $(inputs) $(STORE_LIBS)
	@ln -sf $(@F) $(@D)/libflowrra.so

# It has all that modules call, as the executor has.
$(TESTING): $(call ar,$(TESTING_LIBS)) \
    lib/testing/libflowrra_testing.map
	$(link) -shared -Wl,-soname,$(@F) \
	    -Wl,--version-script=lib/testing/libflowrra_testing.map \
	    -Wl,--whole-archive $(B)/lib/testing.a -Wl,--no-whole-archive \
	    $(inputs) $(call pc,libevent_core libevent_pthreads jansson) -ldl
	@ln -sf $(@F) $(@D)/libflowrra_testing.so

$(B)/libexec/flowrra/database-postgresql.so: DRIVER_LIBS = $(call pc,libpq)
$(B)/libexec/flowrra/database-postgresql.so: $(B)/lib/schedules/postgresql_fault.o
$(B)/libexec/flowrra/database-mysql.so: DRIVER_LIBS = $(call pc,libmariadb)
$(B)/libexec/flowrra/database-mysql.so: $(B)/lib/schedules/mysql_tls.o
$(B)/libexec/flowrra/database-%.so: $(B)/lib/schedules/%.o \
    $(B)/lib/schedules/%_conn.o $(call ar,schedules util) lib/schedules/drivers.map
	$(link) -shared -Wl,--version-script=lib/schedules/drivers.map \
	    $(inputs) $(DRIVER_LIBS) $(call pc,jansson)

$(SERVE): $(patsubst %.c,$(B)/%.o,$(SERVE_SRC)) $(call ar,http util) lib/metrics/serve.map
	$(link) -shared -Wl,--version-script=lib/metrics/serve.map $(inputs) \
	    $(call pc,libevent_core jansson) $(HTTP_LIBS)

$(B)/lib/flowrra/%.so: lib/module/shipped/%.c
	$(call say,LD) $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -shared -MMD -MP \
	    -MF $(@:.so=.d) -o $@ $<

# libevent and jansson are the executor's.
$(B)/lib/flowrra/exec.so: $(call objs,lib/module/shipped/exec) \
    $(call ar,spawn module codec core util) lib/module/shipped/module.map
	$(link) -shared -Wl,--version-script=lib/module/shipped/module.map $(inputs)

$(B)/%.o: %.c | $(B)/gen/redis_scripts.def $(B)/gen/web_ui.def $(LOADED_H)
	$(call say,CC) $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define archive
$(B)/lib/$(1).a: $(call objs,lib/$(1))
	$$(call say,AR) rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach l,$(LIBS),$(eval $(call archive,$(l))))

# Libraries that are loaded by those who use them (lib/util/library.h). An object
# that nobody loads links each, so that its name is the linker's choice; packages
# take what they depend on from it, too, by the functions that it mentions.
$(B)/gen/loaded/%.so:
	$(call say,GEN) awk 'NF == 1 && !/^#/ { \
	    printf "extern char %s[]; void *of_%s = %s;\n", $$1, $$1, $$1 }' \
	    $(filter %/$*.functions,$^) | \
	    $(CC) -shared -fPIC -x c - -o $@ -Wl,--no-as-needed $(call pc,$(LOADED_$*))

LIBRARY_AWK := lib/util/library.awk
$(B)/gen/loaded/%.h: $(LIBRARY_AWK) $(B)/gen/loaded/%.so
	$(call say,GEN) awk -v name=$* -v file=$$(readelf -d $(@:.h=.so) | \
	    sed -n '/(NEEDED)/{s/.*\[\(.*\)\]/\1/p;q}') -f $< \
	    $(filter %/$*.functions,$(FUNCTIONS)) > $@

# Lua scripts become C. A change of the folder is a script that came or went.
LUA     := lib/store/redis/lua
SCRIPTS := $(wildcard $(LUA)/*.lua)
PARTS   := $(wildcard $(LUA)/parts/*.lua)
$(B)/gen/redis_scripts.def: $(LUA)/embed.awk $(SCRIPTS) $(PARTS) $(LUA)
	$(call say,GEN) awk -v scratch=$@.sum -f $< $(SCRIPTS) > $@

# So do the pages of flowrra-web, by the assembler. Their charts are drawn by
# Chart.js, which Debian has in libjs-chart.js.
CHART_JS ?= /usr/share/javascript/chart.js/chart.min.js
$(CHART_JS):
	$(error $@ is missing; `make deps` installs it, or set CHART_JS)
UI_FOLDERS := $(shell find lib/web/ui -type d)
$(B)/gen/web_ui.def: lib/web/embed $(CHART_JS) $(wildcard $(addsuffix /*,$(UI_FOLDERS))) $(UI_FOLDERS)
	$(call say,GEN) lib/web/embed lib/web/ui $@ $(CHART_JS)

# A list that changes makes its header again.
define functions
$(addprefix $(B)/gen/loaded/$(basename $(notdir $(1))),.so .h): $(1)
endef
$(foreach f,$(FUNCTIONS),$(eval $(call functions,$(f))))

include tests/rules.mk

# --- installation ------------------------------------------------------------

# The programs find the rest by /proc/self/exe, ../libexec and ../lib: so the
# folders below prefix have the shape of those below build/release.
man = $(wildcard cmd/*/*.$(1) lib/*/*.$(1) lib/*/*/*/*.$(1) conf/*.$(1))
put = $(if $(2),install -D -m $(1) -t $(DESTDIR)$(3) $(2),:)
# $(1).in with its places filled in, to the folder $(2).
fill = sed -e '/^@common@$$/{' -e 'r systemd/common.conf' -e 'd' -e '}' \
    -e 's|@VERSION@|$(VERSION)|; s|@prefix@|$(prefix)|; s|@bindir@|$(bindir)|' \
    -e 's|@libdir@|$(libdir)|; s|@includedir@|$(includedir)|' \
    -e 's|@docdir@|$(docdir)|; s|@moduledir@|$(moduledir)|' $(1).in | \
    install -D -m 644 /dev/stdin $(DESTDIR)$(2)/$(notdir $(1))
# The script of a shell, to a file in share.
completion = $(B)/bin/flowrractl completion $(1) | \
    install -D -m 644 /dev/stdin $(DESTDIR)$(prefix)/share/$(2)
UNITS := $(patsubst %.in,%,$(wildcard systemd/*.service.in))

#: install  into $(DESTDIR)$(prefix); prefix is /usr/local by default
install: all
	$(call put,755,$(filter $(B)/bin/%,$(PROGRAMS)),$(bindir))
	$(call put,755,$(filter $(B)/libexec/%,$(PROGRAMS)),$(libexecdir))
	$(call put,644,$(DRIVERS) $(SERVE),$(libexecdir))
	$(call put,644,$(MODULES),$(moduledir))
	$(call put,644,$(SHARED),$(libdir))
	set -e; $(foreach s,$(notdir $(SHARED)),ln -sf $s $(DESTDIR)$(libdir)/$(s:.0=);)
	$(call put,644,$(wildcard lib/*/flowrra/*.h),$(includedir)/flowrra)
	$(call fill,lib/client/flowrra.pc,$(libdir)/pkgconfig)
	$(call fill,lib/testing/flowrra-testing.pc,$(libdir)/pkgconfig)
	set -e; $(foreach n,1 3 5 7 8,$(call put,644,$(call man,$n),$(mandir)/man$n);)
	$(call completion,bash,bash-completion/completions/flowrractl)
	$(call completion,zsh,zsh/$(if $(filter /usr,$(prefix)),vendor-completions,site-functions)/_flowrractl)
	$(call completion,fish,fish/vendor_completions.d/flowrractl.fish)
	set -e; $(foreach u,$(UNITS),$(call fill,$u,$(unitdir));)
	$(call fill,systemd/user/flowrrad.service,$(userunitdir))
	$(call put,644,$(wildcard systemd/*.socket systemd/*.timer),$(unitdir))
	$(call put,644,systemd/sysusers.d/flowrra.conf,$(sysusersdir))
	$(call put,644,systemd/tmpfiles.d/flowrra.conf,$(tmpfilesdir))
	$(call put,644,README.md LICENSE lib/module/shipped/demo.c \
	    systemd/handlers.conf systemd/commands.conf,$(docdir))
	$(call put,644,$(wildcard conf/web/*),$(docdir)/web)
	$(call put,644,$(wildcard conf/metrics/*),$(docdir)/metrics)
	install -D -m 644 conf/flowrra.conf \
	    $(DESTDIR)$(sysconfdir)/flowrra/flowrra.conf.example

# What `install` with the same variables would put there, and the folders of
# Flowrra's own if they are empty then.
#: uninstall removes what install has put there
uninstall: all
	@rm -rf $(B)/uninstall
	@$(MAKE) --no-print-directory install DESTDIR=$(abspath $(B))/uninstall >/dev/null
	cd $(B)/uninstall && find . ! -type d | sed 's|^\.|$(DESTDIR)|' | xargs -d '\n' rm -f
	@cd $(B)/uninstall && find . -depth -type d -path "*/flowrra*" | \
	    sed 's|^\.|$(DESTDIR)|' | xargs -d '\n' -r rmdir --ignore-fail-on-non-empty
	@rm -rf $(B)/uninstall

DIST := flowrra-$(VERSION)
#: dist     build/flowrra-VERSION.tar.gz: the sources, always the same bytes
dist:
	@mkdir -p build
	tar --create --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw,a-s \
	    --mtime=@$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y Makefile)) \
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

#: clean    removes what was built
clean:
	rm -rf build

#: help     this list
help:
	@awk '/^#: / { name = $$2; sub(/^#: [^ ]+ +/, ""); \
	    printf "make %-13s %s\n", name, $$0 }' Makefile tests/rules.mk

.PHONY: all install uninstall dist deb clean help
.DELETE_ON_ERROR:
.SECONDARY:

-include $(shell find $(B) -type f -name '*.d' 2>/dev/null)
