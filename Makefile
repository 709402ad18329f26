# SPDX-License-Identifier: MIT
#
# The lines with ## are what `make help` prints.
#
## ouro - an io_uring async I/O engine
##
##   make run             build, run the examples, then serve HTTP on LISTEN
##   make test            build all of it and run every test, those of aarch64 too
##   (On Debian 12 and 13 these two first install what is missing; as root or by sudo.)
##
##   make [all]           libraries and examples
##   make check           the tests for this machine only; ONLY=name for one suite or test
##   make check-threads   those of what crosses threads, for SAN=thread
##   make check-valgrind  those on the simulated ring, under Valgrind
##   make check-fuzz      fuzzers, with clang, FUZZ_SECONDS=10 each, from tests/corpus
##   make bench           the benchmarks; they are programs in $(BUILD)/bench, run them one by one
##   make bench-compare   HTTP servers side by side: a report in $(BUILD)/compare, in 20 minutes;
##                        FULL=1: in 90; installs what is missing
##   make examples        the examples, in $(BUILD)/examples
##   make install         libraries, headers, pkg-config files, ouro-doctor and the gdb script to
##                        PREFIX (uninstall undoes it)
##   make format          lay out the sources (format-check only looks)
##   make deps            install what `run` needs; deps-test and deps-bench: what these need;
##                        deps-compare: the servers and generators of bench-compare;
##                        bench-deps: both of the latter
##   make clean           remove $(BUILD)
##   make help            this
##
## Variables, with their defaults:
##
##   CC=gcc CXX=g++ AR=ar CFLAGS="-O2 -g" CXXFLAGS="-O2 -g" CPPFLAGS= LDFLAGS=
##   PREFIX=/usr/local LIBDIR=$(PREFIX)/lib DESTDIR=
##   BUILD=build          where everything that is built goes
##   SAN=                 address,undefined or thread (that one with CC=clang): sanitizers
##   WERROR=              1: warnings are errors
##   V=                   1: show whole command lines
##   LISTEN=127.0.0.1:8000    the address of `make run`

VERSION := $(shell sed -n 's/^\#define OURO_VERSION "\(.*\)"/\1/p' engine/ouro_base.h)
SOVERSION = 0

# --- What there is. Sorted; one line per file. ---------------------------------------------------

ENGINE_HEADERS = \
	engine/ouro.h \
	engine/ouro_address.h \
	engine/ouro_base.h \
	engine/ouro_channel.h \
	engine/ouro_coro.h \
	engine/ouro_coro_switch.h \
	engine/ouro_debug.h \
	engine/ouro_file.h \
	engine/ouro_future.h \
	engine/ouro_lease.h \
	engine/ouro_local.h \
	engine/ouro_loop.h \
	engine/ouro_message.h \
	engine/ouro_offload.h \
	engine/ouro_process.h \
	engine/ouro_sender.h \
	engine/ouro_shard.h \
	engine/ouro_signal.h \
	engine/ouro_socket.h \
	engine/ouro_sync.h \
	engine/ouro_task.h \
	engine/ouro_timer.h \
	engine/ouro_uring.h

ENGINE_SOURCES = \
	engine/acceptor.c \
	engine/address.c \
	engine/buffer_pool.c \
	engine/channel.c \
	engine/check.c \
	engine/coro.c \
	engine/cpus.c \
	engine/directory.c \
	engine/dispatcher.c \
	engine/dump.c \
	engine/error.c \
	engine/file.c \
	engine/future.c \
	engine/group.c \
	engine/hook.c \
	engine/inbox.c \
	engine/loop.c \
	engine/mailbox.c \
	engine/offload.c \
	engine/op.c \
	engine/overflow.c \
	engine/park.c \
	engine/pipe.c \
	engine/process.c \
	engine/receiver.c \
	engine/ring.c \
	engine/ring_mode.c \
	engine/ring_sim.c \
	engine/ring_uring.c \
	engine/run.c \
	engine/sender.c \
	engine/shard.c \
	engine/signal_wait.c \
	engine/signals.c \
	engine/sim_disk.c \
	engine/sim_file.c \
	engine/sim_file_op.c \
	engine/sim_inet.c \
	engine/sim_message.c \
	engine/sim_net.c \
	engine/sim_op.c \
	engine/sim_option.c \
	engine/sim_pipe.c \
	engine/sim_tcp.c \
	engine/sim_trace.c \
	engine/sim_udp.c \
	engine/sim_unix.c \
	engine/sim_unix_datagram.c \
	engine/socket.c \
	engine/socket_message.c \
	engine/spin.c \
	engine/stack.c \
	engine/sync.c \
	engine/task.c \
	engine/task_table.c \
	engine/timer.c \
	engine/timer_heap.c \
	engine/wait_tasks.c \
	engine/watchdog.c

