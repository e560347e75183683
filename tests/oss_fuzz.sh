#!/usr/bin/env bash
# oss_fuzz.sh: the fuzz targets as a fuzzing service builds them, and what it asks of them (docs/CI.md). One configuration
# and a few targets stand for all that ci/oss-fuzz/check does.
# presets: release
exec "$(dirname "$0")/../ci/oss-fuzz/check" --few libfuzzer-address
