#!/usr/bin/env bash
# lib.sh: how the tests of the program begin and end; each sources it before all else. It sets
#
#   assay     the program (ASSAY), an absolute path
#   cc        the C compiler with its options (ASSAY_CC, cc if that is not set), an array
#   root      the source tree
#   work      a folder of the test's own: the current one from here on, gone when the test ends
#   started   processes that are not to outlive the test: to be appended to
#
# and leaves `set -e` to the test.
# shellcheck disable=SC2034 # what it sets is for the others
set -u

assay=$(realpath "${ASSAY:?the program under test}")
read -ra cc <<<"${ASSAY_CC:-cc}"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
started=()
failures=0

cleanup() {
    local pid
    for pid in "${started[@]}"; do kill -9 "$pid" 2>/dev/null; done
    rm -rf "$work"
}
trap cleanup EXIT
cd "$work" || exit 2

# failed WHAT LINE…: the test goes on, and will have failed.
failed() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$1"
    if (($# > 1)); then printf '  %s\n' "${@:2}"; fi
}

# skip REASON: the test cannot be made here.
skip() {
    echo "$1"
    exit 77
}

# needs TOOL…: skips the test without them.
needs() {
    local tool
    for tool in "$@"; do command -v "$tool" >/dev/null || skip "$tool is not installed"; done
}

# finish TEXT: the last line of a test, and its exit status; TEXT is what it says if nothing failed.
finish() {
    if ((failures)); then
        echo "${0##*/}: $failures failed"
        exit 1
    fi
    echo "${0##*/}: $1"
    exit 0
}
