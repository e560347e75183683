#!/bin/bash -eu
# build.sh: fuzz targets for a fuzzing service, by the contract of OSS-Fuzz and ClusterFuzzLite (docs/CI.md).
#
# In:  $SRC/assay, $CC, $CXX, $CFLAGS, $CXXFLAGS, $LIB_FUZZING_ENGINE; $WORK for what is thrown away
# Out: $OUT/assay_fuzz_NAME, with its _seed_corpus.zip, .options and, where there is one, .dict
#
# Compiler and flags are the service's, whatever engine and sanitizer they stand for; what is not under test is built
# without their instrumentation (cmake/AssayEngines.cmake).
source=$SRC/assay
build=$WORK/assay

cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DASSAY_UNIT_TESTS=OFF \
    -DASSAY_ENGINES=service "-DASSAY_ENGINE_LIBRARY=$LIB_FUZZING_ENGINE"
cmake --build "$build" --target fuzz/engines/all

# Regressions and the rules' borders are for everyone, what reaches an allocator's code for its targets. What was about the
# harness says nothing of an allocator, and may take it long.
seeds() {
    local name=$1 folder=$WORK/seeds part
    case $name in kernel_*) name=vmalloc ;; esac
    rm -rf "$folder"
    mkdir -p "$folder"
    for part in regressions rules recorded "$name"; do
        if [ -d "$source/corpus/$part" ]; then
            find "$source/corpus/$part" -type f -regex '.*\.\(ops\|bin\)' \
                ! -name 'harness-*' -exec cp -t "$folder" {} +
        fi
    done
    rm -f "$2"
    (cd "$folder" && zip -q -X "$2" -- *)
}

for program in "$build"/engines/assay_fuzz_*; do
    target=$(basename "$program")
    name=${target#assay_fuzz_}
    # The first two test nothing by themselves; in the third's place the sanitizer has put an allocator of its own.
    case $name in any | empty | libc) continue ;; esac
    cp "$program" "$OUT/"
    cp "$source/ci/oss-fuzz/assay.options" "$OUT/$target.options"
    for dictionary in "$source/fuzz/engines/$name.dict" "$source/fuzz/engines/assay.dict"; do
        if [ -e "$dictionary" ]; then
            cp "$dictionary" "$OUT/$target.dict"
            break
        fi
    done
    seeds "$name" "$OUT/${target}_seed_corpus.zip"
done
