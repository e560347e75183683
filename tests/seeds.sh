#!/usr/bin/env bash
# presets: release
#
# docs/SEEDS.md names what shows each claim true or false, and everything that it names exists.
set -euo pipefail

: "${ASSAY:?the program under test}" "${ASSAY_SOURCE:?the source folder}"

exec python3 "$ASSAY_SOURCE/tests/seeds_doc.py" --check
