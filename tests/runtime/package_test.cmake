# Installs the runtime and builds programs of another project that find it as a package, in C++ and in C. They are small.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --component runtime --prefix ${WORK}/prefix)
set(compilers -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_C_COMPILER=${C_COMPILER})
if(TOOLCHAIN)  # which looks for packages below its roots alone
  set(compilers -DCMAKE_TOOLCHAIN_FILE=${TOOLCHAIN} -DCMAKE_FIND_ROOT_PATH=${WORK}/prefix)
endif()
run(${CMAKE_COMMAND} -S ${CONSUMER} -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/prefix ${compilers})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${CMAKE_CTEST_COMMAND} --test-dir ${WORK}/build --output-on-failure)

run(${STRIP} -o ${WORK}/stripped ${WORK}/build/consumer)
file(SIZE ${WORK}/stripped size)
message(STATUS "a program with the runtime alone takes ${size} bytes")
if(size GREATER LARGEST)
  message(FATAL_ERROR "which is more than ${LARGEST}")
endif()
