#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <span>
#include <string_view>

#include "tidbit/tidbit.h"
#include "tidbit/tidbit.hpp"

struct tidbit_model {
  tidbit::Model model;
};

struct tidbit_session {
  tidbit::Session session;
};

namespace {

using tidbit::Status;
using tidbit::StatusCode;

static_assert(TIDBIT_OK == static_cast<tidbit_status>(StatusCode::Ok));
static_assert(TIDBIT_INVALID_ARGUMENT == static_cast<tidbit_status>(StatusCode::InvalidArgument));
static_assert(TIDBIT_NOT_FOUND == static_cast<tidbit_status>(StatusCode::NotFound));
static_assert(TIDBIT_INVALID_FILE == static_cast<tidbit_status>(StatusCode::InvalidFile));
static_assert(TIDBIT_NEWER_VERSION == static_cast<tidbit_status>(StatusCode::NewerVersion));
static_assert(TIDBIT_OUT_OF_MEMORY == static_cast<tidbit_status>(StatusCode::OutOfMemory));

/// The last failure of each thread: no allocation, which may be what failed.
thread_local std::array<char, 1024> last_error;

tidbit_status fail(StatusCode code, std::string_view message) {
  const size_t count = std::min(message.size(), last_error.size() - 1);
  std::copy_n(message.begin(), count, last_error.begin());
  last_error[count] = '\0';
  return static_cast<tidbit_status>(code);
}

tidbit_status missing(const char* argument) {
  last_error[0] = '\0';
  std::strcat(last_error.data(), argument);
  std::strcat(last_error.data(), ": is NULL");
  return TIDBIT_INVALID_ARGUMENT;
}

/// The caller's struct, with defaults in what an older caller's has not got.
template <class Options>
Options options_of(const Options* given) {
  Options options{};
  if (given != nullptr) std::memcpy(&options, given, std::min(given->size, sizeof(Options)));
  return options;
}

/// Fills what the caller's struct has.
template <class Info>
void fill(Info* into, Info info) {
  info.size = into->size;
  std::memcpy(into, &info, std::min(into->size, sizeof(Info)));
}

/// Gives the caller `made` in a handle, or says why there is none. Exceptions that remain are of memory.
template <class Handle, class Make>
tidbit_status give(Handle** handle, const Make& make) noexcept {
  try {
    auto made = make();
    if (!made) {
      const Status status = made.status();
      return fail(status.code(), status.message());
    }
    *handle = new Handle{*std::move(made)};
    return TIDBIT_OK;
  } catch (const std::bad_alloc&) {
    return fail(StatusCode::OutOfMemory, "out of memory");
  }
}

tidbit::LoadOptions load_options(const tidbit_load_options* given) {
  const tidbit_load_options options = options_of(given);
  tidbit::LoadOptions result;
  if (options.kernel_family != nullptr) result.kernel_family = options.kernel_family;
  if (options.tuning != nullptr) result.tuning = options.tuning;
  if (options.max_arena_bytes != 0) {
    result.max_arena_bytes = static_cast<size_t>(std::min<uint64_t>(options.max_arena_bytes, SIZE_MAX));
  }
  result.xnnpack = options.without_xnnpack == 0;
  return result;
}

tidbit_status tensor_info(const tidbit_model* model, std::span<const size_t> (tidbit::Model::*which)() const,
                          size_t index, tidbit_tensor_info* info) {
  if (model == nullptr) return missing("model");
  if (info == nullptr) return missing("info");
  const std::span<const size_t> tensors = (model->model.*which)();
  if (index >= tensors.size()) return fail(StatusCode::InvalidArgument, "index: the model has no such tensor");
  const tidbit::TensorInfo& tensor = model->model.tensors()[tensors[index]];
  fill(info, {.size = 0,
              .name = tensor.name.c_str(),
              .shape = tensor.shape.data(),
              .rank = tensor.shape.size(),
              .elements = tensor.elements(),
              .channels_last = tensor.channels_last});
  return TIDBIT_OK;
}

template <class T>
T* give(std::span<T> values, size_t* elements) {
  if (elements != nullptr) *elements = values.size();
  return values.empty() ? nullptr : values.data();
}

}  // namespace

