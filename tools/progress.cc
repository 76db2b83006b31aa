#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

namespace tidbit::tools {
using namespace std::chrono_literals;

Progress::Progress(std::string label, size_t total) : label_(std::move(label)), total_(total) {
  if (isatty(STDERR_FILENO)) drawer_ = std::thread(&Progress::draw_until_stopped, this);
}

Progress::~Progress() {
  if (!drawer_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_one();
  drawer_.join();
}

void Progress::draw_until_stopped() {
  const auto start = std::chrono::steady_clock::now();
  const auto stopped = [this] { return stopped_; };
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, 1s, stopped)) return;
  std::string drawn;
  do {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start);
    const std::string state = total_ > 0 ? fmt::format("{} of {}, {} s", done_.load(), total_, seconds.count())
                                         : fmt::format("{} s", seconds.count());
    if (state == drawn) continue;
    fmt::print(stderr, "\r{}: {}\x1b[K", label_, state);
    std::fflush(stderr);
    drawn = state;
  } while (!changed_.wait_for(lock, 200ms, stopped));
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

}  // namespace tidbit::tools