PROTO_HEADERS = \
	proto/ouro_dns.h \
	proto/ouro_http_client.h \
	proto/ouro_http_cookie.h \
	proto/ouro_http_server.h \
	proto/ouro_http_test.h \
	proto/ouro_proto.h \
	proto/ouro_stream.h \
	proto/ouro_tls.h

PROTO_SOURCES = \
	proto/accept.c \
	proto/char_class.c \
	proto/condition.c \
	proto/cookie.c \
	proto/dial.c \
	proto/dns.c \
	proto/form.c \
	proto/format.c \
	proto/http1_head.c \
	proto/http1_parse.c \
	proto/http1_reader.c \
	proto/http1_scan.c \
	proto/http1_write.c \
	proto/http_answer.c \
	proto/http_app.c \
	proto/http_ask.c \
	proto/http_body.c \
	proto/http_client.c \
	proto/http_connection.c \
	proto/http_content.c \
	proto/http_date.c \
	proto/http_dispatch.c \
	proto/http_events.c \
	proto/http_exchange.c \
	proto/http_form.c \
	proto/http_gzip.c \
	proto/http_lobby.c \
	proto/http_multipart.c \
	proto/http_output.c \
	proto/http_reply.c \
	proto/http_request.c \
	proto/http_router.c \
	proto/http_server.c \
	proto/multipart.c \
	proto/parameter.c \
	proto/range.c \
	proto/stream.c \
	proto/stream_pair.c \
	proto/stream_socket.c \
	proto/tls.c \
	proto/tls_context.c \
	proto/url.c \
	proto/utf8.c

EXAMPLES = \
	examples/async_generator \
	examples/copy_file \
	examples/embed_poll \
	examples/guestbook \
	examples/hello \
	examples/hello_server \
	examples/hello_twice \
	examples/http_server \
	examples/interleave \
	examples/locks \
	examples/multi_process \
	examples/offload \
	examples/ouro_doctor \
	examples/pipeline \
	examples/producer_consumer \
	examples/race \
	examples/results \
	examples/shard_queue \
	examples/sharded_echo \
	examples/signals \
	examples/subprocess \
	examples/tcp_echo \
	examples/timeouts \
	examples/tls_echo \
	examples/udp_echo \
	examples/wget

BENCHES = \
	bench/arena \
	bench/connections \
	bench/echo_cost \
	bench/fairness \
	bench/http_instructions \
	bench/lease_echo \
	bench/messages \
	bench/million_sleepers \
	bench/ouro_load \
	bench/raw_client \
	bench/raw_epoll \
	bench/raw_http \
	bench/raw_load \
	bench/slow_clients

# Those whose own share is measured: compiled as a whole, together with the libraries.
WHOLE_PROGRAMS = \
	bench/arena \
	bench/echo_cost \
	bench/http_instructions \
	examples/http_server

# What bench/ouro_load is made of; the tests have it as well.
LOAD_SOURCES = \
	bench/load_histogram.c \
	bench/load_options.c \
	bench/load_reply.c \
	bench/load_report.c \
	bench/load_run.c \
	bench/load_stats.c \
	bench/load_tape.c

# With Google Benchmark, the only C++ here.
BENCHES_CXX = \
	bench/micro \
	bench/micro_channel \
	bench/micro_peers \
	bench/micro_sync \
	bench/micro_timer_heap

# With libFuzzer; each has a folder in tests/corpus.
FUZZERS = \
	tests/fuzz_form \
	tests/fuzz_http_server \
	tests/fuzz_multipart \
	tests/fuzz_range

