#include "binding/convert_checkpoint.h"

#include "binding/background_task.h"
#include "binding/read_fields.h"
#include "binding/read_options.h"
#include "binding/to_js_array.h"
#include "error.h"
#include "model/convert_checkpoint.h"

namespace eyrie {

namespace {

ConvertOptions read_convert_options(const Napi::Value& value) {
  const FieldReader fields(value, "options");
  ConvertOptions options;
  options.model_directory = fields.string("modelDirectory");
  options.out_directory = fields.string("outDirectory");
  options.config = read_config(fields.value("config"), "config");
  options.dtype = fields.string("dtype");
  options.shard_bytes_max = fields.word("shardBytesMax");
  options.threads = fields.whole("threads");
  return options;
}

Napi::Value to_js(Napi::Env env, const ConvertReport& report) {
  const auto text = [env](const std::string& name) { return Napi::String::New(env, name); };
  const Napi::Object out = Napi::Object::New(env);
  out.Set("files", to_js_array(env, report.files, text));
  out.Set("tensors", to_js_array(env, report.tensors, [env](const ConvertedTensor& tensor) {
            const Napi::Object item = Napi::Object::New(env);
            item.Set("name", tensor.name);
            item.Set("file", to_js_number(env, tensor.file));
            return item;
          }));
  out.Set("leftOut", to_js_array(env, report.left_out, text));
  out.Set("tensorBytes", to_js_number(env, report.tensor_bytes));
  out.Set("rounded", to_js_number(env, report.rounded));
  out.Set("quantised", to_js_number(env, report.quantised));
  return out;
}

}  // namespace

Napi::Value convert_checkpoint_promise(const Napi::CallbackInfo& info) {
  try {
    ConvertOptions options = read_convert_options(info[0]);
    if (!info[1].IsFunction()) throw Error(ErrorCode::invalid_request, "onProgress must be a function");
    return BackgroundTask<ConvertReport>::start(
        info.Env(),
        [options = std::move(options)](const auto& report, const std::atomic<bool>& cancelled) {
          return convert_checkpoint(options, report, cancelled);
        },
        to_js, info[1].As<Napi::Function>());
  } catch (...) {
    return rejected_promise(info.Env());
  }
}

}  // namespace eyrie
