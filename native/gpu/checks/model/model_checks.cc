#include <string>

#include "cuda/pass/model_shape.h"
#include "gpu/checks/checks.h"
#include "gpu/checks/model/tiny_model.h"

namespace eyrie::gpu {

namespace {

using cuda::RowFormat;

struct Form {
  const char* name;
  RowFormat format;
};
constexpr Form kForms[] = {{"fp8", RowFormat::e4m3}, {"bfloat16", RowFormat::bf16}, {"int8", RowFormat::int8}};

/// The forms that the card has; the first one alone unless the check is full.
std::vector<Form> forms_of(const CheckContext& context) {
  std::vector<Form> forms;
  for (const Form& form : kForms) {
    if (form.format == RowFormat::e4m3 && !cuda::has_fp8(context.device.info())) continue;
    if (forms.empty() || context.size == CheckSize::full) forms.push_back(form);
  }
  return forms;
}

Tokens piece(const Tokens& tokens, size_t from, size_t to) {
  return {tokens.begin() + static_cast<std::ptrdiff_t>(from), tokens.begin() + static_cast<std::ptrdiff_t>(to)};
}

std::vector<uint32_t> joined(std::vector<uint32_t> first, const std::vector<uint32_t>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

/// What a whole model says of a line does not depend on the lines beside it, its slot, or how its prompt was cut; and it is finite.
void check_model_crowd(const CheckContext& context, Reporter& reporter) {
  const bool small = context.size == CheckSize::small;
  // Where it is not small, the first crosses the end of a page.
  const size_t lengths[] = {small ? size_t{40} : size_t{262}, small ? size_t{17} : size_t{45}, 9};
  const Tokens first = TinyModel::prompt(lengths[0], context.seed), second = TinyModel::prompt(lengths[1], context.seed + 1),
               third = TinyModel::prompt(lengths[2], context.seed + 2);
  const auto check_form = [&](const Form& form) {
    const std::string name = form.name;
    TinyModel model(context, form.format, true, small ? 64 : 320);
    std::vector<std::vector<uint32_t>> alone;
    for (const Tokens* tokens : {&first, &second, &third}) {
      const auto slot = static_cast<uint32_t>(alone.size());
      model.open(slot, *tokens, 512);
      alone.push_back(model.score({{slot, 0, *tokens}})[0]);
    }
    for (uint32_t slot = 0; slot < TinyModel::kSlots; ++slot) model.backend().release_pages(slot);
    // Slots change places; the last token of the first decodes while the others have prompts.
    model.open(3, first, 512);
    model.open(0, second, 512);
    model.open(1, third, 512);
    const size_t most = lengths[0] - 1, part = lengths[1] / 3;
    const auto one = model.score({{3, 0, piece(first, 0, most)}, {0, 0, piece(second, 0, part)}});
    const auto two = model.score({{1, 0, third},
                                  {3, static_cast<uint32_t>(most), piece(first, most, lengths[0])},
                                  {0, static_cast<uint32_t>(part), piece(second, part, lengths[1])}});
    reporter.equal<uint32_t>(name + " a prompt and a decoding row", joined(one[0], two[1]), alone[0]);
    reporter.equal<uint32_t>(name + " a prompt in two pieces", joined(one[1], two[2]), alone[1]);
    reporter.equal<uint32_t>(name + " a prompt among others", two[0], alone[2]);
    reporter.expect(name + " finite", model.finite(), "a row has logits that are not finite");
  };
  for (const Form& form : forms_of(context)) reporter.guarded(form.name, [&] { check_form(form); });
}

/// Decode passes as graphs give what the same passes give launch by launch, and a line the tokens that it has alone.
void check_model_graphs(const CheckContext& context, Reporter& reporter) {
  const bool small = context.size == CheckSize::small;
  const uint32_t steps = small ? 3 : 8;
  std::vector<Part> prompts;
  std::vector<SamplingParams> params(3);
  for (uint32_t slot = 0; slot < 3; ++slot) prompts.push_back({slot, 0, TinyModel::prompt(5 + 6 * slot, context.seed + 7 + slot)});
  // The third crosses the end of a page.
  if (context.size == CheckSize::full) prompts[2].tokens = TinyModel::prompt(252, context.seed + 9);
  params[0].temperature = 0;
  params[1].top_p = 0.9f;
  params[2].repetition_penalty = 1.2f;
  params[2].presence_penalty = 0.3f;
  for (uint32_t slot = 0; slot < 3; ++slot) params[slot].seed = context.seed + slot;
  const auto generate = [&](TinyModel& model, const std::vector<Part>& parts) {
    for (const Part& part : parts) model.open(part.slot, part.tokens, 512, params[part.slot]);
    return model.generate(parts, steps);
  };
  const auto check_form = [&](const Form& form) {
    const std::string name = form.name;
    const uint32_t rows_max = small ? 64 : 320;
    TinyModel eager(context, form.format, false, rows_max), graphs(context, form.format, true, rows_max);
    const auto want = generate(eager, prompts);
    // Twice: graphs are captured in the first round, where a shape comes for the second time, and replayed in the second.
    for (const char* round : {" captured", " replayed"}) {
      const auto got = generate(graphs, prompts);
      for (size_t i = 0; i < prompts.size(); ++i) reporter.equal<uint32_t>(name + round + " line " + std::to_string(i), got[i], want[i]);
    }
    for (size_t i = 0; i < prompts.size(); ++i) {
      reporter.equal<uint32_t>(name + " alone line " + std::to_string(i), generate(graphs, {prompts[i]})[0], want[i]);
    }
    reporter.expect(name + " finite", eager.finite() && graphs.finite(), "a row has logits that are not finite");
  };
  for (const Form& form : forms_of(context)) reporter.guarded(form.name, [&] { check_form(form); });
}

}  // namespace eyrie::gpu