TEST_SOURCES = \
	tests/accept_test.c \
	tests/acceptor_test.c \
	tests/account.c \
	tests/address_test.c \
	tests/arena_test.c \
	tests/buffer_pool_test.c \
	tests/cancel_rows.c \
	tests/cancel_test.c \
	tests/channel_test.c \
	tests/char_class_test.c \
	tests/check_test.c \
	tests/condition_test.c \
	tests/cookie_test.c \
	tests/coro_avx512_test.c \
	tests/coro_test.c \
	tests/cpus_test.c \
	tests/datagram_test.c \
	tests/dial_test.c \
	tests/directory_test.c \
	tests/dispatcher_test.c \
	tests/dns_test.c \
	tests/dump_test.c \
	tests/error_test.c \
	tests/examples_test.c \
	tests/file_test.c \
	tests/fork_test.c \
	tests/form_test.c \
	tests/format_test.c \
	tests/future_test.c \
	tests/gdb_test.c \
	tests/group_test.c \
	tests/hook_test.c \
	tests/http1_parse_test.c \
	tests/http1_write_test.c \
	tests/http_answer.c \
	tests/http_app_test.c \
	tests/http_ask_test.c \
	tests/http_client_test.c \
	tests/http_content_test.c \
	tests/http_date_test.c \
	tests/http_lobby_test.c \
	tests/http_memory_test.c \
	tests/http_reply_test.c \
	tests/http_request_test.c \
	tests/http_router_test.c \
	tests/http_rules_app.c \
	tests/http_rules_rows.c \
	tests/http_rules_test.c \
	tests/http_server_test.c \
	tests/idle_test.c \
	tests/inbox_test.c \
	tests/list_test.c \
	tests/load_histogram_test.c \
	tests/load_options_test.c \
	tests/load_reply_test.c \
	tests/load_run_test.c \
	tests/load_tape_test.c \
	tests/loop_test.c \
	tests/mailbox_test.c \
	tests/main.c \
	tests/multipart_test.c \
	tests/no_memory_test.c \
	tests/offload_test.c \
	tests/op_test.c \
	tests/ouro_load_test.c \
	tests/overflow_test.c \
	tests/park_test.c \
	tests/pipe_test.c \
	tests/process_test.c \
	tests/range_test.c \
	tests/receiver_test.c \
	tests/receiver_watch_test.c \
	tests/ring_mode_test.c \
	tests/ring_script_test.c \
	tests/ring_sim_test.c \
	tests/ring_test.c \
	tests/ring_uring_test.c \
	tests/run_test.c \
	tests/sender_test.c \
	tests/shard_test.c \
	tests/signal_wait_test.c \
	tests/signals_test.c \
	tests/socket_test.c \
	tests/spin_test.c \
	tests/sqpoll_test.c \
	tests/stack_test.c \
	tests/stream_pair_test.c \
	tests/stream_test.c \
	tests/sync_test.c \
	tests/task_table_test.c \
	tests/task_test.c \
	tests/timer_heap_test.c \
	tests/timer_test.c \
	tests/tls_test.c \
	tests/url_test.c \
	tests/utf8_test.c \
	tests/wait_tasks_test.c \
	tests/watchdog_test.c

# The tests that also run on an emulated aarch64: coroutines, stacks and the dispatcher on the
# simulated ring. CUnit has no aarch64 package here, so tests/mini_cunit.h stands in for it.
AARCH64_TESTS = \
	tests/channel_test.c \
	tests/check_test.c \
	tests/coro_test.c \
	tests/dispatcher_test.c \
	tests/future_test.c \
	tests/group_test.c \
	tests/hook_test.c \
	tests/list_test.c \
	tests/main.c \
	tests/park_test.c \
	tests/spin_test.c \
	tests/stack_test.c \
	tests/sync_test.c \
	tests/task_table_test.c \
	tests/task_test.c \
	tests/timer_heap_test.c \
	tests/timer_test.c \
	tests/wait_tasks_test.c

# --- The user's settings. ------------------------------------------------------------------------

# Not make's own default: `cc` would leave open which compiler it is. C++ comes from the same house.
ifeq ($(origin CC),default)
CC = gcc
endif
ifeq ($(origin CXX),default)
CXX = $(if $(findstring clang,$(CC)),$(subst clang,clang++,$(CC)),g++)
endif
CFLAGS ?= -O2 -g
CXXFLAGS ?= -O2 -g
AARCH64_CC ?= aarch64-linux-gnu-gcc
AARCH64_CFLAGS ?= -O2 -g
QEMU ?= qemu-aarch64
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
BUILD ?= build
LISTEN ?= 127.0.0.1:8000

# --- Flags. --------------------------------------------------------------------------------------

WARNINGS = -Wall -Wextra -Wshadow -Wvla -Wimplicit-fallthrough $(if $(filter 1,$(WERROR)),-Werror)
C_WARNINGS = $(WARNINGS) -Wstrict-prototypes -Wmissing-prototypes

# A stack has a guard of a few pages: a big frame must touch each page on its way down.
# A shadow stack (CET) would not survive our stack switch. Calls of the C library, which for short
# texts are many, go without the linker's detour (-fno-plt: 245 -> 236 ns for a pipelined request).
CODEGEN = -fstack-clash-protection -fcf-protection=none -fvisibility=hidden -fno-plt
SAN_FLAGS = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)

