#!/usr/bin/env bash
# timeout: 300
# presets: release
#
# faults_corpus.sh: every allocator that asks for memory over its own corpus, with each request failing once, and in pairs. Needs ASSAY and ASSAY_SOURCE.
set -euo pipefail

: "${ASSAY:?the program under test}" "${ASSAY_SOURCE:?the source folder}"
export ASSAY corpus=$ASSAY_SOURCE/corpus

# What the allocator says at the end; the slowest ones go first.
judge() {
    timeout 240 "$ASSAY" replay "$1" "$corpus/$1" --timeout 10 --faults pairs 2>&1 | grep -v '^  skipped' | sed "s/^  /$1: /"
    return "${PIPESTATUS[0]}"
}
export -f judge

# shellcheck disable=SC2016  # the inner shell expands it
printf '%s\n' vmalloc kmalloc buddy slab freelist region break | xargs -P"$(nproc)" -I{} bash -c 'judge "$1"' judge {}
