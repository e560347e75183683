#!/usr/bin/env bash
# oss_fuzz.sh: the fuzz targets as a fuzzing service builds them, and what it asks of them (docs/CI.md). One configuration
# of ci/oss-fuzz/check stands for all of them, which take minutes.
# timeout: 600
# presets: release
exec "$(dirname "$0")/../ci/oss-fuzz/check" libfuzzer-address
