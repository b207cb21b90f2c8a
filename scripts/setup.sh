#!/usr/bin/env bash
# Makes a machine ready: scripts/setup.sh build | test | demo
#   build  npm packages (compiler, linters, Node 24 itself)
#   test, demo   also the Debian packages of the local cluster, and Prometheus; test: Redis and Git for Argo CD
# What is there is reused; what cannot be had is named, and only what needs it is skipped later.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-build}
# "what to look for (a program, or a file by its path): Debian package"
cluster_needs="containerd:containerd runc:runc iptables:iptables ip:iproute2 nsenter:util-linux setpriv:util-linux
  openssl:openssl sysctl:procps tar:tar /usr/lib/cni/bridge|/opt/cni/bin/bridge:containernetworking-plugins
  prometheus:prometheus promtool:prometheus"
# Argo CD keeps its cache there and reads from a Git daemon.
argo_cd_needs="redis-server:redis-server git:git"
case $purpose in
  build) needs="" ;;
  demo) needs=$cluster_needs ;;
  test) needs="$cluster_needs $argo_cd_needs" ;;
  *)
    echo "usage: scripts/setup.sh build | test | demo" >&2
    exit 2
    ;;
esac
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { echo "setup: $*"; }

# True when one of the alternatives "a|b|/a/file" is there.
have() {
  local alternative
  # Not quoted: a path may hold a wildcard (the version of PostgreSQL).
  for alternative in ${1//|/ }; do
    if [[ $alternative == /* ]]; then
      [[ -e $alternative ]] && return 0
    elif command -v "$alternative" >/dev/null; then
      return 0
    fi
  done
  return 1
}

why_no_apt() {
  if ! command -v apt-get >/dev/null; then
    echo "this machine has no apt-get"
  elif [[ $(id -u) != 0 ]]; then
    echo "installing packages needs root"
  fi
}

policy=/usr/sbin/policy-rc.d
# Installing must not start services: Debian asks this script, and 101 means no. The machine's own one comes back.
forbid_services() {
  trap allow_services EXIT
  [[ -e $policy && ! -e $policy.before-rollback-operator ]] && mv "$policy" "$policy.before-rollback-operator"
  printf '#!/bin/sh\n# Left by rollback-operator/scripts/setup.sh while it installs.\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}
allow_services() {
  rm -f "$policy"
  [[ ! -e $policy.before-rollback-operator ]] || mv "$policy.before-rollback-operator" "$policy"
}
# An earlier run may have been killed in between.
restore_after_crash() {
  if [[ -w ${policy%/*} ]] && grep -qs 'Left by rollback-operator' "$policy"; then allow_services; fi
}

# install_packages PACKAGE...: prints the list first; false when apt could not.
install_packages() {
  local reason
  reason=$(why_no_apt)
  if [[ -n $reason ]]; then
    say "cannot install $* ($reason). Run: sudo apt-get install --no-install-recommends $*"
    return 1
  fi
  say "installing Debian packages: $*"
  local log
  log=$(mktemp)
  forbid_services
  if apt-get update -qq >"$log" 2>&1 &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove "$@" >>"$log" 2>&1; then
    allow_services
    trap - EXIT
    say "installed in $SECONDS s"
    rm -f "$log"
    return 0
  fi
  allow_services
  trap - EXIT
  say "apt-get could not install them; its last words:"
  tail -n 8 "$log" | sed 's/^/    /'
  rm -f "$log"
  return 1
}

setup_npm() {
  local installed=node_modules/.package-lock.json
  if [[ -e $installed && ! package-lock.json -nt $installed ]]; then
    say "npm packages are up to date"
    return
  fi
  if ! command -v npm >/dev/null; then
    install_packages npm || {
      say "npm is needed to go on: https://nodejs.org/en/download"
      exit 1
    }
  fi
  say "installing npm packages (npm ci)"
  local log
  log=$(mktemp)
  if ! npm ci --no-audit --no-fund --loglevel=error >"$log" 2>&1; then
    # A registry mirror may lack the optional packages of other platforms; `npm ci` then takes the lock file for
    # incomplete. `npm install --no-save` installs the versions and checks the hashes of the lock file all the same.
    if ! grep -q 'Missing: .* from lock file' "$log" || grep -q 'Invalid: lock file' "$log"; then
      tail -n 15 "$log"
      exit 1
    fi
    say "npm ci misses optional packages of other platforms; installing what the lock file has"
    npm install --no-save --no-audit --no-fund --loglevel=error
  fi
  rm -f "$log"
  # npm keeps the old time of a lock file that did not change.
  touch "$installed"
}

setup_packages() {
  local need missing=()
  for need in $needs; do
    have "${need%%:*}" || missing+=("${need##*:}")
  done
  if [[ ${#missing[@]} == 0 ]]; then
    [[ -z $needs ]] || say "all programs that $purpose needs are there"
    return
  fi
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  # One package that this release lacks must not keep the others away.
  install_packages "${missing[@]}" || [[ ${#missing[@]} == 1 || -n $(why_no_apt) ]] ||
    for need in "${missing[@]}"; do install_packages "$need" || true; done
  for need in $needs; do
    have "${need%%:*}" || say "missing: ${need%%:*} (package ${need##*:}); what needs it will be skipped"
  done
}

restore_after_crash
setup_npm
setup_packages
