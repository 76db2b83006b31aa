/* Tidbit's C API: load a .tbit model, make a session, run it. The same objects as tidbit.hpp's, with a stable ABI.
 *
 *   tidbit_model* model;
 *   tidbit_session* session;
 *   if (tidbit_model_load("digits.tbit", NULL, &model) != TIDBIT_OK) return fail(tidbit_last_error());
 *   if (tidbit_session_create(model, NULL, &session) != TIDBIT_OK) return fail(tidbit_last_error());
 *   memcpy(tidbit_session_input(session, 0, NULL), pixels, sizeof pixels);
 *   tidbit_session_run(session);
 *   use(tidbit_session_output(session, 0, NULL));
 *   tidbit_session_free(session);
 *   tidbit_model_free(model);
 *
 * All that can fail returns a status, and leaves what it was to write as it was. Structs begin with their size, which
 * the caller sets: an older program works with a newer library, whose structs may have grown at their end. Strings and
 * arrays are UTF-8 and row-major; unless said otherwise they belong to the object they were asked of, and live as long
 * as it. Objects given as NULL, and indices out of range, are no error where a function returns a pointer or a count:
 * it returns NULL or 0.
 */
#ifndef TIDBIT_TIDBIT_H
#define TIDBIT_TIDBIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t tidbit_status;
enum {
  TIDBIT_OK = 0,
  TIDBIT_INVALID_ARGUMENT = 1, /* the caller's argument */
  TIDBIT_NOT_FOUND = 2,        /* no such file */
  TIDBIT_INVALID_FILE = 3,     /* not a .tbit file, or a damaged one */
  TIDBIT_NEWER_VERSION = 4,    /* written by a newer compiler */
  TIDBIT_OUT_OF_MEMORY = 5
};

/* What failed last on this thread, in one line; "" if nothing has. Lives until the next failure on this thread. */
const char* tidbit_last_error(void);

/* "major.minor.patch" of this library. */
const char* tidbit_version(void);

/* --- Models: verified, immutable, packed for this machine. May be shared by threads. */

typedef struct tidbit_model tidbit_model;

typedef struct tidbit_load_options {
  size_t size;               /* sizeof(tidbit_load_options) */
  const char* kernel_family; /* "bitserial", "lut" or "dot": use it wherever it can; NULL: the cheapest a layer */
  uint64_t max_arena_bytes;  /* what wants more for activations, or packed weights, is refused; 0: as in C++ */
  int32_t without_xnnpack;   /* not 0: all real layers run on Tidbit's own kernels, in float64 */
  const char* tuning;        /* the text that `tidbit tune` wrote on this device: kernels by measurement; may be NULL */
} tidbit_load_options;

/* Maps the file, which must not change while the model lives. `options` may be NULL. */
tidbit_status tidbit_model_load(const char* path, const tidbit_load_options* options, tidbit_model** model);

/* Uses the file's bytes in place: they must be aligned to 64 bytes and outlive the model and its sessions. */
tidbit_status tidbit_model_load_bytes(const void* file, size_t bytes, const tidbit_load_options* options,
                                      tidbit_model** model);

/* Sessions of the model live on. */
void tidbit_model_free(tidbit_model* model);

/* An input or output, float32. */
typedef struct tidbit_tensor_info {
  size_t size;           /* sizeof(tidbit_tensor_info) */
  const char* name;      /* the ONNX value */
  const int64_t* shape;  /* of one sample, with the batch that the model was compiled for */
  size_t rank;           /* extents in `shape` */
  size_t elements;       /* their product */
  int32_t channels_last; /* 1: axis 1 of the ONNX value is the last axis here */
} tidbit_tensor_info;

/* How pixels become the first input: real = (pixel/255 - mean[c]) / deviation[c]. */
typedef struct tidbit_image_preprocessing {
  size_t size;           /* sizeof(tidbit_image_preprocessing) */
  int32_t channels_last; /* 1: the input is [N,H,W,C]; 0: [N,C,H,W] */
  int32_t bgr;           /* 1: blue first; 0: red first */
  size_t channels;       /* of `mean` and `deviation` */
  const float* mean;
  const float* deviation;
} tidbit_image_preprocessing;

const char* tidbit_model_name(const tidbit_model* model);
size_t tidbit_model_input_count(const tidbit_model* model);
size_t tidbit_model_output_count(const tidbit_model* model);
tidbit_status tidbit_model_input(const tidbit_model* model, size_t index, tidbit_tensor_info* info);
tidbit_status tidbit_model_output(const tidbit_model* model, size_t index, tidbit_tensor_info* info);
size_t tidbit_model_label_count(const tidbit_model* model);
const char* tidbit_model_label(const tidbit_model* model, size_t index);
/* TIDBIT_NOT_FOUND where the file says nothing of images. */
tidbit_status tidbit_model_image_preprocessing(const tidbit_model* model, tidbit_image_preprocessing* images);
size_t tidbit_model_file_bytes(const tidbit_model* model);
size_t tidbit_model_packed_bytes(const tidbit_model* model);

/* --- Sessions: one run at a time; one for each thread that runs the model. */

typedef struct tidbit_session tidbit_session;

typedef struct tidbit_session_options {
  size_t size;       /* sizeof(tidbit_session_options) */
  size_t batch;      /* samples a run: every tensor holds this many, one after the other; 0: 1 */
  size_t threads;    /* that a run uses, the caller's among them; 0: 1 */
  void* thread_pool; /* a pthreadpool_t to use instead of making one; must outlive the session; may be NULL */
} tidbit_session_options;

/* `options` may be NULL. */
tidbit_status tidbit_session_create(const tidbit_model* model, const tidbit_session_options* options,
                                    tidbit_session** session);
void tidbit_session_free(tidbit_session* session);

/* Where an input goes, and how many elements it has (batch x the tensor's); `elements` may be NULL. Keeps its values
 * over runs. */
float* tidbit_session_input(tidbit_session* session, size_t index, size_t* elements);

/* Allocates nothing and cannot fail. */
void tidbit_session_run(tidbit_session* session);

/* An output of the last run. */
const float* tidbit_session_output(const tidbit_session* session, size_t index, size_t* elements);

size_t tidbit_session_arena_bytes(const tidbit_session* session);

#ifdef __cplusplus
}
#endif

#endif