# Objects for the static libraries are position-independent for programs only: that way their
# thread-local variables are a constant offset away. Objects for the shared libraries get the next
# best model: one load more, and the few bytes are reserved at program start.
PIE = -fPIE -ftls-model=local-exec
PIC = -fPIC -ftls-model=initial-exec -fno-semantic-interposition

# Across files the compiler inlines what only one of them calls: 236 -> 200 ns for a pipelined
# request, 485 -> 405 for one by itself. Only gcc's, as clang's needs another linker.
# It would keep the tests from replacing functions, and takes seconds for each program.
WHOLE := $(if $(SAN),,$(if $(findstring Free Software Foundation,$(shell $(CC) --version 2>/dev/null)),-flto=auto))

INCLUDES = -Iengine -Iproto
# The engine knows nothing of the protocols. (private: not for what these targets depend on.)
$(BUILD)/engine/% $(BUILD)/pic/engine/%: private INCLUDES = -Iengine
# What fuzzers are to explore is in proto/; watching the engine as well makes them half as fast.
$(BUILD)/engine/%: private override SAN := $(SAN:fuzzer-no-link,%=%)
$(BUILD)/tests/load_%.o: private INCLUDES += -Ibench
$(BUILD)/tests/%: private DEFINES = -DOURO_EXAMPLES='"$(abspath $(BUILD))/examples"' \
	-DOURO_ARENA='"$(abspath $(BUILD))/bench/arena"' \
	-DOURO_BENCHES='"$(abspath $(BUILD))/bench"' \
	-DOURO_GDB_SCRIPT='"$(abspath docs/ouro-gdb.py)"' \
	-DOURO_PUBLIC_HEADERS='$(PUBLIC_HEADERS:%="%",)'

PUBLIC_HEADERS = $(abspath $(ENGINE_HEADERS) $(PROTO_HEADERS))

ALL_CPPFLAGS = $(DEFINES) -D_GNU_SOURCE $(INCLUDES) $(DEPS_CPPFLAGS) $(CPPFLAGS)
ALL_CFLAGS = $(C_WARNINGS) $(CFLAGS) -std=gnu17 $(CODEGEN) $(SAN_FLAGS)
ALL_CXXFLAGS = $(WARNINGS) $(CXXFLAGS) -std=c++17 $(CODEGEN) $(SAN_FLAGS)
# (A smaller task table: the emulator keeps a record of each reserved page.)
AARCH64_FLAGS = -DOURO_NO_URING -DOURO_MINI_CUNIT -DTASK_TABLE_SLOTS_MAX=262144 \
	-D_GNU_SOURCE -Iengine $(AARCH64_DEPS_CPPFLAGS) \
	$(C_WARNINGS) $(AARCH64_CFLAGS) -std=gnu17 $(CODEGEN)

# A sanitizer's run-time library is in the program only, which a complete library would not know.
SHARED_LDFLAGS = -shared -Wl,-Bsymbolic-functions -Wl,--exclude-libs,ALL \
	$(if $(SAN),,-Wl,-z,defs) $(SAN_FLAGS) $(LDFLAGS)
PROGRAM_LDFLAGS = -pie -Wl,--as-needed $(SAN_FLAGS) $(LDFLAGS)

# liburing and llhttp are the system's, or, where these are missing or too old as on Debian 12,
# Debian 13's, which `make deps` unpacks into .deps/. These become part of our own libraries:
# otherwise who installs ours could not link, because theirs stay here.
ifneq ($(wildcard .deps/lib),)
DEPS_CPPFLAGS = -isystem .deps/include -isystem .deps/include-arch
AARCH64_DEPS_CPPFLAGS = -isystem .deps/include -isystem .deps/include/aarch64-linux-gnu
BUNDLED_URING = .deps/lib/liburing.a
BUNDLED_LLHTTP = .deps/lib/libllhttp.a
else
# Last, as the machine's own headers are there too. Only liburing's are ever found there.
AARCH64_DEPS_CPPFLAGS = -idirafter /usr/include
URING_LIBS = -luring
LLHTTP_LIBS = -lllhttp
endif
ENGINE_LIBS = $(URING_LIBS)
PROTO_LIBS = $(LLHTTP_LIBS) -lcares -lssl -lcrypto -lz

# --- Lists made of the lists. --------------------------------------------------------------------

