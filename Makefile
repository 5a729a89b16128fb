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

traits_epoll :=
traits_libevent := --traits Libevent
traits_both := --traits default,Libevent

# Each choice of backends has its own folder, because changing the traits in one would build everything anew.
scratch := .build-$(configuration)
flags := --scratch-path $(scratch) $(traits_$(configuration))
release := $(scratch)/release

libraries := HawtDispatch HawtSockets Polling HawtConformance
sources := Sources Tests Conformance Benchmarks/Sources Benchmarks/Package.swift Package.swift

.PHONY: help build demo test test-epoll test-libevent test-both conformance mutants models tsan asan lint format docs examples bench bench-quick bench-plot bench-growth gates gates-update tracers libevent libuv

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

conformance: $(if $(filter libevent,$(BACKEND)),libevent) ## run every rule of SEMANTICS on every backend built in
	$(SWIFT) build --product hawt-conformance $(flags)
	$(scratch)/debug/hawt-conformance

mutants: ## break the production code in each committed way and see that its rule fails
	TRAITS=$(or $(subst --traits ,,$(traits_$(configuration))),default) Conformance/Broken/run.sh

models: ## check the protocols' models exhaustively with spin
	Conformance/Models/run.sh

# A thread that a test makes in a forked child would end the process otherwise.
tsan: ## run all tests under the thread sanitizer
	TSAN_OPTIONS="die_after_fork=0 $$TSAN_OPTIONS" \
	  $(SWIFT) test --disable-xctest --sanitize=thread --scratch-path $(scratch)-tsan $(traits_$(configuration))

asan: ## run all tests under the address sanitizer, leaks included
	ASAN_OPTIONS="detect_leaks=1 $$ASAN_OPTIONS" \
	  $(SWIFT) test --disable-xctest --sanitize=address --scratch-path $(scratch)-asan $(traits_$(configuration))

lint: ## check format and style
	$(SWIFT) format lint --strict --recursive --parallel $(sources)

format: ## format all sources
	$(SWIFT) format --in-place --recursive --parallel $(sources)

docs: ## build the documentation of the libraries, warnings being errors
	Scripts/docs $(libraries)

examples: ## build and run a package that depends on this one, with each choice of traits
	Scripts/examples $(if $(has_libevent),libevent)

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
