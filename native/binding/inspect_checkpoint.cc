#include "binding/inspect_checkpoint.h"

#include "binding/background_task.h"
#include "binding/read_options.h"
#include "error.h"
#include "model/inspect_checkpoint.h"

namespace eyrie {

namespace {

Napi::Number number(Napi::Env env, uint64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

template <class Items, class ToJs>
Napi::Array to_array(Napi::Env env, const Items& items, ToJs to_js) {
  const Napi::Array array = Napi::Array::New(env, items.size());
  for (uint32_t i = 0; i < items.size(); ++i) array.Set(i, to_js(items[i]));
  return array;
}

Napi::Value to_js(Napi::Env env, const CheckpointReport& report) {
  const Napi::Object out = Napi::Object::New(env);
  out.Set("files", to_array(env, report.files, [env](const CheckpointFile& file) {
            const Napi::Object item = Napi::Object::New(env);
            item.Set("name", file.name);
            item.Set("bytes", number(env, file.bytes));
            return item;
          }));
  out.Set("tensors", to_array(env, report.tensors, [env](const CheckpointTensor& tensor) {
            const Napi::Object item = Napi::Object::New(env);
            item.Set("name", tensor.name);
            item.Set("dtype", tensor.dtype);
            item.Set("shape", to_array(env, tensor.shape, [env](uint64_t size) { return number(env, size); }));
            item.Set("bytes", number(env, tensor.bytes));
            item.Set("file", number(env, tensor.file));
            return item;
          }));
  out.Set("headDifferences", report.head_differences ? Napi::Value(number(env, *report.head_differences)) : env.Null());
  return out;
}

}  // namespace

Napi::Value inspect_checkpoint_promise(const Napi::CallbackInfo& info) {
  try {
    if (!info[0].IsString()) throw Error(ErrorCode::invalid_request, "directory must be a string");
    const std::string directory = info[0].As<Napi::String>().Utf8Value();
    const FalconConfig config = read_config(info[1], "config");
    return BackgroundTask<CheckpointReport>::start(
        info.Env(),
        [directory, config](const auto&, const std::atomic<bool>& cancelled) {
          return inspect_checkpoint(directory, config, cancelled);
        },
        to_js);
  } catch (...) {
    return rejected_promise(info.Env());
  }
}

}  // namespace eyrie
