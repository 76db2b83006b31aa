#include "tests/runtime/c_api_user.h"

#include <string.h>

tidbit_status run_in_c(const void* file, size_t bytes, const float* input, size_t samples, size_t index, float* output,
                       size_t output_elements) {
  tidbit_load_options load = {sizeof(tidbit_load_options), NULL, 0, 0, NULL};
  tidbit_session_options options = {sizeof(tidbit_session_options), samples, 2, NULL};
  tidbit_tensor_info info = {.size = sizeof(tidbit_tensor_info)};
  tidbit_model* model = NULL;
  tidbit_session* session = NULL;
  size_t elements = 0;
  const float* result;
  tidbit_status status = tidbit_model_load_bytes(file, bytes, &load, &model);
  if (status == TIDBIT_OK) status = tidbit_model_input(model, 0, &info);
  if (status == TIDBIT_OK) status = tidbit_session_create(model, &options, &session);
  if (status == TIDBIT_OK) {
    memcpy(tidbit_session_input(session, 0, NULL), input, samples * info.elements * sizeof(float));
    tidbit_session_run(session);
    result = tidbit_session_output(session, index, &elements);
    if (elements != output_elements) {
      status = TIDBIT_INVALID_ARGUMENT;
    } else {
      memcpy(output, result, elements * sizeof(float));
    }
  }
  tidbit_session_free(session);
  tidbit_model_free(model);
  return status;
}

void sizes_in_c(size_t sizes[4]) {
  sizes[0] = sizeof(tidbit_load_options);
  sizes[1] = sizeof(tidbit_session_options);
  sizes[2] = sizeof(tidbit_tensor_info);
  sizes[3] = sizeof(tidbit_image_preprocessing);
}