extern "C" {

const char* tidbit_last_error() { return last_error.data(); }

const char* tidbit_version() { return tidbit::version().data(); }

tidbit_status tidbit_model_load(const char* path, const tidbit_load_options* options, tidbit_model** model) {
  if (path == nullptr) return missing("path");
  if (model == nullptr) return missing("model");
  return give(model, [&] { return tidbit::Model::load(std::string(path), load_options(options)); });
}

tidbit_status tidbit_model_load_bytes(const void* file, size_t bytes, const tidbit_load_options* options,
                                      tidbit_model** model) {
  if (file == nullptr) return missing("file");
  if (model == nullptr) return missing("model");
  return give(model, [&] {
    return tidbit::Model::load(std::span(static_cast<const std::byte*>(file), bytes), load_options(options));
  });
}

void tidbit_model_free(tidbit_model* model) { delete model; }

const char* tidbit_model_name(const tidbit_model* model) {
  return model == nullptr ? nullptr : model->model.name().c_str();
}

size_t tidbit_model_input_count(const tidbit_model* model) {
  return model == nullptr ? 0 : model->model.inputs().size();
}

size_t tidbit_model_output_count(const tidbit_model* model) {
  return model == nullptr ? 0 : model->model.outputs().size();
}

tidbit_status tidbit_model_input(const tidbit_model* model, size_t index, tidbit_tensor_info* info) {
  return tensor_info(model, &tidbit::Model::inputs, index, info);
}

tidbit_status tidbit_model_output(const tidbit_model* model, size_t index, tidbit_tensor_info* info) {
  return tensor_info(model, &tidbit::Model::outputs, index, info);
}

size_t tidbit_model_label_count(const tidbit_model* model) {
  return model == nullptr ? 0 : model->model.labels().size();
}

const char* tidbit_model_label(const tidbit_model* model, size_t index) {
  return index < tidbit_model_label_count(model) ? model->model.labels()[index].c_str() : nullptr;
}

tidbit_status tidbit_model_image_preprocessing(const tidbit_model* model, tidbit_image_preprocessing* images) {
  if (model == nullptr) return missing("model");
  if (images == nullptr) return missing("images");
  const auto& found = model->model.preprocessing();
  if (!found) return fail(StatusCode::NotFound, "the model says nothing of images");
  fill(images, {.size = 0,
                .channels_last = found->channels_last,
                .bgr = found->bgr,
                .channels = found->mean.size(),
                .mean = found->mean.data(),
                .deviation = found->deviation.data()});
  return TIDBIT_OK;
}

size_t tidbit_model_file_bytes(const tidbit_model* model) { return model == nullptr ? 0 : model->model.file_bytes(); }

size_t tidbit_model_packed_bytes(const tidbit_model* model) {
  return model == nullptr ? 0 : model->model.packed_bytes();
}

tidbit_status tidbit_session_create(const tidbit_model* model, const tidbit_session_options* options,
                                    tidbit_session** session) {
  if (model == nullptr) return missing("model");
  if (session == nullptr) return missing("session");
  const tidbit_session_options given = options_of(options);
  tidbit::SessionOptions made;
  if (given.batch != 0) made.batch = given.batch;
  if (given.threads != 0) made.threads = given.threads;
  made.thread_pool = given.thread_pool;
  return give(session, [&] { return tidbit::Session::create(model->model, made); });
}

void tidbit_session_free(tidbit_session* session) { delete session; }

float* tidbit_session_input(tidbit_session* session, size_t index, size_t* elements) {
  return give(session == nullptr ? std::span<float>() : session->session.input(index), elements);
}

void tidbit_session_run(tidbit_session* session) {
  if (session != nullptr) session->session.run();
}

const float* tidbit_session_output(const tidbit_session* session, size_t index, size_t* elements) {
  return give(session == nullptr ? std::span<const float>() : session->session.output(index), elements);
}

size_t tidbit_session_arena_bytes(const tidbit_session* session) {
  return session == nullptr ? 0 : session->session.arena_bytes();
}

}  // extern "C"
