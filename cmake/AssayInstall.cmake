# What `cmake --install` puts where: the program, the libraries, the headers, the CMake package, assay.pc, the pages.
#
#   bin/assay                     the program, and libassay_record.so for its `record`
#   lib/libassay*.a               a layer each
#   include/assay/                what adapters include; include/assay/model and …/fuzz for those who drive libassay
#   lib/cmake/assay/              find_package(assay): targets assay::…, and assay_add_allocator
#   libexec/assay/bench_pair      what the bench target of assay_add_allocator runs
#   share/assay/engines/          the entry points of fuzz targets
#
# Nothing in them names the prefix: a tree may be moved, or packed elsewhere (DESTDIR).
include(CMakePackageConfigHelpers)

set(assay_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/assay)
set(assay_private_dir ${CMAKE_INSTALL_LIBEXECDIR}/assay)

# What an adapter needs: its headers alone.
add_library(headers INTERFACE)
add_library(assay::headers ALIAS headers)
target_include_directories(headers INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/allocators>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/assay>)

install(TARGETS assay headers allocators libassay front engine EXPORT assay)
install(TARGETS assay_record LIBRARY DESTINATION ${CMAKE_INSTALL_BINDIR}) # `assay record` looks beside itself
install(TARGETS bench_pair EXPORT assay RUNTIME DESTINATION ${assay_private_dir})
install(EXPORT assay NAMESPACE assay:: FILE assayTargets.cmake DESTINATION ${assay_package_dir})

file(GLOB headers CONFIGURE_DEPENDS allocators/*.h)
list(FILTER headers EXCLUDE REGEX "_internal\\.h$")
install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/assay)
set(headers minimise.h machine_picture.h program/program.h program/encode.h exec/exec.h exec/faults.h exec/observe.h
    judge/verdict.h judge/rules.def judge/area_model.h judge/frame_map.h)
list(TRANSFORM headers PREPEND model/)
install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/assay/model)
file(GLOB headers CONFIGURE_DEPENDS fuzz/target.h fuzz/campaign/generator.h fuzz/engines/engine.h
    fuzz/engines/entry.h fuzz/engines/mutate.h)
install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/assay/fuzz)

set(assay_engines_dir ${CMAKE_INSTALL_DATADIR}/assay/engines)
file(GLOB engines CONFIGURE_DEPENDS fuzz/engines/target_allocator.c fuzz/engines/libfuzzer.c
    fuzz/engines/*_main.c fuzz/engines/*.dict)
install(FILES ${engines} DESTINATION ${assay_engines_dir})

configure_package_config_file(cmake/assayConfig.cmake.in ${PROJECT_BINARY_DIR}/assayConfig.cmake
    INSTALL_DESTINATION ${assay_package_dir} PATH_VARS assay_engines_dir)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/assayConfigVersion.cmake COMPATIBILITY SameMinorVersion)
file(GLOB modules CONFIGURE_DEPENDS cmake/Assay*.cmake)
list(FILTER modules EXCLUDE REGEX "AssayInstall")
install(FILES ${PROJECT_BINARY_DIR}/assayConfig.cmake ${PROJECT_BINARY_DIR}/assayConfigVersion.cmake ${modules}
    DESTINATION ${assay_package_dir})
install(PROGRAMS cmake/afl-compiler DESTINATION ${assay_package_dir})

# Absolute install folders (as some distributions have them) are said as they are, others from where assay.pc lies.
file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" assay_pc_prefix "\${pcfiledir}/${up}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(assay_pc_prefix ${CMAKE_INSTALL_PREFIX})
endif()
foreach(dir BINDIR LIBDIR INCLUDEDIR)
    set(assay_pc_${dir} ${CMAKE_INSTALL_${dir}})
    cmake_path(ABSOLUTE_PATH assay_pc_${dir} BASE_DIRECTORY "\${prefix}")
endforeach()
configure_file(cmake/assay.pc.in ${PROJECT_BINARY_DIR}/assay.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/assay.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
