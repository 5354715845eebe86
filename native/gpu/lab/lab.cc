// eyrie_gpu lab [--rates] [--form 40b|7b|11b|180b] [--types bf16,fp8,fp8_fast,int8] [--rows 16,32,...] [--shapes qkv,up,...]
//               [--megabytes N] [--device N]

#include <algorithm>

#include "error.h"
#include "gpu/commands.h"
#include "gpu/forms.h"
#include "gpu/json_line.h"
#include "gpu/lab/memory_rates.h"
#include "gpu/lab/product_lab.h"

namespace eyrie::gpu {

namespace {

std::vector<ProductShape> shapes_of(const FalconConfig& c) {
  return {{"qkv", c.qkv_size(), c.hidden_size},
          {"dense", c.hidden_size, c.query_size()},
          {"up", c.ffn_size, c.hidden_size},
          {"down", c.hidden_size, c.ffn_size},
          {"head", c.vocab_size, c.hidden_size, true}};
}

}  // namespace

int lab(Arguments& arguments) {
  const bool rates_only = arguments.flag("rates");
  const FalconConfig config = form(arguments.choice("form", "40b", form_names()));
  const std::vector<std::string> types = arguments.texts("types", kProductTypes), names = arguments.texts("shapes", {});
  const std::vector<uint32_t> rows = arguments.numbers("rows", {16, 32, 64, 96, 128, 192, 256, 512, 2048}, 16, 8192);
  const uint32_t megabytes = arguments.number("megabytes", 4096, 1, 65536), ordinal = arguments.number("device", 0, 0, 63);
  arguments.finish();
  for (const std::string& type : types) {
    if (std::find(kProductTypes.begin(), kProductTypes.end(), type) == kProductTypes.end()) {
      throw Error(ErrorCode::invalid_request, "--types of 'lab' names '" + type + "', must be among bf16, fp8, fp8_fast, int8");
    }
  }
  ProductPlan plan{.shapes = {}, .types = types, .rows = {}};
  for (const ProductShape& shape : shapes_of(config)) {
    if (names.empty() || std::find(names.begin(), names.end(), shape.name) != names.end()) plan.shapes.push_back(shape);
  }
  if (plan.shapes.empty()) throw Error(ErrorCode::invalid_request, "--shapes of 'lab' names none of qkv, dense, up, down, head");
  for (const uint32_t m : rows) {
    if (m % 16 != 0) throw Error(ErrorCode::invalid_request, "--rows of 'lab' holds " + std::to_string(m) + ", must be multiples of 16");
    plan.rows.push_back(m);
  }

  cuda::Device device(static_cast<int>(ordinal));
  cuda::Stream stream(device);
  const MemoryRates rates = measure_memory(device, stream, int64_t{megabytes} << 20);
  JsonLine("read").add("gb_per_s", rates.read_gbs).write();
  JsonLine("host_to_card").add("gb_per_s", rates.host_to_card_gbs).write();
  if (rates_only) return 0;
  plan.read_gbs = rates.read_gbs;
  return measure_products(device, stream, plan) ? 0 : 1;
}

}  // namespace eyrie::gpu
