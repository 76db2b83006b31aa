// Progress of what takes over a second: one line on stderr, drawn over and wiped at the end; on a terminal only.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

namespace tidbit::tools {

class Progress {
 public:
  /// `total` is how often advance() will be called; 0 where nobody knows: then the seconds are shown.
  explicit Progress(std::string label, size_t total = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance() { ++done_; }

 private:
  void draw_until_stopped();

  const std::string label_;
  const size_t total_;
  std::atomic<size_t> done_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread drawer_;  // not running where stderr is no terminal
};

}  // namespace tidbit::tools
