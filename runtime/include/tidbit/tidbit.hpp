// Tidbit's C++ API: load a .tbit model, make a session, run it.
//
//   auto model = tidbit::Model::load("digits.tbit");
//   if (!model) return fail(model.status().message());
//   auto session = tidbit::Session::create(*model, {.threads = 2});
//   std::ranges::copy(pixels, session->input(0).begin());
//   session->run();
//   use(session->output(0));
//
// All that can fail fails before run(): load verifies and validates the file, chooses kernels and packs weights; create
// plans and allocates the arena. run() allocates nothing and has nothing to report. No exception crosses this API.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tidbit {

enum class StatusCode : uint8_t {
  Ok,
  InvalidArgument,  // the caller's argument
  NotFound,         // no such file
  InvalidFile,      // not a .tbit file, or a damaged one
  NewerVersion,     // written by a newer compiler
  OutOfMemory,
};

/// A code and, unless it is Ok, one line that names the file, node or argument, what is wrong and what to do.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::Ok; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::Ok;
  std::string message_;
};

/// A value, or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : state_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }
  Status status() const { return ok() ? Status() : std::get<Status>(state_); }

  T& operator*() & { return std::get<T>(state_); }
  const T& operator*() const& { return std::get<T>(state_); }
  T&& operator*() && { return std::get<T>(std::move(state_)); }
  T* operator->() { return &std::get<T>(state_); }
  const T* operator->() const { return &std::get<T>(state_); }

 private:
  std::variant<T, Status> state_;
};

/// A tensor of the model, one sample of it. Row-major.
struct TensorInfo {
  std::string name;            // the ONNX value it holds; empty for one the compiler made up
  std::vector<int64_t> shape;  // as compiled, with the model's own batch
  bool is_real = true;         // float32; else one byte a code
  int bits = 32;               // of a code
  int32_t step = 1, base = 0;  // of codes: real = scale * (step*code + base)
  double scale = 1;
  bool channels_last = false;  // axis 1 of the ONNX value is the last axis here

  size_t elements() const {
    size_t count = 1;
    for (int64_t extent : shape) count *= static_cast<size_t>(extent);
    return count;
  }
};

/// What a node of the model does and which kernel was chosen for it.
struct NodeInfo {
  std::string name;
  std::string op;
  std::vector<size_t> inputs, outputs;  // indices of tensors
  int weight_bits = 0;                  // 0: no weights; 32: real ones
  int activation_bits = 0;              // 0: real activations
  int64_t macs = 0;                     // a sample
  size_t weight_bytes = 0;              // in the file
  size_t packed_bytes = 0;              // as packed for the kernel; XNNPACK packs for each session anew
  std::string kernel;                   // a GEMM or float32 layer's, or "xnnpack"; empty where there is no choice
  std::vector<std::pair<std::string, double>>
      candidates;     // a GEMM layer's usable kernels and their cost, cheapest first
  std::string layer;  // what a GEMM layer's speed depends on, by its name in LoadOptions::tuning
};

/// How an application turns pixels into the first input: real = (pixel/255 - mean[c]) / deviation[c].
struct ImagePreprocessing {
  bool channels_last = false;  // input is [N,H,W,C]; else [N,C,H,W]
  bool bgr = false;
  std::vector<float> mean, deviation;  // one a channel
};

struct LoadOptions {
  /// "bitserial", "lut" or "dot": use this family wherever it can; empty: the cheapest for each layer.
  std::string kernel_family = {};
  /// What `tidbit tune` wrote on this device: kernels measured to be the fastest. Layers it does not name, and those
  /// whose kernel this machine does not have, get the cheapest by rule. Does not count where kernel_family is given.
  std::string tuning = {};
  /// A file that wants more than this for its activations, or for its packed weights, is refused. 4 GiB, or 1 GiB where
  /// addresses have 32 bits.
  size_t max_arena_bytes = SIZE_MAX > UINT32_MAX ? static_cast<size_t>(uint64_t{4} << 30) : size_t{1} << 30;
  /// Real layers whose results reach no quantizer run in float32, within 1e-5 of the tensor's range: convolutions on
  /// Tidbit's own kernels where they have one for the machine, what else XNNPACK has, through it, if the library was
  /// built with it. All others, and all where this is false, run on Tidbit's own kernels, in float64.
  bool xnnpack = true;
};

namespace internal {
class ModelImpl;
class SessionImpl;
}  // namespace internal

/// A verified, immutable model with its weights packed for this machine. Cheap to copy; may be shared by threads.
class Model {
 public:
  /// Maps the file; it must not change while the model lives.
  static Result<Model> load(const std::string& path, const LoadOptions& options = {});
  /// Uses `file` in place: it must outlive the model and be aligned to 64 bytes.
  static Result<Model> load(std::span<const std::byte> file, const LoadOptions& options = {});

  const std::string& name() const;
  std::span<const TensorInfo> tensors() const;
  std::span<const NodeInfo> nodes() const;
  std::span<const size_t> inputs() const;   // indices of tensors; all are real
  std::span<const size_t> outputs() const;  // indices of tensors; all are real
  const std::optional<ImagePreprocessing>& preprocessing() const;
  std::span<const std::string> labels() const;
  size_t file_bytes() const;
  size_t packed_bytes() const;  // packed weights, all layers

 private:
  friend class Session;
  friend class internal::ModelImpl;
  explicit Model(std::shared_ptr<const internal::ModelImpl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const internal::ModelImpl> impl_;
};

struct SessionOptions {
  /// Samples a run: every tensor holds this many, one after the other.
  size_t batch = 1;
  /// Threads that run() uses, the caller's among them. The results do not depend on it.
  size_t threads = 1;
  /// A pthreadpool_t of the application to use instead of making one; must outlive the session. `threads` is ignored.
  void* thread_pool = nullptr;
  /// Keeps every tensor after a run, for tensor(): no memory is used twice.
  bool keep_tensors = false;
  /// Measures each node, for node_seconds().
  bool profile = false;
};

/// One run at a time of a model: an arena and a thread pool. Cheap; make one for each thread that runs the model.
class Session {
 public:
  static Result<Session> create(const Model& model, const SessionOptions& options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// Where the i-th input goes, batch x elements; keeps its values over runs.
  std::span<float> input(size_t index);
  void run() noexcept;
  /// The i-th output of the last run.
  std::span<const float> output(size_t index) const;

  /// The bytes of any tensor after a run (float32 or codes). Only with keep_tensors, else empty.
  std::span<const std::byte> tensor(size_t index) const;
  /// Seconds each node took in the last run. Only with profile, else empty.
  std::span<const double> node_seconds() const;
  size_t arena_bytes() const;

 private:
  explicit Session(std::unique_ptr<internal::SessionImpl> impl);
  std::unique_ptr<internal::SessionImpl> impl_;
};

/// "major.minor.patch" of this library.
std::string_view version();

}  // namespace tidbit
