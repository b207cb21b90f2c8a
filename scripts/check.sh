#!/usr/bin/env bash
# The fast half: says what it does, stops at the first failure. --static leaves the unit tests out.
set -euo pipefail
cd "$(dirname "$0")/.."
step() {
  echo "check: $1"
  shift
  "$@"
}
step "format" prettier --check --log-level warn .
step "types" tsc --noEmit
step "lint" oxlint --type-aware --deny-warnings --quiet
step "layers" depcruise --config .dependency-cruiser.cjs --output-type err src test bench scripts
if [[ ${1:-} != --static ]]; then
  step "unit tests" jest --selectProjects unit --silent
fi
