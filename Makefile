# The commands that people and CI use. `make` alone lists them.

SHELL := /bin/sh
GO    ?= go

# Versions of tools that are not in go.mod. The generators' versions are, and come from there.
GOLANGCI_LINT_VERSION := v2.15.0
GOVULNCHECK_VERSION   := v1.9.0

GO_WANTED := $(shell sed -n 's/^go //p' go.mod)
MODULE    := $(shell sed -n 's/^module //p' go.mod)
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS   := -s -w -X $(MODULE)/internal/app.Version=$(VERSION)

TOOLS         := $(CURDIR)/bin/tools
GOLANGCI_LINT := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)
GOVULNCHECK   := $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)
GENERATORS    := $(TOOLS)/protoc-gen-go $(TOOLS)/protoc-gen-connect-go

# The packages that tests, benchmarks and fuzzing run on: make test PKG=./internal/bus
PKG ?= ./...

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

## Using it

.PHONY: run
run: build ## build, then run panel and agent in one process (ARGS="--flags" are passed on)
	@exec bin/catalyst dev $(ARGS)

.PHONY: build
build: check-go ## build bin/catalyst, a static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/catalyst .

## Checking it

.PHONY: test
test: deps vet check-generate lint test-race ## run every check; as root on Debian, first install what the tests use

.PHONY: test-race
test-race: check-go ## run the tests only, with the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 20m $(PKG)

.PHONY: vet
vet: check-go
	$(GO) vet ./...

.PHONY: lint
lint: check-go $(GOLANGCI_LINT) ## run the linters; the import table is one of them
	$(GOLANGCI_LINT) run

.PHONY: vuln
vuln: check-go ## look for known vulnerabilities, where their database can be reached
	@GO='$(GO)' GOVULNCHECK='$(GOVULNCHECK)' MAKE='$(MAKE)' test/vuln.sh

.PHONY: bench
bench: check-go ## run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m $(PKG)

.PHONY: fuzz
fuzz: check-go ## run each fuzz target for FUZZTIME (30s)
	@GO='$(GO)' test/fuzz.sh

## Changing it

.PHONY: generate
generate: check-go check-protoc $(GENERATORS) ## write the generated code anew
	PATH="$(TOOLS):$$PATH" $(GO) generate ./...

.PHONY: check-generate
check-generate: check-go ## fail when the generated code is not what the generators write
	@MAKE='$(MAKE)' test/check-generate.sh

.PHONY: sdl
sdl: check-go ## write the whole GraphQL schema to bin/schema.graphql
	@mkdir -p bin
	$(GO) run ./test/sdl > bin/schema.graphql

.PHONY: migrate-diff
migrate-diff: check-go ## write the migrations for a changed schema (NAME=add_nickname)
	@test -n '$(NAME)' || { echo 'Name the migration: make migrate-diff NAME=add_nickname' >&2; exit 1; }
	test/with-postgres.sh $(GO) run -mod=mod ./ent/migrate/main.go '$(NAME)'

.PHONY: graphiql
graphiql: ## bundle the GraphiQL page anew; needs Node 20 and npm
	@command -v npm >/dev/null || { echo 'npm is needed: install Node.js 20 or newer.' >&2; exit 1; }
	cd graphiql && npm ci && npm run build

.PHONY: deps
deps: ## as root on Debian or Ubuntu, install what the tests use
	@test/deps.sh

.PHONY: clean
clean: ## remove what was built
	rm -rf bin

## Tools

.PHONY: check-go
check-go:
	@command -v $(GO) >/dev/null || { \
		echo 'Go is needed: install Go $(GO_WANTED) or newer from https://go.dev/dl/' >&2; exit 1; }
	@have="$$($(GO) env GOVERSION | sed 's/^go//')"; \
	oldest="$$(printf '%s\n' '$(GO_WANTED)' "$$have" | sort -V | head -n 1)"; \
	test "$$oldest" = '$(GO_WANTED)' || { \
		echo "Go $$have is too old: install Go $(GO_WANTED) or newer from https://go.dev/dl/" >&2; exit 1; }

.PHONY: check-protoc
check-protoc:
	@command -v protoc >/dev/null || { \
		echo 'protoc is needed: on Debian and Ubuntu, install the package protobuf-compiler.' >&2; exit 1; }

$(TOOLS):
	@mkdir -p $@

$(GOLANGCI_LINT): | $(TOOLS)
	@echo 'Building golangci-lint $(GOLANGCI_LINT_VERSION), once; this takes some minutes.'
	GOBIN=$(TOOLS) CGO_ENABLED=0 $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@mv $(TOOLS)/golangci-lint $@

$(GOVULNCHECK): | $(TOOLS)
	GOBIN=$(TOOLS) CGO_ENABLED=0 $(GO) install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	@mv $(TOOLS)/govulncheck $@

$(TOOLS)/protoc-gen-go: go.mod | $(TOOLS)
	GOBIN=$(TOOLS) CGO_ENABLED=0 $(GO) install google.golang.org/protobuf/cmd/protoc-gen-go
	@touch $@

$(TOOLS)/protoc-gen-connect-go: go.mod | $(TOOLS)
	GOBIN=$(TOOLS) CGO_ENABLED=0 $(GO) install connectrpc.com/connect/cmd/protoc-gen-connect-go
	@touch $@
