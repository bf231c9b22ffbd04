# The verbs of this house. 'make run' and 'make test' need Go, make and git, nothing else;
# the linters of 'make check' are pinned in internal/tools and built by Go itself.

GO       ?= go
TOOL      = $(GO) tool -modfile=internal/tools/go.mod
ACCOUNTS ?= 1000000
FOR      ?= 20s
SEEDS    ?= 2000
SEED     ?=
ROUNDS   ?= 50
MILLIONS ?= 1000
LONG     ?= 30m
BENCH    ?= .
COUNT    ?= 1
BASE     ?=
LARGE    ?=
# Rows that no large crowd is built for, most of them guarded against allocations.
SHORT_ROWS = ^Benchmark(OrderCheck|Fill|Tick|DecodeOrder|EncodeAccount|RingHop)$$/^(mode=.*|text=compact|ring=spsc)$$/^(accounts=10000?|ref=fastjson_parse|batch=32)$$

.DEFAULT_GOAL := help
.PHONY: help check format format-check vet lint arch invariants test race sim crash soak soak-daemon fuzz clients bench bench-compare bench-compare-short bench-results run build clean

help: ## print the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 30

# Every step runs, so that one report holds all faults; the tests come last.
check: ## format, vet, lint, house rules, tests: what CI runs
	@failed=0; \
	for step in format-check vet lint arch invariants test; do \
		echo "== $$step"; $(MAKE) --no-print-directory $$step || failed=1; \
	done; \
	exit $$failed

format: ## rewrite the sources in the house format
	$(TOOL) golangci-lint fmt

format-check:
	@bad=$$(gofmt -l .); test -z "$$bad" || { echo "gofmt differs, run 'make format':"; echo "$$bad"; exit 1; }

vet: ## the compiler's doubts
	$(GO) vet ./...

lint: ## the linters of .golangci.yml (built once: about a minute and a half on 2 cores)
	$(TOOL) golangci-lint run ./...

arch: ## the house rules of arch_test.go
	$(GO) test .

test: clients ## all tests; those with the venue's SDK need npm, those with a browser chromium
	$(GO) test ./...

# What others' clients need, as package-lock.json pins it; without npm their tests say so and are skipped.
CLIENTS = internal/clienttest/node_modules/.package-lock.json
clients: $(CLIENTS) ## the venue's SDK and what checks it

$(CLIENTS): internal/clienttest/package-lock.json
	@if command -v npm >/dev/null 2>&1; then \
		npm ci --prefix internal/clienttest --ignore-scripts --no-audit --no-fund --loglevel=error && touch $(CLIENTS); \
	else echo "npm is missing: tests with the venue's SDK are skipped"; fi

invariants: ## the core and the pipeline with costly assertions on
	PLIMSOLL_SIM_SEEDS=500 $(GO) test -tags invariants ./risk/... ./internal/engine

race: ## all tests under the race detector, then with costly assertions
	$(GO) test -race ./...
	$(GO) test -tags invariants ./...

sim: ## the seeded simulator, crashes included: SEEDS=2000 many, or SEED=123 one
ifeq ($(SEED),)
	PLIMSOLL_SIM_SEEDS=$(SEEDS) $(GO) test ./internal/engine -run 'TestSimulation|TestCrashSimulation' -count=1 -timeout 24h
else
	PLIMSOLL_SIM_SEED=$(SEED) $(GO) test ./internal/engine -run 'TestSimulation|TestCrashSimulation' -count=1 -v
endif

crash: ## the real binary, killed ROUNDS=50 times under load
	PLIMSOLL_CRASH_ROUNDS=$(ROUNDS) $(GO) test ./cmd/plimsoll -run 'TestCrashes|TestPowerLoss' -count=1 -v -timeout 60m

soak: ## MILLIONS=1000 account-ticks (a billion) of price storms, then the crash of 10 October at full size
	PLIMSOLL_SOAK=$(MILLIONS) $(GO) test ./risk/risktest -run '^TestStorm$$' -count=1 -v -timeout 24h
	PLIMSOLL_CRASH=437000 $(GO) test ./risk/risktest -run 'TestTenthOfOctober' -count=1 -v -timeout 24h

soak-daemon: ## the real daemon, LONG=30m at 70 % of its capacity with good and bad clients, then overload
	PLIMSOLL_SOAK_FOR=$(LONG) $(GO) test ./cmd/plimsoll -run '^TestSoak$$' -count=1 -v -timeout 24h
	$(GO) test ./cmd/plimsoll -run '^TestOverload$$' -count=1 -v

fuzz: ## every fuzz target, FOR=20s each
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "== $$package $$target"; \
			$(GO) test $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FOR); \
		done; \
	done

bench: ## all benchmarks: BENCH=regexp, COUNT=1
	$(GO) test ./... -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT)

# Both sides are built and run here and now, in turn: only so do times compare on a shared machine.
COMPARE = cd internal/tools && $(GO) run ./benchcompare -root ../..

bench-compare: ## this tree against the commit it branched off: BENCH=regexp, BASE=commit, COUNT=10, LARGE=1
	$(COMPARE) -base '$(BASE)' -bench '$(BENCH)' -rounds $(if $(filter-out 1 2 3 4,$(COUNT)),$(COUNT),10) -short=$(if $(LARGE),false,true)

bench-compare-short: ## the same for CI: few rows, a minute, fails on new allocations or x 1.5 seen twice
	cd internal/tools && $(GO) test ./benchcompare ./benchresults
	$(COMPARE) -base '$(BASE)' -bench '$(SHORT_ROWS)' -packages ./bench -rounds 6 -benchtime 10ms -slowdown 0.5

bench-results: ## bench/RESULTS.md from one run of what its table asks for, about half an hour: LARGE=1 adds ten million accounts
	cd internal/tools && $(GO) run ./benchresults -root ../.. -large=$(if $(LARGE),true,false)

build: ## bin/plimsoll
	$(GO) build -trimpath -o bin/plimsoll ./cmd/plimsoll

run: build ## a live venue on this machine: ACCOUNTS=1000000, dashboard at the address it prints
	bin/plimsoll demo --accounts $(ACCOUNTS)

clean: ## remove what the verbs have built
	rm -rf bin
