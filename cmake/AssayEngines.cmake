# Targets for coverage-guided fuzzing engines: assay_fuzz_<name>. Those of the built-in allocators are made in
# fuzz/engines/CMakeLists.txt, those of users by assay_add_allocator, from assay's own tree and from its package alike.
#
# What is under test is compiled once for each engine with that engine's coverage (and, in the preset libfuzzer-asan, with
# sanitizers); model, machine and front come from the ordinary archives, uninstrumented. The linker takes the instrumented
# objects first, so that the archives' copies of the same files are never looked at.
#
#   ASSAY_ENGINES           OFF, or an engine: libfuzzer, afl; or service: whatever the compiler and its flags bring, as the
#                           contract of OSS-Fuzz has it
#   ASSAY_ENGINE_LIBRARY    what targets link with then: a library or flags ($LIB_FUZZING_ENGINE)
#   ASSAY_ENGINE_SANITIZE   sanitizers for what is under test, in the words of -fsanitize=; empty: none
#   ASSAY_ENGINES_FOLDER    where the entry points lie
set(ASSAY_ENGINES OFF CACHE STRING "Fuzzing engine to make targets for: OFF, libfuzzer, afl, service")
set(ASSAY_ENGINE_LIBRARY "" CACHE STRING "What fuzz targets link with where ASSAY_ENGINES is service")
set(ASSAY_ENGINE_SANITIZE "" CACHE STRING "Sanitizers for what is under test in fuzz targets: address,undefined")

if(NOT ASSAY_ENGINES_FOLDER)
    set(ASSAY_ENGINES_FOLDER ${PROJECT_SOURCE_DIR}/fuzz/engines)
endif()

# Flags by engine: for what is under test, and for the link. Of libFuzzer's coverage only the counters: following compared
# values (-fsanitize=fuzzer-no-link adds that) costs as much as the allocators themselves, and tells little of sizes that
# the mutators move to their borders anyway.
set(engine_compile_libfuzzer -fsanitize-coverage=inline-8bit-counters,pc-table)
set(engine_link_libfuzzer -fsanitize=fuzzer)
set(engine_sources_libfuzzer ${ASSAY_ENGINES_FOLDER}/libfuzzer.c)

# AFL++ brings its coverage as a compiler of its own, which takes clang's place for what is under test and at the link.
set(engine_compiler_afl ${CMAKE_CURRENT_LIST_DIR}/afl-compiler)
set(engine_sources_afl ${ASSAY_ENGINES_FOLDER}/afl_main.c)

# A fuzzing service gives compiler and flags by the environment, for what is under test and all else, and wants its C++
# compiler to link. AFL++'s driver knows libFuzzer's entry points.
set(engine_sources_service ${ASSAY_ENGINES_FOLDER}/libfuzzer.c)
if(ASSAY_ENGINES STREQUAL "service")
    enable_language(CXX)
    separate_arguments(engine_library_service UNIX_COMMAND "${ASSAY_ENGINE_LIBRARY}")
    set(engine_linker_service CXX)
endif()

# assay_engine_harness(TARGET…): these are not under test: a service's flags and compiler must not instrument them.
function(assay_engine_harness)
    if(ASSAY_ENGINES STREQUAL "service")
        set(launcher env AFL_NOOPT=1 ${CMAKE_C_COMPILER_LAUNCHER}) # means something to AFL++'s compiler alone
        foreach(target ${ARGN})
            target_compile_options(${target} PRIVATE -O2 -fno-sanitize=all)
            set_target_properties(${target} PROPERTIES
                C_COMPILER_LAUNCHER "${launcher}")
        endforeach()
    endif()
endfunction()

# assay_engine_subject(NAME FILE…): an object library under_test_NAME, with the engine's coverage.
function(assay_engine_subject name)
    add_library(under_test_${name} OBJECT ${ARGN})
    target_link_libraries(under_test_${name} PRIVATE assay::headers)
    target_compile_options(under_test_${name} PRIVATE ${engine_compile_${ASSAY_ENGINES}})
    if(engine_compiler_${ASSAY_ENGINES})
        set_target_properties(under_test_${name} PROPERTIES
            C_COMPILER_LAUNCHER ${engine_compiler_${ASSAY_ENGINES}}
            CXX_COMPILER_LAUNCHER ${engine_compiler_${ASSAY_ENGINES}})
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
    add_executable(assay_fuzz_${name} ${ASSAY_ENGINES_FOLDER}/${fuzz_MAIN} ${engine_sources_${ASSAY_ENGINES}})
    if(engine_compiler_${ASSAY_ENGINES})
        set_target_properties(assay_fuzz_${name} PROPERTIES
            C_LINKER_LAUNCHER ${engine_compiler_${ASSAY_ENGINES}}
            CXX_LINKER_LAUNCHER ${engine_compiler_${ASSAY_ENGINES}})
    endif()
    foreach(subject ${fuzz_SUBJECTS})
        target_sources(assay_fuzz_${name} PRIVATE $<TARGET_OBJECTS:under_test_${subject}>)
    endforeach()
    target_compile_definitions(assay_fuzz_${name} PRIVATE ${fuzz_DEFINE})
    target_link_libraries(assay_fuzz_${name} PRIVATE assay::engine ${engine_library_${ASSAY_ENGINES}})
    target_link_options(assay_fuzz_${name} PRIVATE ${engine_link_${ASSAY_ENGINES}})
    if(engine_linker_${ASSAY_ENGINES})
        set_target_properties(assay_fuzz_${name} PROPERTIES LINKER_LANGUAGE ${engine_linker_${ASSAY_ENGINES}})
    endif()
    if(ASSAY_ENGINE_SANITIZE)
        target_link_options(assay_fuzz_${name} PRIVATE -fsanitize=${ASSAY_ENGINE_SANITIZE})
    endif()
    set_target_properties(assay_fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/engines)
endfunction()