ENGINE_OBJECTS = $(ENGINE_SOURCES:%.c=$(BUILD)/%.o)
PROTO_OBJECTS = $(PROTO_SOURCES:%.c=$(BUILD)/%.o)
ENGINE_PIC_OBJECTS = $(ENGINE_SOURCES:%.c=$(BUILD)/pic/%.o)
PROTO_PIC_OBJECTS = $(PROTO_SOURCES:%.c=$(BUILD)/pic/%.o)
WHOLE_OBJECTS = $(patsubst %.c,$(BUILD)/whole/%.o,$(ENGINE_SOURCES) $(PROTO_SOURCES))
ARENA_ITEMS = $(BUILD)/$(if $(WHOLE),whole/)bench/arena_items.o
MADE_WHOLE = $(if $(WHOLE),$(WHOLE_PROGRAMS:%=$(BUILD)/%))
TEST_OBJECTS = $(TEST_SOURCES:%.c=$(BUILD)/%.o)
LOAD_OBJECTS = $(LOAD_SOURCES:%.c=$(BUILD)/%.o)
C_PROGRAMS = $(EXAMPLES:%=$(BUILD)/%) $(BENCHES:%=$(BUILD)/%)
FUZZ_PROGRAMS = $(FUZZERS:%=$(BUILD)/%)
CXX_PROGRAMS = $(BENCHES_CXX:%=$(BUILD)/%)
AARCH64_SOURCES = $(filter-out engine/ring_uring.c,$(ENGINE_SOURCES)) $(AARCH64_TESTS)
AARCH64_OBJECTS = $(AARCH64_SOURCES:%.c=$(BUILD)/aarch64/%.o)
OBJECTS = $(ENGINE_OBJECTS) $(PROTO_OBJECTS) $(ENGINE_PIC_OBJECTS) $(PROTO_PIC_OBJECTS) \
	$(WHOLE_OBJECTS) $(WHOLE_PROGRAMS:%=$(BUILD)/whole/%.o) $(TEST_OBJECTS) $(FUZZ_PROGRAMS:%=%.o) \
	$(LOAD_OBJECTS) $(C_PROGRAMS:%=%.o) $(ARENA_ITEMS) $(CXX_PROGRAMS:%=%.o) $(AARCH64_OBJECTS)

# Users of libouro-proto need both, in this order.
STATIC_LIBS = $(BUILD)/libouro-proto.a $(BUILD)/libouro.a
SHARED_LIBS = $(BUILD)/libouro.so $(BUILD)/libouro-proto.so
LIBS = $(STATIC_LIBS) $(SHARED_LIBS)
TESTS = $(BUILD)/tests/ouro_tests
AARCH64_PROGRAM = $(BUILD)/aarch64/ouro_tests_core

# --- What a user types. --------------------------------------------------------------------------

.DEFAULT_GOAL = all
all: $(LIBS) examples
examples: $(EXAMPLES:%=$(BUILD)/%)
bench: $(BENCHES:%=$(BUILD)/%) $(CXX_PROGRAMS)

help:
	@sed -n 's/^## \{0,1\}//p' Makefile

# These install first, then build in a second make: it has to see what the installation changed.
SUBMAKE = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

run: deps
	+@$(SUBMAKE) examples
	@for example in interleave producer_consumer hello hello_twice; do \
		printf '\n--- examples/%s.c ---\n' $$example; \
		$(BUILD)/examples/$$example || exit; \
	done
	@printf '\n--- examples/http_server.c ---\n'
	@echo 'Try from another terminal:  curl http://$(LISTEN)/    (Ctrl-C stops the server.)'
	@exec $(BUILD)/examples/http_server --listen $(LISTEN)

check: deps-check
	+@$(SUBMAKE) examples $(BUILD)/bench/arena $(BUILD)/bench/ouro_load $(TESTS) check-headers
	@$(TESTS) $(ONLY)

# Valgrind 3.19 knows io_uring_enter(2), but a thread that waits there hears no signals and stops all
# others: only what runs on the simulated ring. No suite that is about signals or address space.
# (Of an array that begins on a cache line we keep a pointer into it: "possibly lost".)
VALGRIND = valgrind -q --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite \
	--show-leak-kinds=definite --child-silent-after-fork=yes
VALGRIND_SUITES = accept address channel char_class check cookie coro dispatcher error form format future group http1_parse \
	http1_write http_router list multipart ring_sim sync task timer timer_heap url utf8 wait_tasks
check-valgrind: deps-test
	+@$(SUBMAKE) $(TESTS)
	@for suite in $(VALGRIND_SUITES); do \
		OURO_RING=sim OURO_WATCHDOG=600 $(VALGRIND) $(TESTS) $$suite || exit; \
	done

