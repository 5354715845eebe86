#include "cuda/cuda_backend.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "cpu/rotary_table.h"
#include "cuda/card_plan.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

CardOptions card_options(const CudaBackendOptions& options) {
  return {options.slots, options.slot_tokens, options.rows_max, static_cast<uint32_t>(options.stop_token_ids.size())};
}

BufferSizes buffer_sizes(const Gemm& gemm, const CudaBackendOptions& options, const AttentionShape& attention, uint32_t pages_per_slot) {
  BufferSizes sizes;
  sizes.rows = gemm.padded_rows(options.rows_max);
  sizes.head_rows = gemm.padded_rows(head_rows_for(options.slots));
  sizes.attention_scratch_bytes =
      static_cast<int64_t>(attention_scratch_bytes(attention, static_cast<int>(options.slots), static_cast<int>(pages_per_slot)));
  return sizes;
}

PassLimits pass_limits(const CudaBackendOptions& options, uint32_t pages_per_slot) {
  return {static_cast<int>(options.rows_max), static_cast<int>(options.slots), static_cast<int>(pages_per_slot)};
}

SlotLimits slot_limits(const CudaBackendOptions& options) {
  return {options.slots, options.slot_tokens, options.config.vocab_size, {options.stop_token_ids.begin(), options.stop_token_ids.end()}};
}

/// The CPU's table, so that both devices turn by the same angles.
DeviceBuffer rotary_table(const Device& device, Stream& stream, const CudaBackendOptions& options) {
  const RotaryTable table(options.config.head_dim, options.slot_tokens, options.config.rope_theta, false);
  const size_t bytes = size_t{options.slot_tokens} * options.config.head_dim * sizeof(float);
  DeviceBuffer buffer = device.alloc(bytes);
  stream.copy_to_device(buffer.data(), table.cos(0), bytes);
  stream.synchronize();
  return buffer;
}

uint64_t page_bytes(const CudaBackendOptions& options) {
  return plan_card(options.config, options.format, options.share, card_options(options)).page_bytes;
}

DType dtype_of(RowFormat format) {
  return format == RowFormat::bf16 ? DType::bfloat16 : format == RowFormat::e4m3 ? DType::fp8 : DType::int8;
}

}  // namespace

uint32_t plan_pages(const Device& device, const CudaBackendOptions& options) {
  check_card(device.info(), options.format);
  check_model_form(options.config, options.share);
  const CardOptions card = card_options(options);
  const CardPlan plan = plan_card(options.config, options.format, options.share, card);
  const uint32_t pages = pages_that_fit(plan, card, device.free_bytes(), device.info().name);
  if (options.kv_pages == 0) return pages;
  if (options.kv_pages < plan.pages_per_slot || options.kv_pages > pages) {
    throw Error(ErrorCode::out_of_memory, "kvPages is " + std::to_string(options.kv_pages) + ", must be from " +
                                              std::to_string(plan.pages_per_slot) + " (one sequence of slotTokens) to " +
                                              std::to_string(pages) + " (what fits the card, or what all slots can use)");
  }
  return options.kv_pages;
}

CudaBackend::CudaBackend(std::shared_ptr<Device> device, const CudaBackendOptions& options, RankGroup* group)
    : options_(options),
      device_(std::move(device)),
      group_(group),
      // Before anything is allocated, since it counts on the memory that is free now. A rank's group has taken some already.
      pages_(options_.slots, options_.slot_tokens, group == nullptr ? plan_pages(*device_, options_) : options_.kv_pages),
      stream_(*device_),
      gemm_(open_gemm(*device_, stream_, gemm_shapes(options_.config, options_.format, options_.share, head_rows_for(options_.slots)),
                      options_.rows_max)),
      weights_(*device_, options_.config, options_.format, options_.share),
      attention_(attention_shape(options_.config, options_.share)),
      inputs_(*device_, pass_limits(options_, pages_.pages_per_slot())),
      buffers_(*device_, gemm_shapes(options_.config, options_.format, options_.share, head_rows_for(options_.slots)),
               buffer_sizes(*gemm_, options_, attention_, pages_.pages_per_slot())),
      slots_(*device_, stream_, slot_limits(options_)),
      draws_(*device_, {options_.rows_max, head_rows_for(options_.slots), options_.slots, options_.config.vocab_size}),
      cos_sin_(rotary_table(*device_, stream_, options_)),
      cache_(device_->alloc(size_t{pages_.pages()} * page_bytes(options_))),
      pass_(context()) {
  info_ = describe();
}

