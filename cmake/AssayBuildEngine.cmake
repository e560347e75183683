# cmake -P: builds TARGET of the project SOURCE for one ENGINE with its compilers CC and CXX, in the folder BUILD, and with
# all else as the file SETTINGS has it. One at a time in that folder, since a build runs several of these side by side.
file(MAKE_DIRECTORY ${BUILD})
file(LOCK ${BUILD} DIRECTORY GUARD PROCESS)
if(CXX)
    set(cxx -DCMAKE_CXX_COMPILER=${CXX})
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -C ${SETTINGS} -S ${SOURCE} -B ${BUILD} -G ${GENERATOR} -DCMAKE_C_COMPILER=${CC}
        ${cxx} -DCMAKE_BUILD_TYPE=RelWithDebInfo -DASSAY_ENGINES=${ENGINE} -Dassay_DIR=${ASSAY}
        --no-warn-unused-cli
    OUTPUT_FILE ${BUILD}/configure.log COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} --target ${TARGET} COMMAND_ERROR_IS_FATAL ANY)
message(STATUS "${BUILD}/engines/${TARGET}")