# What crosses threads, for SAN=thread with clang (gcc 12's TSan ends at 8,128 coroutines).
# (By itself it ends children that fork from a process with several threads. It holds signals back
# until a thread calls what it intercepts, which a sleeping loop does not: no suite signal_wait.)
THREAD_SUITES = fork inbox loop mailbox offload process run shard signals watchdog
check-threads: deps-check
	+@$(SUBMAKE) $(TESTS)
	@for suite in $(THREAD_SUITES); do \
		TSAN_OPTIONS=die_after_fork=0 $(TESTS) $$suite || exit; \
	done

# With clang, and in a folder of their own, as all of proto/ is built to tell what it has run through.
FUZZ_SECONDS ?= 10
check-fuzz: deps-check
	+@$(SUBMAKE) BUILD=$(BUILD)/fuzz CC=clang SAN=fuzzer-no-link,address,undefined fuzz-programs
	@.ci/fuzz $(BUILD)/fuzz $(FUZZ_SECONDS)
fuzz-programs: $(FUZZ_PROGRAMS)

test: deps-test
	+@$(SUBMAKE) all $(BUILD)/bench/arena $(BUILD)/bench/ouro_load $(TESTS) $(AARCH64_PROGRAM) check-headers check-symbols
	@$(TESTS) $(ONLY)
	@echo '--- aarch64 ---'
	@$(QEMU) $(AARCH64_PROGRAM)

# Installing and building have their share of 20 minutes, or of 90: rounds are played as far as they
# fit into the rest. It ends with an error when a server failed, but not without a report.
COMPARED = bench/arena bench/ouro_load bench/raw_client bench/raw_epoll bench/raw_http bench/raw_load \
	examples/http_server examples/sharded_echo
bench-compare: deps-compare
	+@$(SUBMAKE) $(COMPARED:%=$(BUILD)/%)
	@bench/http_compare.py $(if $(filter 1,$(FULL)),--minutes 75,--short --rounds 5 --seconds 1 --minutes 12) \
		--build $(BUILD) --report $(BUILD)/compare --made-by '$(strip make bench-compare $(FULL:%=FULL=%))'

deps:
	@CC='$(CC)' CXX='$(CXX)' .ci/deps run
deps-check:
	@CC='$(CC)' CXX='$(CXX)' .ci/deps run check
deps-test:
	@CC='$(CC)' CXX='$(CXX)' .ci/deps run check test
deps-bench:
	@CC='$(CC)' CXX='$(CXX)' .ci/deps run bench
deps-compare:
	@CC='$(CC)' CXX='$(CXX)' .ci/deps run compare

bench-deps:
	@CC='$(CC)' CXX='$(CXX)' .ci/deps run bench compare

format:
	@.ci/format
format-check:
	@.ci/format check

clean:
	rm -rf $(BUILD)

# --- How things are made. ------------------------------------------------------------------------

# $(call say,CC) announces a step by one line; with V=1 make prints the command itself.
ifeq ($(V),1)
say =
else
say = @printf '  %-3s %s\n' $(1) $(@:$(BUILD)/%=%);
endif

# What does not compile for want of a header says what to install.
or_look = || { CC='$(CC)' CXX='$(CXX)' .ci/deps --look run; exit 1; }

# All flags, in a file that changes only when they do: every object depends on it.
define FLAGS
$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(PIE) $(PIC) $(PROGRAM_LDFLAGS) $(SHARED_LDFLAGS)
$(WHOLE)
$(CXX) $(ALL_CXXFLAGS) $(AR)
$(AARCH64_CC) $(AARCH64_FLAGS)
endef
$(BUILD)/flags: export OURO_FLAGS = $(FLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo "$$OURO_FLAGS" | cmp -s - $@ || echo "$$OURO_FLAGS" >$@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(PIE) -MMD -MP -c -o $@ $< $(or_look)

$(BUILD)/pic/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(PIC) -MMD -MP -c -o $@ $< $(or_look)

$(BUILD)/whole/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(PIE) $(WHOLE) -MMD -MP -c -o $@ $< $(or_look)

$(BUILD)/%.o: %.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CXX)$(CXX) $(ALL_CPPFLAGS) $(ALL_CXXFLAGS) $(PIE) -MMD -MP -c -o $@ $<

$(BUILD)/aarch64/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(AARCH64_CC) $(AARCH64_FLAGS) -MMD -MP -c -o $@ $<

