#include "gpu/lab/product_classes.h"

#include <algorithm>
#include <cstdio>

#include "gpu/json_line.h"

namespace eyrie::gpu {

namespace {

void keep_best(std::map<int64_t, double>& times, int64_t m, double us) {
  double& best = times.emplace(m, us).first->second;
  best = std::min(best, us);
}

}  // namespace

void ProductClasses::add(uint64_t bits, int64_t m, double us) {
  keep_best(best_of_bits_[bits], m, us);
  keep_best(best_, m, us);
}

void ProductClasses::tell(const std::string& shape, const std::string& type) const {
  uint64_t chosen = 0;
  size_t covered = 0;
  double cost = 0;
  for (const auto& [bits, times] : best_of_bits_) {
    double worst = 0;
    for (const auto& [m, us] : times) worst = std::max(worst, us / best_.at(m));
    if (times.size() > covered || (times.size() == covered && worst < cost)) {
      chosen = bits;
      covered = times.size();
      cost = worst;
    }
  }
  char text[24];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(chosen));
  JsonLine("bits")
      .add("shape", shape)
      .add("type", type)
      .add("classes", static_cast<int64_t>(best_of_bits_.size()))
      .add("covered", static_cast<int64_t>(covered))
      .add("of", static_cast<int64_t>(best_.size()))
      .add("worst_cost", cost)
      .add("bits", text)
      .write();
}

}  // namespace eyrie::gpu
