#pragma once
// One head of attention by sums in double.

#include <algorithm>
#include <cmath>
#include <vector>

#include "gpu/checks/attention/paged_model.h"

namespace eyrie::gpu::paged {

struct Wanted {
  std::vector<double> value, magnitude;  // sum of p v and of p |v|
};

/// `rotated`: the rows of the sequence, PagedModel::rotated().
inline Wanted in_double(const PagedModel& model, const std::vector<std::vector<float>>& rotated, int position, int head) {
  const int dim = model.shape.head_dim, kv = head / (model.shape.query_heads / model.shape.kv_heads);
  const float* q = rotated[static_cast<size_t>(position)].data() + head * dim;
  std::vector<double> score;
  for (int j = 0; j <= position; ++j) {
    const float* k = rotated[static_cast<size_t>(j)].data() + (model.shape.query_heads + kv) * dim;
    double dot = 0;
    for (int i = 0; i < dim; ++i) dot += static_cast<double>(q[i]) * k[i];
    score.push_back(dot * model.shape.scale);
  }
  const double best = *std::max_element(score.begin(), score.end());
  double total = 0;
  for (double& s : score) total += s = std::exp(s - best);
  Wanted wanted{std::vector<double>(static_cast<size_t>(dim)), std::vector<double>(static_cast<size_t>(dim))};
  for (int j = 0; j <= position; ++j) {
    const float* v = rotated[static_cast<size_t>(j)].data() + (model.shape.query_heads + model.shape.kv_heads + kv) * dim;
    for (size_t i = 0; i < static_cast<size_t>(dim); ++i) {
      wanted.value[i] += score[static_cast<size_t>(j)] / total * v[i];
      wanted.magnitude[i] += score[static_cast<size_t>(j)] / total * std::fabs(v[i]);
    }
  }
  return wanted;
}

/// The largest distance of a row of `out` from it, in parts of sum p |v|: what a rounded probability is off by, a value is too.
inline double worst_distance(const PagedModel& model, const std::vector<std::vector<float>>& rotated, int position, const Output& out,
                             size_t row) {
  double worst = 0;
  for (int head = 0; head < model.shape.query_heads; ++head) {
    const Wanted wanted = in_double(model, rotated, position, head);
    for (size_t i = 0; i < wanted.value.size(); ++i) {
      const double seen = to_float(out.row(row)[static_cast<size_t>(head) * wanted.value.size() + i]);
      const double distance = std::fabs(seen - wanted.value[i]) / (wanted.magnitude[i] + 1e-4);
      worst = distance <= worst ? worst : distance;  // NaN counts
    }
  }
  return worst;
}

}  // namespace eyrie::gpu::paged