CudaBackend::~CudaBackend() {
  // Nothing may be freed under a running kernel. After a lost context there is none.
  try {
    stream_.synchronize();
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

void CudaBackend::open_slot(uint32_t slot, const SamplingParams& sampling, std::span<const uint32_t> prompt, uint32_t tokens) {
  pages_.open(slot, tokens);
  slots_.open(stream_, slot, sampling, prompt);
}

void CudaBackend::release_pages(uint32_t slot) { pages_.release(slot); }

void CudaBackend::copy_prefix(uint32_t from, uint32_t to, uint32_t tokens) {
  const uint32_t pages = KvPages::pages_for(tokens);
  if (pages > pages_.held(from) || pages > pages_.held(to)) {
    throw Error(ErrorCode::internal_error,
                "a prefix of " + std::to_string(tokens) + " tokens is to be copied between slots without room for it");
  }
  copies_.push_back({from, to, tokens});
}

void CudaBackend::check_spans(std::span<const PassSpan> spans) const {
  for (const PassSpan& span : spans) {
    if (span.slot >= options_.slots || KvPages::pages_for(span.first_position + span.rows) > pages_.held(span.slot)) {
      throw Error(ErrorCode::internal_error, "a pass has rows up to position " + std::to_string(span.first_position + span.rows) +
                                                 " of slot " + std::to_string(span.slot) + ", which has no room for them");
    }
  }
}

void CudaBackend::forward(std::span<const int32_t> tokens, std::span<const PassSpan> spans) {
  check_spans(spans);
  shape_ = inputs_.put(stream_, tokens, spans, pages_.table());
  for (const Copy& copy : copies_) {
    eyrie::cuda::copy_prefix(stream_, cache(), static_cast<int>(options_.config.layers), static_cast<int>(copy.from),
                             static_cast<int>(copy.to), static_cast<int>(copy.tokens));
  }
  copies_.clear();
  const bool graphs = options_.graphs && (group_ == nullptr || group_->captures());
  graphs_.run(stream_, shape_, graphs, [this] { pass_.run(stream_, shape_); });
  const uint64_t head_rows =
      std::accumulate(spans.begin(), spans.end(), uint64_t{0}, [](uint64_t sum, const PassSpan& span) { return sum + span.head_rows; });
  multiply_adds_ += pass_.multiply_adds(tokens.size(), head_rows);
}

void CudaBackend::put_residual(std::span<const float> rows) {
  check_residual(rows.size());
  stream_.copy_to_device(buffers_.residual.data(), rows.data(), rows.size_bytes());
}

void CudaBackend::get_residual(std::span<float> rows) {
  check_residual(rows.size());
  stream_.copy_to_host(rows.data(), buffers_.residual.data(), rows.size_bytes());
  stream_.synchronize();
}

void CudaBackend::check_residual(size_t values) const {
  if (values * sizeof(float) > buffers_.residual.size()) {
    throw Error(ErrorCode::internal_error, "residual rows that a pass does not have");
  }
}

void CudaBackend::draw(std::span<const HeadRow> rows) {
  const auto head_rows_max = static_cast<int>(head_rows_for(options_.slots));
  draws_.start(stream_, rows, buffers_.logits.as<float>(), slots_.states(), [&](uint32_t first) {
    pass_.head(stream_, static_cast<int>(first), std::min(shape_.head_rows - static_cast<int>(first), head_rows_max));
  });
}

std::span<const HeadResult> CudaBackend::collect() { return draws_.collect(); }

PagedCache CudaBackend::cache() const {
  PagedCache cache;
  cache.memory = cache_.data();
  cache.page_table = inputs_.page_table();
  cache.pages = static_cast<int>(pages_.pages());
  cache.pages_per_slot = static_cast<int>(pages_.pages_per_slot());
  cache.kv_heads = attention_.kv_heads;
  cache.head_dim = attention_.head_dim;
  return cache;
}

PassContext CudaBackend::context() {
  return {options_.config,
          weights_,
          *gemm_,
          inputs_,
          buffers_,
          cache(),
          attention_,
          cos_sin_.as<float>(),
          slots_.states().drawn,
          static_cast<int>(head_rows_for(options_.slots)),
          group_};
}

BackendInfo CudaBackend::describe() const {
  const DeviceInfo& card = device_->info();
  BackendInfo info;
  info.device = DeviceKind::cuda;
  info.kind = card.name + " sm_" + std::to_string(card.major) + std::to_string(card.minor);
  if (options_.share.ranks > 1) info.kind += " x " + std::to_string(options_.share.ranks);
  info.dtype = dtype_of(options_.format.qkv);
  info.numerics = kCudaNumerics;
  // Other bytes than without them.
  if (options_.format.dense != options_.format.qkv) info.numerics += "+dense-bf16";
  if (options_.format.down != options_.format.qkv) info.numerics += "+down-bf16";
  info.weight_bytes = weights_.bytes();
  info.kv_cache_bytes = cache_.size();
  info.lookahead = 1;
  info.kv_page_tokens = kPageTokens;
  info.kv_pages = pages_.pages();
  info.logit_biases_max = SlotMemory::kBiasesMax;
  return info;
}

}  // namespace eyrie::cuda
