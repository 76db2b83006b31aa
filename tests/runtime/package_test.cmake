# Installs the runtime and builds a program of another project that finds it as a package, and is small.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --component runtime --prefix ${WORK}/prefix)
set(compiler -DCMAKE_CXX_COMPILER=${COMPILER})
if(TOOLCHAIN)  # which looks for packages below its roots alone
  set(compiler -DCMAKE_TOOLCHAIN_FILE=${TOOLCHAIN} -DCMAKE_FIND_ROOT_PATH=${WORK}/prefix)
endif()
run(${CMAKE_COMMAND} -S ${CONSUMER} -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/prefix ${compiler})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${CMAKE_CTEST_COMMAND} --test-dir ${WORK}/build --output-on-failure)

set(largest 1572864)  # 1.5 MiB, stripped
run(${STRIP} -o ${WORK}/stripped ${WORK}/build/consumer)
file(SIZE ${WORK}/stripped size)
message(STATUS "a program with the runtime alone takes ${size} bytes")
if(size GREATER largest)
  message(FATAL_ERROR "which is more than ${largest}")
endif()
