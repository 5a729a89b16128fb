# The one entry: `make help`.
#
# BACKEND=epoll|libevent chooses one backend at build time. Unset: epoll, and libevent too where it is installed.

SHELL := /bin/bash
SWIFT ?= swift

libevent_header := /usr/include/event2/event.h
has_libevent := $(wildcard $(libevent_header) /usr/local/include/event2/event.h)

ifeq ($(BACKEND),)
  configuration := $(if $(has_libevent),both,epoll)
else ifneq ($(filter $(BACKEND),epoll libevent),)
  configuration := $(BACKEND)
else
  $(error BACKEND is '$(BACKEND)': choose epoll or libevent, or leave it unset for epoll, and libevent where it is installed)
endif

# ConformanceCommand: the kit's command, which a package that depends on the library has only if it asks for it.
traits_epoll := --traits default,ConformanceCommand
traits_libevent := --traits Libevent,ConformanceCommand
traits_both := --traits default,Libevent,ConformanceCommand

# What `make conformance` looks at; libevent on poll is no choice of the library's, but shows that rules are not epoll's.
subjects_epoll := epoll
subjects_libevent := libevent,libevent-poll
subjects_both := epoll,libevent,libevent-poll

# Each choice of backends has its own folder, because changing the traits in one would build everything anew.
scratch := .build-$(configuration)
flags := --scratch-path $(scratch) $(traits_$(configuration))
release := $(scratch)/release

libraries := HawtDispatch HawtSockets Polling HawtConformance HawtConformanceCommand
sources := Sources Tests Conformance Benchmarks/Sources Benchmarks/Package.swift Package.swift

# How many histories `make compare` plays, and what else its command is told (`--seed N`, `--trace out.jsonl`);
# WITHIN: how many seconds they may take, the build not counted; any number if it is empty.
HISTORIES ?= 10000
WITHIN ?=
COMPARE ?=

.PHONY: help build demo test test-epoll test-libevent test-both conformance compare formats mutants mutants-quick broken-backends models
.PHONY: tsan asan lint format docs examples bench bench-quick bench-plot bench-growth gates gates-update tracers libevent libuv

help: ## list the targets
	@echo "make [BACKEND=epoll|libevent] TARGET"
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: $(if $(filter libevent,$(BACKEND)),libevent) ## build everything for release
	$(SWIFT) build -c release $(flags)

demo: $(if $(filter libevent,$(BACKEND)),libevent) ## echo server and client, both styles, every backend built in; needs no libevent
	@echo "building hawt-echo (backends: $(configuration))"
	$(SWIFT) build -c release --product hawt-echo $(flags)
	$(release)/hawt-echo demo

test: $(if $(BACKEND),test-$(BACKEND),libevent test-epoll test-libevent test-both) ## build clean and test: epoll alone, libevent alone, both

test-epoll:
	Scripts/test-configuration epoll $(traits_epoll)

test-libevent: libevent
	Scripts/test-configuration libevent $(traits_libevent)

test-both: libevent
	Scripts/test-configuration both $(traits_both)

conformance: $(if $(filter libevent,$(BACKEND)),libevent) ## run every rule, at full scale, on every backend built in
	$(SWIFT) build -c release --product hawt-conformance $(flags)
	$(release)/hawt-conformance --backend $(subjects_$(configuration))

compare: $(if $(filter libevent,$(BACKEND)),libevent) ## play HISTORIES seeded histories on every backend: they and a model must agree
	$(SWIFT) build -c release --product hawt-conformance $(flags)
	$(if $(WITHIN),timeout --verbose $(WITHIN)) $(release)/hawt-conformance --compare --histories $(HISTORIES) $(COMPARE)

formats: ## have the command's formats read by prove, xmllint and junitparser
	$(SWIFT) build --product hawt-conformance $(flags)
	$(SWIFT) build --product hawt-conformance-broken $(flags)
	Scripts/check-formats $(scratch)/debug

# OTHERS=K/N: only about every N-th are other families asked, which takes most of the time; OTHERS=none: about none.
# CONFIG=debug builds faster.
mutants: ## break the production code in each committed way and see that its rule fails, and no unrelated one
	TRAITS=$(subst --traits ,,$(traits_$(configuration))) Conformance/Broken/run.sh \
	  $(if $(filter none,$(OTHERS)),--alone,$(if $(OTHERS),--others $(OTHERS)))

