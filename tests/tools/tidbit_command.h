// The `tidbit` command as a person runs it, and a small model to run it on.
#pragma once

#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/tools/scratch.h"

namespace tidbit::test {

struct Finished {
  int code = -1;         // the exit code; -1 where a signal ended it
  std::string out, err;  // what it printed

  size_t error_lines() const { return static_cast<size_t>(std::ranges::count(err, '\n')); }
};

/// For the shell, whatever it holds.
inline std::string quoted(const std::string& argument) {
  std::string result(1, '\'');
  for (char c : argument) {
    if (c == '\'') result.append("'\\'");
    result.push_back(c);
  }
  result.push_back('\'');
  return result;
}

/// Runs `tidbit` with these arguments.
inline Finished tidbit(const std::vector<std::string>& arguments) {
  const Scratch scratch;
  std::string line = TIDBIT_COMMAND;
  for (const std::string& argument : arguments) line.append(" ").append(quoted(argument));
  line.append(" </dev/null >").append(quoted(scratch / "out")).append(" 2>").append(quoted(scratch / "err"));
  const int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(scratch / "out"), read(scratch / "err")};
}

/// A file of the demo, which the repository always has.
inline std::string demo(const std::string& file) { return TIDBIT_SOURCE_DIR "/tools/demo/" + file; }

/// Compiles a network of the demo. The test must check that it worked.
inline Finished compile_demo(const std::string& network, const std::string& output) {
  return tidbit({"compile", demo(network + ".onnx"), "-o", output, "--mean", "0.31", "--std", "0.38", "--labels",
                 demo("labels.txt")});
}

}  // namespace tidbit::test