# What is linked depends on this file as well, as the lists above may have lost a member.
$(BUILD)/libouro.a: $(ENGINE_OBJECTS) $(BUNDLED_URING)
$(BUILD)/libouro-proto.a: $(PROTO_OBJECTS) $(BUNDLED_LLHTTP)
$(STATIC_LIBS): Makefile
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $(filter %.o,$^)
	@for bundled in $(filter %.a,$^); do \
		printf 'open $@\naddlib %s\nsave\nend\n' $$bundled | $(AR) -M || exit; \
	done

$(BUILD)/libouro.so.$(VERSION): $(ENGINE_PIC_OBJECTS) $(BUNDLED_URING) engine/libouro.map Makefile
	$(call say,LD)$(CC) $(SHARED_LDFLAGS) -Wl,-soname,libouro.so.$(SOVERSION) \
		-Wl,--version-script=engine/libouro.map -o $@ $(filter %.o %.a,$^) $(ENGINE_LIBS)

# Against the shared libouro: a call of anything that it does not export fails here.
$(BUILD)/libouro-proto.so.$(VERSION): $(PROTO_PIC_OBJECTS) $(BUNDLED_LLHTTP) $(BUILD)/libouro.so \
		proto/libouro-proto.map Makefile
	$(call say,LD)$(CC) $(SHARED_LDFLAGS) -Wl,-soname,libouro-proto.so.$(SOVERSION) \
		-Wl,--version-script=proto/libouro-proto.map -o $@ $(filter %.o %.a %.so,$^) $(PROTO_LIBS)

$(SHARED_LIBS): %: %.$(VERSION)
	@ln -sf $(<F) $@.$(SOVERSION)
	@ln -sf $(<F) $@

# Those that have more than one file.
$(BUILD)/bench/arena: $(ARENA_ITEMS)
$(BUILD)/bench/ouro_load: $(LOAD_OBJECTS)
$(BUILD)/bench/ouro_load: private PROGRAM_LIBS = -lm

$(MADE_WHOLE): $(BUILD)/%: $(BUILD)/whole/%.o $(WHOLE_OBJECTS) Makefile
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(PIE) $(WHOLE) $(PROGRAM_LDFLAGS) -o $@ $(filter %.o,$^) \
		$(BUNDLED_LLHTTP) $(BUNDLED_URING) $(PROTO_LIBS) $(ENGINE_LIBS)

$(filter-out $(MADE_WHOLE),$(C_PROGRAMS)): %: %.o $(STATIC_LIBS) Makefile
	$(call say,LD)$(CC) $(PROGRAM_LDFLAGS) -o $@ $(filter %.o,$^) $(STATIC_LIBS) $(PROTO_LIBS) \
		$(ENGINE_LIBS) $(PROGRAM_LIBS)

