// eyrie_gpu check [--small | --short] [--only NAME,...] [--seed N] [--device N] [--list]

#include <algorithm>
#include <chrono>

#include "error.h"
#include "gpu/check_registry.h"
#include "gpu/commands.h"
#include "gpu/json_line.h"

namespace eyrie::gpu {

namespace {

bool run_check(const Check& check, const CheckContext& context) {
  Reporter reporter(check.name);
  std::string error;
  const auto started = std::chrono::steady_clock::now();
  try {
    check.run(context, reporter);
  } catch (const Error& e) {
    // A lost card fails every check that follows, each with its own line.
    error = std::string(code_name(e.code())) + ": " + e.what();
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const bool ok = error.empty() && reporter.failures() == 0 && reporter.cases() > 0;
  JsonLine line("check");
  line.add("name", check.name)
      .add("ok", ok)
      .add("cases", reporter.cases())
      .add("failures", reporter.failures())
      .add("worst", reporter.worst());
  line.add("seconds", seconds);
  if (!error.empty()) line.add("error", error);
  line.write();
  return ok;
}

}  // namespace

int check(Arguments& arguments) {
  const bool small = arguments.flag("small"), brief = arguments.flag("short"), list = arguments.flag("list");
  const std::vector<std::string> only = arguments.texts("only", {});
  const uint32_t seed = arguments.number("seed", 1, 0, UINT32_MAX), ordinal = arguments.number("device", 0, 0, 63);
  arguments.finish();
  if (small && brief) throw Error(ErrorCode::invalid_request, "'check' takes --small or --short, not both");
  for (const std::string& name : only) {
    if (std::none_of(all_checks().begin(), all_checks().end(), [&](const Check& c) { return name == c.name; })) {
      throw Error(ErrorCode::invalid_request, "--only names '" + name + "', which is no check; --list tells their names");
    }
  }
  const auto wanted = [&](const Check& c) {
    return (only.empty() || std::find(only.begin(), only.end(), c.name) != only.end()) && (!brief || c.brief);
  };
  if (list) {
    for (const Check& c : all_checks()) {
      if (wanted(c)) JsonLine("check_name").add("name", c.name).add("short", c.brief).write();
    }
    return 0;
  }

  // What was never written must show.
  cuda::Device device(static_cast<int>(ordinal), true);
  cuda::Stream stream(device);
  const CheckContext context{device, stream, small ? CheckSize::small : brief ? CheckSize::brief : CheckSize::full, seed};
  int failed = 0;
  for (const Check& c : all_checks()) {
    if (wanted(c)) failed += !run_check(c, context);
  }
  return failed > 0 ? 1 : 0;
}

}  // namespace eyrie::gpu
