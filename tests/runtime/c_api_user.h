/* A program in C that uses the C API, driven by c_api_test.cc. */
#ifndef TIDBIT_TESTS_C_API_USER_H
#define TIDBIT_TESTS_C_API_USER_H

#include <stddef.h>

#include "tidbit/tidbit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs a model of one input and copies its output `index`; a status, as its first call that failed. */
tidbit_status run_in_c(const void* file, size_t bytes, const float* input, size_t samples, size_t index, float* output,
                       size_t output_elements);

/* The size of each struct, as C has it: load options, session options, tensor info, preprocessing. */
void sizes_in_c(size_t sizes[4]);

#ifdef __cplusplus
}
#endif

#endif
