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

set(largest 1572864)  # 1.5 MiB, stripped, without XNNPACK's functions
run(${STRIP} -o ${WORK}/stripped ${WORK}/build/consumer)
file(SIZE ${WORK}/stripped size)
execute_process(COMMAND ${NM} --print-size --radix=d ${WORK}/build/consumer COMMAND awk "/ xnn_/ {sum += $2} END {print sum + 0}"
                OUTPUT_VARIABLE xnnpack OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
math(EXPR size "${size} - ${xnnpack}")
message(STATUS "a program with the runtime alone takes ${size} bytes, and ${xnnpack} of XNNPACK")
if(size GREATER largest)
  message(FATAL_ERROR "which is more than ${largest}")
endif()
