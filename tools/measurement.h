// How long a session's runs take.
#pragma once

#include <cstddef>
#include <vector>

#include "tidbit/tidbit.hpp"

namespace tidbit::tools {

struct Latency {
  double median, lowest, highest;  // seconds

  explicit Latency(std::vector<double> seconds);
};

/// Gives every sample of the session's inputs the same random values.
void fill_inputs(const Model& model, Session& session);

/// Seconds of one run.
double timed_run(Session& session);

/// Runs until the caches and clocks have settled; returns how many runs a second holds.
double warm_up(Session& session);

}  // namespace tidbit::tools
