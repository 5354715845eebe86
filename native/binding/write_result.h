#pragma once
#include <napi.h>

#include "engine/engine_options.h"
#include "engine/request.h"
#include "engine/token_news.h"

namespace eyrie {

/// What a result needs to know of its request to tell "not asked for" (null) from "empty".
struct AskedFor {
  bool logprobs = false;
  bool prompt_logprobs = false;
};

/// NativeResult, member by member.
Napi::Object to_js_result(Napi::Env env, const Result& result, const AskedFor& asked);
/// NativeTokens, member by member.
Napi::Object to_js_tokens(Napi::Env env, const TokenNews& news, const AskedFor& asked);
/// NativeReport, member by member.
Napi::Object to_js_report(Napi::Env env, const EngineReport& report);
/// NativeEngineInfo, member by member.
Napi::Object to_js_info(Napi::Env env, const EngineInfo& info);

}  // namespace eyrie
