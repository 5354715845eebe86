#include <string>

#include "cuda/kernels/numbers.h"
#include "gpu/checks/attention/attention_shapes.h"
#include "gpu/checks/attention/in_double.h"
#include "gpu/checks/checks.h"
#include "numbers/row_scale.h"

namespace eyrie::gpu {

namespace {

using namespace paged;

/// A probability that is rounded to 8 bits is off by up to 2^-9 of it, and so is the result, which is rounded to 8 bits once more.
constexpr double kTolerance = 5e-3;

int sequence_of(const CheckContext& context) { return static_cast<int>(context.seed % 100'000); }

/// Codes and scales are those of the row in bf16.
void compare_codes(Reporter& reporter, const std::string& name, const Output& exact, const Output& out, RowFormat format) {
  std::vector<uint8_t> codes;
  std::vector<float> scales;
  const size_t width = out.row_bytes;
  for (size_t row = 0; row < out.scales.size(); ++row) {
    float largest = 0;
    for (size_t i = 0; i < width; ++i) largest = std::max(largest, std::fabs(to_float(exact.row(row)[i])));
    scales.push_back(row_scale(largest, format == RowFormat::e4m3 ? kLargestE4m3 : kLargestInt8));
    const float inverse = reciprocal(scales.back());
    for (size_t i = 0; i < width; ++i) {
      const float v = to_float(exact.row(row)[i]);
      codes.push_back(format == RowFormat::e4m3 ? to_e4m3(v * inverse).bits : static_cast<uint8_t>(to_int8(v, inverse)));
    }
  }
  reporter.equal<uint8_t>(name + " codes", out.values, codes);
  reporter.equal<float>(name + " scales", out.scales, scales);
}

}  // namespace

/// Rows alone and in tiles against sums in double, at the lengths where blocks and pages begin and end.
void check_attention(const CheckContext& context, Reporter& reporter) {
  const std::vector<int> lengths =
      context.size == CheckSize::small ? std::vector<int>{1, 65, 257} : std::vector<int>{1, 64, 255, 256, 257, 700};
  for (const Heads& heads : heads_for(context.size)) {
    const int longest = lengths.back();
    PagedModel model(on_card(context), heads, 1, (longest + kPageTokens - 1) / kPageTokens);
    const std::vector<Row> all = rows_of(sequence_of(context), 0, 0, longest);
    std::vector<std::vector<float>> rotated;
    for (const Row& row : all) rotated.push_back(model.rotated(row));
    model.append(all);
    for (const int length : lengths) {
      // The last row alone, and up to eight rows that end with it.
      const int tile = std::min(length, 1 + static_cast<int>((context.seed + static_cast<uint64_t>(length)) % cuda::kTileRows));
      const auto last = static_cast<size_t>(length - 1);
      const Output single = model.attend_rows({.singles = {length - 1}, .tiles = {}});
      const Output tiled = model.attend_rows({.singles = {}, .tiles = {{length - tile, tile}}});
      for (const auto& [kind, out] : {std::pair<const char*, const Output*>{"alone", &single}, {"tile", &tiled}}) {
        const double worst = worst_distance(model, rotated, length - 1, *out, last);
        reporter.near(text(heads) + " length=" + std::to_string(length) + " " + kind, std::vector<float>{static_cast<float>(worst)},
                      std::vector<float>{0.0f}, {.absolute = kTolerance});
      }
    }
  }
}

/// A prompt, its chunks and single rows give the same bytes, and rows in 8 bits are those of the rows in bf16.
void check_attention_bytes(const CheckContext& context, Reporter& reporter) {
  // Rows [begin, length) attend; small: of one page, else across the end of a page.
  const int length = context.size == CheckSize::small ? 70 : context.size == CheckSize::brief ? 280 : 530;
  const int begin = context.size == CheckSize::small ? 30 : context.size == CheckSize::brief ? 240 : 0;
  for (const Heads& heads : heads_for(context.size)) {
    PagedModel model(on_card(context), heads, 2, (length + kPageTokens - 1) / kPageTokens);
    const int sequence = sequence_of(context);
    for (int slot = 0; begin > 0 && slot < 2; ++slot) model.append(rows_of(sequence, slot, 0, begin));
    const Output prompt = model.run(rows_of(sequence, 0, begin, length - begin), in_tiles(length - begin, {cuda::kTileRows}));
    reporter.expect(text(heads) + " finite", finite(prompt, 0) && finite(prompt, static_cast<size_t>(length - begin - 1)),
                    "a row is not finite");
    const auto compare = [&](const std::string& name, int first, const Output& out) {
      const auto from = prompt.values.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(first - begin) * prompt.row_bytes);
      reporter.equal<uint8_t>(text(heads) + " " + name, out.values,
                              std::vector<uint8_t>(from, from + static_cast<std::ptrdiff_t>(out.values.size())));
    };
    // In the other slot, cut anywhere.
    for (int first = begin, i = 0; first < length; ++i) {
      const int count = std::min(std::vector<int>{1, 7, 20, 190, 3}[static_cast<size_t>(i) % 5], length - first);
      compare("chunk at " + std::to_string(first), first, model.run(rows_of(sequence, 1, first, count), in_tiles(count, {3, 1, 8, 5, 2})));
      first += count;
    }
    const int count = std::min(length, 20);
    const std::vector<Row> rows = rows_of(sequence, 1, length - count, count);
    const Output exact = model.run(rows, all_single(rows.size()));
    compare("single rows", length - count, exact);
    for (const RowFormat format : {RowFormat::e4m3, RowFormat::int8}) {
      const std::string name = text(heads) + (format == RowFormat::e4m3 ? " e4m3" : " int8");
      compare_codes(reporter, name + " single rows", exact, model.run(rows, all_single(rows.size()), format), format);
      compare_codes(reporter, name + " tiles", exact, model.run(rows, in_tiles(count, {8, 3}), format), format);
    }
  }
}

}  // namespace eyrie::gpu
