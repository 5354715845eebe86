#include "binding/inspect_checkpoint.h"

#include "binding/background_task.h"
#include "binding/read_options.h"
#include "binding/to_js_array.h"
#include "error.h"
#include "model/inspect_checkpoint.h"

namespace eyrie {

namespace {

Napi::Value to_js(Napi::Env env, const CheckpointReport& report) {
  const Napi::Object out = Napi::Object::New(env);
  out.Set("files", to_js_array(env, report.files, [env](const CheckpointFile& file) {
            const Napi::Object item = Napi::Object::New(env);
            item.Set("name", file.name);
            item.Set("bytes", to_js_number(env, file.bytes));
            return item;
          }));
  out.Set("tensors", to_js_array(env, report.tensors, [env](const CheckpointTensor& tensor) {
            const Napi::Object item = Napi::Object::New(env);
            item.Set("name", tensor.name);
            item.Set("dtype", tensor.dtype);
            item.Set("shape", to_js_array(env, tensor.shape, [env](uint64_t size) { return to_js_number(env, size); }));
            item.Set("bytes", to_js_number(env, tensor.bytes));
            item.Set("file", to_js_number(env, tensor.file));
            return item;
          }));
  out.Set("headDifferences", report.head_differences ? Napi::Value(to_js_number(env, *report.head_differences)) : env.Null());
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
        [directory, config](const auto&, const std::atomic<bool>& cancelled) { return inspect_checkpoint(directory, config, cancelled); },
        to_js);
  } catch (...) {
    return rejected_promise(info.Env());
  }
}

}  // namespace eyrie
