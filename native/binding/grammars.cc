#include "binding/grammars.h"

#include <array>
#include <string_view>
#include <utility>

#include "binding/background_task.h"
#include "binding/read_fields.h"
#include "error.h"

namespace eyrie {

namespace {

using Compiler = std::shared_ptr<const GrammarCompiler>;
using Compiled = std::shared_ptr<const Grammar>;

/// Marks the objects that hold a grammar, so that no other object is taken for one.
constexpr napi_type_tag kGrammarTag = {0x2d6f1c0be4a94f57, 0x9a3be81d70c5462e};

GrammarVocabulary read_vocabulary(const Napi::Value& value) {
  const FieldReader fields(value, "options");
  GrammarVocabulary vocabulary;
  vocabulary.token_bytes = fields.bytes("tokenBytes");
  vocabulary.token_byte_ends = fields.words32("tokenByteEnds");
  vocabulary.special_token_ids = fields.words32("specialTokenIds");
  vocabulary.end_token_id = fields.whole("endTokenId");
  return vocabulary;
}

GrammarKind read_kind(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, GrammarKind>, 5> kinds = {{
      {"json_object", GrammarKind::json_object},
      {"json_schema", GrammarKind::json_schema},
      {"regex", GrammarKind::regex},
      {"choice", GrammarKind::choice},
      {"lark", GrammarKind::lark},
  }};
  for (const auto& [known, kind] : kinds) {
    if (name == known) return kind;
  }
  throw Error(ErrorCode::invalid_request, "source.kind must be json_object, json_schema, regex, choice or lark");
}

GrammarSource read_source(const Napi::Value& value) {
  const FieldReader fields(value, "source");
  return {read_kind(fields.string("kind")), fields.string("text"), fields.boolean("leadingSpace")};
}

Napi::Value to_js(Napi::Env env, const Compiled& grammar) {
  const Napi::Object object = Napi::Object::New(env);
  auto* const held = new Compiled(grammar);
  const auto drop = [](napi_env, void* data, void*) { delete static_cast<Compiled*>(data); };
  if (napi_wrap(env, object, held, drop, nullptr, nullptr) != napi_ok) {
    delete held;
    throw Error(ErrorCode::internal_error, "a grammar could not be handed to JavaScript");
  }
  object.TypeTag(&kGrammarTag);
  return object;
}

Napi::Value compile_promise(const Compiler& compiler, const Napi::CallbackInfo& info) {
  try {
    return BackgroundTask<Compiled>::start(
        info.Env(), [compiler, source = read_source(info[0])](const auto&, const auto&) { return compiler->compile(source); }, to_js);
  } catch (...) {
    return rejected_promise(info.Env());
  }
}

Napi::Value to_js_compiler(Napi::Env env, const Compiler& compiler) {
  const Napi::Object grammars = Napi::Object::New(env);
  grammars.Set("compile",
               Napi::Function::New(env, [compiler](const Napi::CallbackInfo& info) { return compile_promise(compiler, info); }, "compile"));
  return grammars;
}

}  // namespace

Napi::Value open_grammars_promise(const Napi::CallbackInfo& info) {
  try {
    return BackgroundTask<Compiler>::start(
        info.Env(), [vocabulary = read_vocabulary(info[0])](const auto&, const auto&) { return open_grammar_compiler(vocabulary); },
        to_js_compiler);
  } catch (...) {
    return rejected_promise(info.Env());
  }
}

std::shared_ptr<const Grammar> read_grammar(const Napi::Value& value) {
  if (value.IsNull()) return nullptr;
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kGrammarTag)) {
    throw Error(ErrorCode::invalid_request, "request.grammar must be null or what compile() gave");
  }
  void* held = nullptr;
  if (napi_unwrap(value.Env(), value, &held) != napi_ok || held == nullptr) {
    throw Error(ErrorCode::internal_error, "a grammar could not be read back from JavaScript");
  }
  return *static_cast<Compiled*>(held);
}

}  // namespace eyrie
