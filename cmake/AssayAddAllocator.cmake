# assay_add_allocator(NAME SOURCES file… [INCLUDE folder…] [LINK library…] [CONTRACT word…]
#                     [CORPUS folder] [PROGRAMS number] [SEED number])
#
# Brings an allocator to assay. SOURCES are its own and its adapter (alloc.h is the manual), which exports assay_allocator;
# INCLUDE and LINK are what they need. Made of it are, for the allocator NAME:
#
#   assay_NAME          a module, NAME.so, for `assay check` and every other verb; without sanitizers
#   assay_fuzz_NAME     a libFuzzer target, where clang is there
#   assay_afl_NAME      an AFL++ target, where clang and afl-clang-fast are there
#   assay_bench_NAME    prints what a malloc and its free cost, raw and checked; built and run when asked for
#   assay.NAME.check    a test: PROGRAMS (2000) generated programs from SEED (1); what is found is below assay-out
#   assay.NAME.replay   a test: every program below CORPUS (corpus/NAME beside the list file), if that folder exists
#
# CONTRACT says what holds instead of what the adapter's contract says, for all of them, in the words of --profile:
# `+explained` adds a promise, `-reuses` takes one back, `zero-size=unique`, `realloc-zero=frees`, `strict`. The bytes of the
# contract (alignment, header, waste) are facts of the allocator and stay in the adapter.
#
# Fuzz targets need the engine's own compiler, so each engine has a build of its own of the whole project, in the folder
# engines/<engine> of the build folder, configured when the target is built with all that is in the project's cache, but for
# compilers other than clang and the kind of build, which is RelWithDebInfo; the program is in engines/ there. What is under
# test is instrumented, assay is not. Who calls CMake with ASSAY_ENGINES=libfuzzer (or afl) and
# CMAKE_C_COMPILER=clang gets the same target in that very build.

set(assay_build_engine ${CMAKE_CURRENT_LIST_DIR}/AssayBuildEngine.cmake)

