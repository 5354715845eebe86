#include "gpu/check_registry.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "error.h"
#include "gpu/checks/checks.h"
#include "gpu/json_line.h"

namespace eyrie::gpu {

namespace {

/// A check that is wrong everywhere says so a few times, not ten thousand.
constexpr int kFailuresTold = 5;

// The order is that of the output: what the others rest on first.
constexpr Check kChecks[] = {
    {"device_copies", check_device_copies, true},
    {"graph_replay", check_graph_replay, true},
    {"numbers", check_numbers, true},
    {"tile_products", check_tile_products, true},
    {"embed", check_embed, true},
    {"add_norm", check_add_norm, true},
    {"gelu", check_gelu, true},
    {"quantise", check_quantise, true},
    {"scale_sums", check_scale_sums, true},
    {"rotate_and_append", check_rotate_and_append, true},
    {"attention", check_attention, true},
    {"attention_bytes", check_attention_bytes, true},
    {"copy_prefix", check_copy_prefix, true},
    {"sampler", check_sampler, true},
    {"gemm", check_gemm, true},
    {"weights", check_weights, true},
    {"model_crowd", check_model_crowd, true},
    {"model_graphs", check_model_graphs, true},
};

}  // namespace

std::span<const Check> all_checks() { return kChecks; }

void Reporter::fail(std::string_view name, const std::string& what) {
  if (++failures_ > kFailuresTold) return;
  JsonLine("failure").add("check", check_).add("case", name).add("what", what).write();
}

void Reporter::near(std::string_view name, std::span<const float> got, std::span<const float> want, Tolerance tolerance) {
  ++cases_;
  if (got.size() != want.size()) return fail(name, std::to_string(got.size()) + " values, wanted " + std::to_string(want.size()));
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double g = got[i], w = want[i];
    double far = std::abs(g - w) / (tolerance.absolute + tolerance.relative * std::abs(w));
    if (g == w || (std::isnan(g) && std::isnan(w))) {
      far = 0;
    } else if (std::isnan(far)) {
      far = INFINITY;
    }
    if (far > worst) {
      worst = far;
      at = i;
    }
  }
  worst_ = std::max(worst_, worst);
  if (worst > 1) {
    fail(name, "value " + std::to_string(at) + " is " + json_number(got[at]) + ", wanted " + json_number(want[at]) + ": " +
                   json_number(worst) + " x the tolerance");
  }
}

void Reporter::equal(std::string_view name, std::span<const uint8_t> got, std::span<const uint8_t> want) {
  ++cases_;
  if (got.size() != want.size()) return fail(name, std::to_string(got.size()) + " bytes, wanted " + std::to_string(want.size()));
  const auto [g, w] = std::mismatch(got.begin(), got.end(), want.begin());
  if (g == got.end()) return;
  size_t differ = 0;
  for (size_t i = 0; i < got.size(); ++i) differ += got[i] != want[i];
  char bytes[40];
  std::snprintf(bytes, sizeof bytes, "%02x, wanted %02x", static_cast<unsigned>(*g), static_cast<unsigned>(*w));
  fail(name, std::to_string(differ) + " of " + std::to_string(got.size()) + " bytes differ; byte " + std::to_string(g - got.begin()) +
                 " is " + bytes);
}

void Reporter::guarded(std::string_view name, const std::function<void()>& part) {
  try {
    part();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::engine_closed) throw;  // the card is lost, and so is every part
    expect(name, false, std::string(code_name(error.code())) + ": " + error.what());
  }
}

void Reporter::expect(std::string_view name, bool holds, std::string_view what) {
  ++cases_;
  if (!holds) fail(name, std::string(what));
}

}  // namespace eyrie::gpu
