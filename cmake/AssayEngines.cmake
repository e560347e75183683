# Targets for coverage-guided fuzzing engines: assay_fuzz_<name>.
#
# What is under test is compiled once for each engine with that engine's coverage (and, in the preset libfuzzer-asan, with
# sanitizers); model, machine and front come from the ordinary archives, uninstrumented. The linker takes the instrumented
# objects first, so that the archives' copies of the same files are never looked at.
#
#   ASSAY_ENGINES           OFF, or an engine: libfuzzer, afl
#   ASSAY_ENGINE_SANITIZE   sanitizers for what is under test, in the words of -fsanitize=; empty: none
set(ASSAY_ENGINES OFF CACHE STRING "Fuzzing engine to make targets for: OFF, libfuzzer, afl")
set(ASSAY_ENGINE_SANITIZE "" CACHE STRING "Sanitizers for what is under test in fuzz targets: address,undefined")

set(assay_engines_folder ${PROJECT_SOURCE_DIR}/fuzz/engines)

# Flags by engine: for what is under test, and for the link. Of libFuzzer's coverage only the counters: following compared
# values (-fsanitize=fuzzer-no-link adds that) costs as much as the allocators themselves, and tells little of sizes that
# the mutators move to their borders anyway.
set(engine_compile_libfuzzer -fsanitize-coverage=inline-8bit-counters,pc-table)
set(engine_link_libfuzzer -fsanitize=fuzzer)

# AFL++ brings its coverage as a compiler of its own, which takes clang's place for what is under test and at the link.
set(engine_compiler_afl ${PROJECT_SOURCE_DIR}/cmake/afl-compiler)
set(engine_sources_afl ${assay_engines_folder}/afl_main.c)

# assay_engine_subject(NAME FILE…): an object library under_test_NAME, with the engine's coverage.
function(assay_engine_subject name)
    add_library(under_test_${name} OBJECT ${ARGN})
    target_include_directories(under_test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/allocators)
    target_compile_options(under_test_${name} PRIVATE ${engine_compile_${ASSAY_ENGINES}})
    if(engine_compiler_${ASSAY_ENGINES})
        set_target_properties(under_test_${name} PROPERTIES C_COMPILER_LAUNCHER ${engine_compiler_${ASSAY_ENGINES}})
    endif()
    if(ASSAY_ENGINE_SANITIZE)
        target_compile_options(under_test_${name} PRIVATE
            -fsanitize=${ASSAY_ENGINE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    endif()
endfunction()

# assay_fuzz_target(NAME [MAIN FILE] [SUBJECTS NAME…] [DEFINE NAME=VALUE…]): the program assay_fuzz_NAME. MAIN holds its
# entry points, target_allocator.c if not said.
function(assay_fuzz_target name)
    cmake_parse_arguments(PARSE_ARGV 1 fuzz "" "MAIN" "SUBJECTS;DEFINE")
    if(NOT fuzz_MAIN)
        set(fuzz_MAIN target_allocator.c)
    endif()
    add_executable(assay_fuzz_${name} ${assay_engines_folder}/${fuzz_MAIN} ${engine_sources_${ASSAY_ENGINES}})
    if(engine_compiler_${ASSAY_ENGINES})
        set_target_properties(assay_fuzz_${name} PROPERTIES C_LINKER_LAUNCHER ${engine_compiler_${ASSAY_ENGINES}})
    endif()
    foreach(subject ${fuzz_SUBJECTS})
        target_sources(assay_fuzz_${name} PRIVATE $<TARGET_OBJECTS:under_test_${subject}>)
    endforeach()
    target_compile_definitions(assay_fuzz_${name} PRIVATE ${fuzz_DEFINE})
    target_link_libraries(assay_fuzz_${name} PRIVATE engine)
    target_link_options(assay_fuzz_${name} PRIVATE ${engine_link_${ASSAY_ENGINES}})
    if(ASSAY_ENGINE_SANITIZE)
        target_link_options(assay_fuzz_${name} PRIVATE -fsanitize=${ASSAY_ENGINE_SANITIZE})
    endif()
    set_target_properties(assay_fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/engines)
endfunction()

if(NOT ASSAY_ENGINES)
    return()
endif()

add_library(engine STATIC ${assay_engines_folder}/engine.c)
target_include_directories(engine PUBLIC ${assay_engines_folder})
target_link_libraries(engine PUBLIC front)

# What is under test, by group; the harness's side of the memory lent is not.
set(folder ${PROJECT_SOURCE_DIR}/allocators)
file(GLOB canary_sources CONFIGURE_DEPENDS ${folder}/broken/*.c)
file(GLOB page_sources CONFIGURE_DEPENDS ${folder}/buddy*.c)
file(GLOB object_sources CONFIGURE_DEPENDS ${folder}/slab*.c ${folder}/kmalloc*.c)
file(GLOB area_sources CONFIGURE_DEPENDS ${folder}/vmalloc*.c)
foreach(name freelist stack region break)
    assay_engine_subject(${name} ${folder}/${name}.c)
    assay_fuzz_target(${name} SUBJECTS ${name} DEFINE ASSAY_TARGET="${name}")
endforeach()
assay_engine_subject(pages ${page_sources} ${folder}/highmem.c)
assay_engine_subject(objects ${object_sources})
assay_engine_subject(areas ${area_sources} ${folder}/kvmalloc.c)
assay_engine_subject(pools ${folder}/mempool.c)
assay_engine_subject(canaries ${canary_sources})
set(kernel pages objects areas pools)

assay_fuzz_target(libc DEFINE ASSAY_TARGET="libc")
assay_fuzz_target(buddy SUBJECTS pages DEFINE ASSAY_TARGET="buddy")
assay_fuzz_target(slab SUBJECTS pages objects DEFINE ASSAY_TARGET="slab")
assay_fuzz_target(kmalloc SUBJECTS pages objects DEFINE ASSAY_TARGET="kmalloc")
assay_fuzz_target(vmalloc SUBJECTS ${kernel} DEFINE ASSAY_TARGET="vmalloc")
# Any allocator, canaries among them, by name at run time.
assay_fuzz_target(any SUBJECTS freelist stack region break ${kernel} canaries)

# One group of the kernel's families each, on the allocator that has them all.
foreach(group pages caches kmalloc vmalloc pools)
    string(TOUPPER ${group} GROUP)
    assay_fuzz_target(kernel_${group} SUBJECTS ${kernel} DEFINE ASSAY_TARGET="vmalloc" ASSAY_GROUPS=SWARM_${GROUP})
endforeach()

if(ASSAY_ENGINES STREQUAL "afl" AND EXISTS ${assay_engines_folder}/mutate.c)
    # What afl-fuzz loads into itself.
    set_target_properties(libassay allocators PROPERTIES POSITION_INDEPENDENT_CODE ON)
    add_library(assay_mutate_afl MODULE ${assay_engines_folder}/mutate_afl.c ${assay_engines_folder}/mutate.c)
    target_link_libraries(assay_mutate_afl PRIVATE libassay)
    set_target_properties(assay_mutate_afl PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/engines)
endif()
