// eyrie_gpu: what a card is, whether our operations are right on it, and how fast it is. Needs neither Node nor a test framework.
//
//   eyrie_gpu facts | check | lab | run | sweep    [arguments: docs/gpu.md]
//
// Exit status: 0; 1 when a check does not hold or the work failed; 2 for a mistake in the arguments; 3 without a usable card.

#include <cstdio>
#include <string>
#include <vector>

#include "error.h"
#include "gpu/commands.h"
#include "gpu/json_line.h"

namespace {

using namespace eyrie;

struct Command {
  const char* name;
  int (*run)(gpu::Arguments&);
  const char* what;
};
constexpr Command kCommands[] = {
    {"facts", gpu::facts, "the card, its driver and libraries"},
    {"check", gpu::check, "every operation against its twin on the CPU"},
    {"lab", gpu::lab, "rates of memory and matrix products"},
    {"run", gpu::run, "a checkpoint and token ids in, ids and log-probabilities out"},
    {"sweep", gpu::sweep, "throughput of random weights by batch and context"},
};

int usage() {
  std::fprintf(stderr, "usage: eyrie_gpu COMMAND [ARGUMENTS]\n");
  for (const Command& command : kCommands) std::fprintf(stderr, "  %-6s %s\n", command.name, command.what);
  return 2;
}

int status_of(ErrorCode code) {
  if (code == ErrorCode::invalid_request) return 2;
  return code == ErrorCode::unsupported_device ? 3 : 1;
}

int told(const char* code, const char* message, int status) {
  gpu::JsonLine("error").add("code", code).add("message", message).write();
  std::fprintf(stderr, "eyrie_gpu: %s: %s\n", code, message);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return usage();
  const std::string name = argv[1];
  for (const Command& command : kCommands) {
    if (name != command.name) continue;
    try {
      gpu::Arguments arguments(name, std::vector<std::string>(argv + 2, argv + argc));
      return command.run(arguments);
    } catch (const Error& error) {
      return told(code_name(error.code()), error.what(), status_of(error.code()));
    } catch (const std::exception& error) {
      return told("internal_error", error.what(), 1);
    }
  }
  std::fprintf(stderr, "eyrie_gpu: unknown command '%s'\n", name.c_str());
  return usage();
}