function(assay_add_allocator name)
    cmake_parse_arguments(PARSE_ARGV 1 allocator "" "CORPUS;PROGRAMS;SEED" "SOURCES;INCLUDE;LINK;CONTRACT")
    if(allocator_UNPARSED_ARGUMENTS OR allocator_KEYWORDS_MISSING_VALUES OR NOT allocator_SOURCES)
        message(FATAL_ERROR "assay_add_allocator(${name}): SOURCES with files are needed, and these words are not known or "
            "lack a value: ${allocator_UNPARSED_ARGUMENTS} ${allocator_KEYWORDS_MISSING_VALUES}")
    endif()
    foreach(default CORPUS=${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name} PROGRAMS=2000 SEED=1)
        string(REGEX MATCH "^([A-Z]+)=(.*)" default "${default}")
        if(NOT DEFINED allocator_${CMAKE_MATCH_1})
            set(allocator_${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
        endif()
    endforeach()
    list(JOIN allocator_CONTRACT "," profile)

    add_library(assay_${name} MODULE ${allocator_SOURCES})
    set_target_properties(assay_${name} PROPERTIES
        PREFIX "" OUTPUT_NAME ${name} C_VISIBILITY_PRESET default CXX_VISIBILITY_PRESET default)
    target_include_directories(assay_${name} PRIVATE ${allocator_INCLUDE})
    target_link_libraries(assay_${name} PRIVATE assay::headers ${allocator_LINK})
    # The program that opens it has no sanitizer's runtime, whatever the rest of the project is built with.
    target_compile_options(assay_${name} PRIVATE $<$<C_COMPILER_ID:GNU,Clang,AppleClang>:-fno-sanitize=all>)
    target_link_options(assay_${name} PRIVATE $<$<C_COMPILER_ID:GNU,Clang,AppleClang>:-fno-sanitize=all>)

    set(asked $<TARGET_FILE:assay_${name}>)
    if(profile)
        list(APPEND asked --profile=${profile})
    endif()
    add_custom_target(assay_bench_${name} COMMAND assay::bench_pair ${asked} USES_TERMINAL VERBATIM)
    add_dependencies(assay_bench_${name} assay_${name})
    if(BUILD_TESTING OR NOT DEFINED BUILD_TESTING)
        add_test(NAME assay.${name}.check COMMAND assay::assay check ${asked}
            --programs ${allocator_PROGRAMS} --seed ${allocator_SEED} --out ${CMAKE_CURRENT_BINARY_DIR}/assay-out)
        cmake_path(ABSOLUTE_PATH allocator_CORPUS BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
        file(GLOB_RECURSE programs CONFIGURE_DEPENDS ${allocator_CORPUS}/*.ops ${allocator_CORPUS}/*.bin)
        if(programs)
            add_test(NAME assay.${name}.replay COMMAND assay::assay replay ${asked} ${allocator_CORPUS})
        endif()
    endif()
    assay_fuzz_linked(${name} "${profile}" SOURCES ${allocator_SOURCES}
        INCLUDE ${allocator_INCLUDE} LINK ${allocator_LINK})
endfunction()

# The fuzz target of an allocator that is linked into it, in a build for one engine; elsewhere, targets that make such
# builds. A helper of assay_add_allocator.
function(assay_fuzz_linked name profile)
    cmake_parse_arguments(PARSE_ARGV 2 linked "" "" "SOURCES;INCLUDE;LINK")
    if(ASSAY_ENGINES)
        assay_engine_subject(${name} ${linked_SOURCES})
        target_include_directories(under_test_${name} PRIVATE ${linked_INCLUDE})
        target_link_libraries(under_test_${name} PRIVATE ${linked_LINK})
        assay_fuzz_target(${name} SUBJECTS ${name}
            DEFINE ASSAY_LINKED ASSAY_TARGET="$<TARGET_FILE:assay_${name}>" ASSAY_CONTRACT="${profile}")
        target_link_libraries(assay_fuzz_${name} PRIVATE ${linked_LINK})
        add_dependencies(assay_fuzz_${name} assay_${name})
        return()
    endif()
    assay_engine_compilers()
    foreach(pair fuzz:libfuzzer afl:afl)
        string(REGEX MATCH "(.*):(.*)" pair ${pair})
        set(engine ${CMAKE_MATCH_2})
        if(ASSAY_CLANG AND (engine STREQUAL "libfuzzer" OR ASSAY_AFL_CLANG_FAST))
            add_custom_target(assay_${CMAKE_MATCH_1}_${name}
                COMMAND ${CMAKE_COMMAND} -DENGINE=${engine} -DCC=${ASSAY_CLANG} -DCXX=${ASSAY_CLANGXX}
                    -DTARGET=assay_fuzz_${name} -DSOURCE=${CMAKE_SOURCE_DIR} -DBUILD=${CMAKE_BINARY_DIR}/engines/${engine}
                    "-DGENERATOR=${CMAKE_GENERATOR}" -DASSAY=${assay_DIR} -DSETTINGS=${CMAKE_BINARY_DIR}/engines/settings.cmake
                    -P ${assay_build_engine}
                USES_TERMINAL VERBATIM)
        endif()
    endforeach()
    get_property(deferred GLOBAL PROPERTY assay_settings_deferred)
    if(NOT deferred)
        set_property(GLOBAL PROPERTY assay_settings_deferred TRUE)
        cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL assay_engine_settings)
    endif()
endfunction()

# The project's own compiler, where it is a clang; else the clang that is there.
macro(assay_engine_compilers)
    if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
        set(ASSAY_CLANG ${CMAKE_C_COMPILER})
    else()
        find_program(ASSAY_CLANG clang)
    endif()
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        set(ASSAY_CLANGXX ${CMAKE_CXX_COMPILER})
    else()
        find_program(ASSAY_CLANGXX clang++)
    endif()
    find_program(ASSAY_AFL_CLANG_FAST afl-clang-fast)
endmacro()

# What the user has set, for the engines' builds: the whole cache, but for compilers and what differs there.
function(assay_engine_settings)
    get_cmake_property(names CACHE_VARIABLES)
    set(text "")
    foreach(name ${names})
        get_property(type CACHE ${name} PROPERTY TYPE)
        if(type MATCHES "INTERNAL|STATIC" OR name MATCHES "^CMAKE_[A-Z]+_COMPILER(_AR|_RANLIB)?$|^CMAKE_BUILD_TYPE$|^ASSAY_ENGINES$")
            continue()
        endif()
        get_property(value CACHE ${name} PROPERTY VALUE)
        string(REPLACE "UNINITIALIZED" "STRING" type ${type})
        string(APPEND text "set(${name} [==[${value}]==] CACHE ${type} \"\" FORCE)\n")
    endforeach()
    file(WRITE ${CMAKE_BINARY_DIR}/engines/settings.cmake "${text}")
endfunction()