$(FUZZ_PROGRAMS): %: %.o $(STATIC_LIBS) Makefile
	$(call say,LD)$(CC) $(PROGRAM_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(STATIC_LIBS) $(PROTO_LIBS) \
		$(ENGINE_LIBS)

$(BUILD)/bench/micro_peers: PEER_LIBS = $(if $(wildcard /usr/include/uv.h),-luv)
$(CXX_PROGRAMS): %: %.o $(STATIC_LIBS) Makefile
	$(call say,LD)$(CXX) $(PROGRAM_LDFLAGS) -o $@ $< $(STATIC_LIBS) $(PROTO_LIBS) $(ENGINE_LIBS) \
		-lbenchmark $(PEER_LIBS)

# What the objects in here call passes through tests/account.c; not what shared libraries call.
WRAPPED = aligned_alloc calloc free malloc mmap munmap pthread_create pthread_join realloc strdup \
	strndup
$(TESTS): $(TEST_OBJECTS) $(LOAD_OBJECTS) $(STATIC_LIBS) Makefile
	$(call say,LD)$(CC) $(PROGRAM_LDFLAGS) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $(TEST_OBJECTS) $(LOAD_OBJECTS) \
		$(STATIC_LIBS) $(PROTO_LIBS) $(ENGINE_LIBS) -lcunit -lm

# Static, so that qemu needs no aarch64 libraries.
$(AARCH64_PROGRAM): $(AARCH64_OBJECTS) Makefile
	$(call say,LD)$(AARCH64_CC) -static -o $@ $(AARCH64_OBJECTS)

# --- Checks of what users see. -------------------------------------------------------------------

# Each public header alone, as strict C99 and as C++.
HEADER_FLAGS = -Iengine -Iproto -Wall -Wextra -pedantic -Werror -fsyntax-only
check-headers:
	@for header in $(notdir $(ENGINE_HEADERS) $(PROTO_HEADERS)); do \
		echo "#include \"$$header\"" | $(CC) -std=c99 $(HEADER_FLAGS) -x c - && \
		echo "#include \"$$header\"" | $(CXX) -std=c++11 $(HEADER_FLAGS) -x c++ - || exit; \
	done

# The shared libraries export ouro_* and nothing else, ouro__* neither. (A is the version itself.)
check-symbols: $(SHARED_LIBS)
	@! nm -D --defined-only $^ | grep -E ' [^A] ' | grep -vE ' ouro_[a-z0-9]'

# What a user does with an installed libouro, shared and static; and nothing of it stays behind.
INSTALL_CHECK = $(abspath $(BUILD))/installed
check-install:
	+@$(SUBMAKE) PREFIX=$(INSTALL_CHECK) LIBDIR=$(INSTALL_CHECK)/lib DESTDIR= install
	@set -e; program=$(INSTALL_CHECK)/program; \
	export LD_LIBRARY_PATH=$(INSTALL_CHECK)/lib PKG_CONFIG_PATH=$(INSTALL_CHECK)/lib/pkgconfig; \
	set -x; \
	for name in ouro ouro-proto; do pkg-config --cflags $$name | grep -e -fstack-clash-protection; done; \
	$(CC) examples/http_server.c $$(pkg-config --cflags --libs ouro-proto) -o $$program; \
	$(CC) examples/hello.c $$(pkg-config --cflags --libs ouro) -o $$program; $$program; \
	$(CC) -static examples/hello.c $$(pkg-config --static --cflags --libs ouro) -o $$program; \
	$$program; rm $$program; \
	$(INSTALL_CHECK)/bin/ouro-doctor | grep -i kernel; test -r $(INSTALL_CHECK)/share/ouro/ouro-gdb.py
	+@$(SUBMAKE) PREFIX=$(INSTALL_CHECK) LIBDIR=$(INSTALL_CHECK)/lib DESTDIR= uninstall
	@! find $(INSTALL_CHECK) ! -type d | grep .

# --- Installation. -------------------------------------------------------------------------------

INCLUDEDIR = $(PREFIX)/include/ouro
INSTALLED = $(addprefix $(INCLUDEDIR)/,$(notdir $(ENGINE_HEADERS) $(PROTO_HEADERS))) \
	$(addprefix $(LIBDIR)/,$(notdir $(LIBS) $(SHARED_LIBS:=.$(SOVERSION)))) \
	$(addprefix $(LIBDIR)/,$(notdir $(SHARED_LIBS:=.$(VERSION)))) \
	$(LIBDIR)/pkgconfig/ouro.pc $(LIBDIR)/pkgconfig/ouro-proto.pc \
	$(PREFIX)/bin/ouro-doctor $(PREFIX)/share/ouro/ouro-gdb.py

PC_FILE = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|'

# ldconfig lets programs find the libraries; a user without rights, or with DESTDIR, goes without.
install: $(LIBS) $(BUILD)/examples/ouro_doctor
	install -d $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/bin \
		$(DESTDIR)$(PREFIX)/share/ouro
	install $(BUILD)/examples/ouro_doctor $(DESTDIR)$(PREFIX)/bin/ouro-doctor
	install -m 644 docs/ouro-gdb.py $(DESTDIR)$(PREFIX)/share/ouro
	install -m 644 $(ENGINE_HEADERS) $(PROTO_HEADERS) $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(STATIC_LIBS) $(SHARED_LIBS:=.$(VERSION)) $(DESTDIR)$(LIBDIR)
	cp -P $(SHARED_LIBS) $(SHARED_LIBS:=.$(SOVERSION)) $(DESTDIR)$(LIBDIR)
	$(PC_FILE) -e 's|@LIBS_PRIVATE@|$(ENGINE_LIBS)|' engine/ouro.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/ouro.pc
	$(PC_FILE) -e 's|@LIBS_PRIVATE@|$(PROTO_LIBS)|' proto/ouro-proto.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/ouro-proto.pc
	@[ -n '$(DESTDIR)' ] || [ '$(PREFIX)' != /usr/local ] || ldconfig 2>/dev/null || true

uninstall:
	rm -f $(INSTALLED:%=$(DESTDIR)%)
	@for folder in $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(PREFIX)/share/ouro; do \
		[ ! -d $$folder ] || rmdir --ignore-fail-on-non-empty $$folder; \
	done

.PHONY: all bench bench-compare bench-deps check check-fuzz check-headers check-install check-symbols check-threads check-valgrind clean \
	deps deps-bench deps-check deps-compare deps-test examples format format-check fuzz-programs help install run \
	test uninstall FORCE
.DELETE_ON_ERROR:

-include $(OBJECTS:.o=.d)
