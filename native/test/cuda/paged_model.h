#pragma once
// The paged model of the checks on an emulated card of its own.

#include <gtest/gtest.h>

#include "gpu/checks/attention/paged_model.h"
#include "test/emulation/card.h"

namespace eyrie::cuda::test {

using namespace gpu::paged;

class PagedModel : public Card, public gpu::paged::PagedModel {
 public:
  PagedModel(const Heads& heads, int slots, int pages_per_slot, int pages = 0)
      : gpu::paged::PagedModel(gpu::OnCard(static_cast<Card&>(*this)), heads, slots, pages_per_slot, pages) {}
};

}  // namespace eyrie::cuda::test
