#include <string>

#include "gpu/checks/attention/attention_shapes.h"
#include "gpu/checks/checks.h"

namespace eyrie::gpu {

namespace {

using namespace paged;

std::string at(const Heads& heads, const Row& row) { return text(heads) + " position=" + std::to_string(row.position); }

/// Of values that no kernel has written.
size_t written(const std::vector<bf16>& cache) {
  size_t count = 0;
  for (const bf16 v : cache) count += v.bits != 0xffff ? 1 : 0;
  return count;
}

}  // namespace

/// Queries in place, and keys and values in the cache, as the CPU rotates them; nothing else of the cache is written.
void check_rotate_and_append(const CheckContext& context, Reporter& reporter) {
  for (const Heads& heads : heads_for(context.size)) {
    PagedModel model(on_card(context), heads, 2, 3);
    model.fill_cache(0xff);
    const std::vector<Row> rows{{1, 1, 255}, kPadding, {1, 1, 256}, {2, 0, 0}, {3, 0, 700}};
    const std::vector<bf16> out = model.append(rows);
    const auto width = static_cast<size_t>(model.width()), queries = static_cast<size_t>(model.query_width());
    const auto dim = static_cast<size_t>(heads.dim);
    for (size_t r = 0; r < rows.size(); ++r) {
      if (rows[r].position < 0) continue;
      const std::vector<float> want = model.rotated(rows[r]);
      std::vector<float> got;
      for (size_t i = 0; i < queries; ++i) got.push_back(to_float(out[r * width + i]));
      for (int head = 0; head < 2 * heads.kv; ++head) {
        const std::vector<bf16> cached =
            model.cached(PagedModel::kLayer, rows[r].slot, rows[r].position, head % heads.kv, head >= heads.kv);
        for (size_t i = 0; i < dim; ++i) got.push_back(to_float(cached[i]));
      }
      reporter.equal<float>(at(heads, rows[r]), got, want);
    }
    const size_t wanted = 4 * 2 * static_cast<size_t>(heads.kv) * dim, seen = written(model.whole_cache());
    reporter.expect(text(heads) + " nothing else", seen == wanted,
                    std::to_string(seen) + " values written, wanted " + std::to_string(wanted));
  }
}

/// The positions of a prefix and no more, and a row that goes on from the copy as from the original.
void check_copy_prefix(const CheckContext& context, Reporter& reporter) {
  const OnCard card = on_card(context);
  const Heads heads = heads_for(context.size).back();
  for (const int tokens : {1, 255, 256, 300}) {
    const std::string name = "tokens=" + std::to_string(tokens);
    PagedModel model(card, heads, 2, 2);
    model.fill_cache(0xff);
    model.append(rows_of(1, 0, 0, 310));
    cuda::copy_prefix(card.stream, model.cache, PagedModel::kLayers, 0, 1, tokens);
    for (int head = 0; head < heads.kv; ++head) {
      for (const int position : {0, tokens / 2, tokens - 1}) {
        for (const bool values : {false, true}) {
          reporter.equal<bf16>(name + " position=" + std::to_string(position), model.cached(PagedModel::kLayer, 1, position, head, values),
                               model.cached(PagedModel::kLayer, 0, position, head, values));
        }
      }
    }
    const size_t wanted = static_cast<size_t>((310 + tokens) * 2 * heads.kv * heads.dim), seen = written(model.whole_cache());
    reporter.expect(name + " no more", seen == wanted, std::to_string(seen) + " values written, wanted " + std::to_string(wanted));
    const Output copied = model.run({{1, 1, tokens}}, all_single(1)), own = model.run({{1, 0, tokens}}, all_single(1));
    reporter.expect(name + " finite", finite(own, 0), "a row is not finite");
    reporter.equal<uint8_t>(name + " goes on", copied.values, own.values);
  }
}

}  // namespace eyrie::gpu
