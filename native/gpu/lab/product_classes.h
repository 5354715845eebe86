#pragma once
// Which algorithms give the rows that every size of a product shares the same bits: what the sizes of one model's passes may choose among.

#include <cstdint>
#include <map>
#include <string>

namespace eyrie::gpu {

class ProductClasses {
 public:
  /// An algorithm took `us` at m rows; `bits`: a hash of the shared rows.
  void add(uint64_t bits, int64_t m, double us);
  /// A line "bits": the class that covers most sizes, and what staying in it costs at worst against a free choice.
  void tell(const std::string& shape, const std::string& type) const;

 private:
  std::map<uint64_t, std::map<int64_t, double>> best_of_bits_;  // bits -> m -> time
  std::map<int64_t, double> best_;                              // m -> time
};

}  // namespace eyrie::gpu
