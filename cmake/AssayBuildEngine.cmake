# cmake -P: builds TARGET of the project SOURCE for one ENGINE with its compiler CC, in the folder BUILD. One at a time in
# that folder, since a build runs several of these side by side.
file(MAKE_DIRECTORY ${BUILD})
file(LOCK ${BUILD} DIRECTORY GUARD PROCESS)
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${BUILD} -G ${GENERATOR} -DCMAKE_C_COMPILER=${CC}
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DASSAY_ENGINES=${ENGINE} -DASSAY_ENGINE_SANITIZE=${SANITIZE} -Dassay_DIR=${ASSAY}
    OUTPUT_FILE ${BUILD}/configure.log COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} --target ${TARGET} COMMAND_ERROR_IS_FATAL ANY)
message(STATUS "${BUILD}/engines/${TARGET}")