mutants-quick: ## the same with a few of them, one for each family of rules at least
	CONFIG=debug PATIENCE=$(or $(PATIENCE),3) TRAITS=$(subst --traits ,,$(traits_$(configuration))) \
	  Conformance/Broken/run.sh --quick

broken-backends: ## see that each backend that is wrong on purpose breaks its rule, and no unrelated one; SHARD=K/N: every N-th
	$(SWIFT) build -c release --product hawt-conformance-broken $(flags)
	Conformance/Broken/backends.sh $(if $(SHARD),--shard $(SHARD)) $(release)/hawt-conformance-broken

models: ## check the protocols' models exhaustively with spin
	Conformance/Models/run.sh

# A thread that a test makes in a forked child would end the process otherwise.
tsan: ## run all tests under the thread sanitizer
	TSAN_OPTIONS="die_after_fork=0 $$TSAN_OPTIONS" \
	  $(SWIFT) test --disable-xctest --sanitize=thread --scratch-path $(scratch)-tsan $(traits_$(configuration))

# Locals that are put elsewhere would hide how deep the stack is, which is itself a rule.
asan: ## run all tests under the address sanitizer, leaks included
	ASAN_OPTIONS="detect_leaks=1 detect_stack_use_after_return=0 $$ASAN_OPTIONS" \
	LSAN_OPTIONS="suppressions=$(CURDIR)/Tests/toolchain-leaks.txt print_suppressions=0 $$LSAN_OPTIONS" \
	  $(SWIFT) test --disable-xctest --sanitize=address --scratch-path $(scratch)-asan $(traits_$(configuration))

lint: ## check format and style
	$(SWIFT) format lint --strict --recursive --parallel $(sources)

format: ## format all sources
	$(SWIFT) format --in-place --recursive --parallel $(sources)

docs: ## build the documentation of the libraries, warnings being errors
	Scripts/docs $(libraries)

examples: ## build and run packages that depend on this one: with each choice of traits, and one with a backend of its own
	Scripts/examples $(if $(has_libevent),libevent)
	Scripts/example-backend

bench_flags := --package-path Benchmarks --scratch-path .build-benchmarks
bench_build = $(SWIFT) build -c release $(bench_flags)
bench_run := .build-benchmarks/release/bench $(if $(ONLY),--only $(ONLY))

bench: libevent libuv ## measure everything beside its peers, under 15 minutes; ONLY=W3: one workload
	$(bench_build)
	$(bench_run)

bench-quick: libevent libuv ## the same with fewer and shorter samples, under 3 minutes
	$(bench_build)
	$(bench_run) --quick

bench-plot: libevent libuv ## draw the echo of all peers: PLOT=echo.svg
	$(bench_build)
	.build-benchmarks/release/bench plot $(or $(PLOT),echo.svg)

bench-growth: libevent libuv ## what an operation costs among few and among many: PLOT=growth.svg
	$(bench_build)
	.build-benchmarks/release/bench growth $(or $(PLOT),growth.svg)

# Only what the gates need, because building all peers takes minutes.
gates_build = for product in gates-hawt echo-hawt echo-load bench; do \
  $(SWIFT) build -c release $(bench_flags) --product $$product || exit 1; done

gates: libevent tracers ## check what does not drift: allocations, system calls, wake-ups, instructions
	$(gates_build)
	.build-benchmarks/release/bench gates Benchmarks/instructions.txt

gates-update: libevent tracers ## take the instruction figures over as they are now
	$(gates_build)
	.build-benchmarks/release/bench gates --update Benchmarks/instructions.txt
	git diff --stat Benchmarks/instructions.txt

tracers: ## install strace, valgrind and binutils if they are missing
	@Scripts/install-package strace /usr/bin/strace
	@Scripts/install-package valgrind /usr/bin/valgrind
	@Scripts/install-package binutils /usr/bin/strip

libuv: ## install libuv's development package if it is missing
	@Scripts/install-package libuv1-dev /usr/include/uv.h

libevent: ## install libevent's development package if it is missing
	@$(if $(has_libevent),true,Scripts/install-package libevent-dev $(libevent_header))
