#include <cstdio>

#include "tidbit/tidbit.hpp"

int main() {
  const auto model = tidbit::Model::load("no such file");
  std::printf("tidbit %s: %s\n", tidbit::version().data(), model.status().message().c_str());
  return model.status().code() == tidbit::StatusCode::NotFound ? 0 : 1;
}
