#!/bin/bash -eu
# build.sh: what OSS-Fuzz does (ci/oss-fuzz/build.sh), for ClusterFuzzLite.
exec bash -eu "$SRC/assay/ci/oss-fuzz/build.sh"
