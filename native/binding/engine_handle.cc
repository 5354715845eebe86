#include "binding/engine_handle.h"

#include <algorithm>
#include <utility>

#include "binding/js_error.h"
#include "binding/read_request.h"
#include "error.h"

namespace eyrie {

namespace {

constexpr double kIdMax = 9007199254740991;  // Number.MAX_SAFE_INTEGER

uint64_t read_id(const Napi::Value& value) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= kIdMax && number == static_cast<double>(static_cast<uint64_t>(number)))) {
    throw Error(ErrorCode::invalid_request, "id must be a whole number from 0 to 2^53 - 1");
  }
  return static_cast<uint64_t>(number);
}

/// While the JavaScript thread is busy, the news of a sequence gather in one piece.
void add_news(std::vector<TokenNews>& all, TokenNews&& news) {
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  const auto same = std::find_if(all.begin(), all.end(), [&](const TokenNews& other) { return other.id == news.id; });
  if (same == all.end()) {
    all.push_back(std::move(news));
    return;
  }
  append(same->token_ids, news.token_ids);
  append(same->logprobs, news.logprobs);
  append(same->top_ids, news.top_ids);
  append(same->top_logprobs, news.top_logprobs);
}

/// Runs `body` with a handle scope. Calls into JavaScript fail while an environment is being torn down (a terminated worker);
/// nobody is left to be told then, and the exception must not reach Node's C frames.
template <class Body>
void with_javascript(Napi::Env env, Body&& body) {
  try {
    const Napi::HandleScope scope(env);
    body();
  } catch (const Napi::Error&) {}
}

}  // namespace

EngineHandle::EngineHandle(Napi::Env env) : env_(env) {}

Napi::Promise EngineHandle::open(Napi::Env env, EngineOptions options, const Napi::Function& on_progress) {
  const std::shared_ptr<EngineHandle> handle(new EngineHandle(env));
  handle->start(std::move(options), on_progress);
  return handle->opening_->Promise();
}

void EngineHandle::start(EngineOptions options, const Napi::Function& on_progress) {
  bell_ = Bell::New(env_, "eyrie engine", 0, 1, new Wake(weak_from_this()), [](Napi::Env, void*, Wake* wake) { delete wake; });
  // After the bell: hooks run in reverse order, so the threads stop before the bell is gone.
  napi_add_env_cleanup_hook(env_, stop_with_environment, this);
  opening_.emplace(Napi::Promise::Deferred::New(env_));
  on_progress_ = Napi::Persistent(on_progress);
  loader_ = std::thread([this, options = std::move(options)]() mutable { load(std::move(options)); });
  self_ = shared_from_this();
}

// --- on the engine's threads ---

template <class Post>
void EngineHandle::post(Post&& post) {
  bool ring = false;
  {
    const std::lock_guard lock(mailbox_.mutex);
    post(mailbox_);
    ring = !std::exchange(mailbox_.rung, true);
  }
  if (ring) bell_.NonBlockingCall();
}

void EngineHandle::load(EngineOptions options) {
  EngineEvents events;
  events.on_outcomes = [this](std::vector<Outcome>&& outcomes) {
    post([&](Mailbox& box) {
      for (Outcome& outcome : outcomes) box.outcomes.push_back(std::move(outcome));
    });
  };
  events.on_news = [this](std::vector<TokenNews>&& news) {
    post([&](Mailbox& box) {
      for (TokenNews& one : news) add_news(box.news, std::move(one));
    });
  };
  events.on_closed = [this] { post([](Mailbox& box) { box.closed = true; }); };
  const LoadProgress on_progress = [this](uint64_t done, uint64_t total) {
    post([&](Mailbox& box) { box.progress = Progress{done, total}; });
  };
  Loaded loaded;
  try {
    loaded.engine = Engine::open(std::move(options), std::move(events), on_progress, load_cancelled_);
  } catch (...) {
    loaded.failure = current_failure();
  }
  post([&](Mailbox& box) { box.loaded = std::move(loaded); });
}

// --- on the JavaScript thread ---

void EngineHandle::on_wake(Napi::Env env, Napi::Function, Wake* wake, void*) {
  // No environment: the call was still queued when it ended.
  if (static_cast<napi_env>(env) == nullptr || wake == nullptr) return;
  if (const std::shared_ptr<EngineHandle> handle = wake->lock()) handle->read_mail();
}

void EngineHandle::read_mail() {
  std::optional<Progress> progress;
  std::optional<Loaded> loaded;
  std::vector<TokenNews> news;
  std::vector<Outcome> outcomes;
  bool closed = false;
  {
    const std::lock_guard lock(mailbox_.mutex);
    mailbox_.rung = false;
    progress = std::exchange(mailbox_.progress, std::nullopt);
    loaded = std::exchange(mailbox_.loaded, std::nullopt);
    news.swap(mailbox_.news);
    outcomes.swap(mailbox_.outcomes);
    closed = std::exchange(mailbox_.closed, false);
  }
  if (progress) with_javascript(env_, [&] { report_progress(*progress); });
  if (loaded) with_javascript(env_, [&] { finish_load(std::move(*loaded)); });
  for (const TokenNews& one : news) with_javascript(env_, [&] { tell_tokens(one); });
  for (Outcome& outcome : outcomes) with_javascript(env_, [&] { settle(outcome); });
  if (closed) with_javascript(env_, [&] { finish_close(); });
  let_go_if_idle();
}

/// A callback that throws ends the load, and its error becomes the rejection.
void EngineHandle::report_progress(const Progress& progress) {
  if (!opening_) return;
  try {
    on_progress_.Call(
        {Napi::Number::New(env_, static_cast<double>(progress.done)), Napi::Number::New(env_, static_cast<double>(progress.total))});
  } catch (const Napi::Error& error) {
    load_cancelled_ = true;
    std::exchange(opening_, std::nullopt)->Reject(error.Value());
  }
}

void EngineHandle::finish_load(Loaded loaded) {
  loader_.join();
  on_progress_.Reset();
  engine_ = std::move(loaded.engine);
  if (!opening_) {
    // The progress callback threw in the meantime: nobody will ever get this engine.
    closing_ = true;
    if (engine_) engine_->request_close();
    return;
  }
  const Napi::Promise::Deferred opening = *std::exchange(opening_, std::nullopt);
  try {
    if (loaded.failure) {
      opening.Reject(to_js_error(env_, *loaded.failure));
    } else {
      opening.Resolve(to_js());
    }
  } catch (const Napi::Error& error) {
    opening.Reject(error.Value());
  }
}

/// A callback that throws ends its request, which stays pending until the engine has let it go.
void EngineHandle::tell_tokens(const TokenNews& news) {
  const auto found = pending_.find(news.id);
  if (found == pending_.end() || found->second.thrown) return;
  try {
    // The callback may start or end other requests: nothing of the map is held while it runs.
    const Napi::Function on_tokens = found->second.on_tokens.Value();
    on_tokens.Call({to_js_tokens(env_, news, found->second.asked)});
  } catch (const Napi::Error& error) {
    const auto again = pending_.find(news.id);
    if (again == pending_.end()) return;
    again->second.thrown = error;
    if (engine_) engine_->cancel(news.id);
  }
}

void EngineHandle::settle(Outcome& outcome) {
  const auto found = pending_.find(outcome.id);
  if (found == pending_.end()) return;
  const Pending pending = std::move(found->second);
  pending_.erase(found);
  try {
    if (pending.thrown) {
      pending.deferred.Reject(pending.thrown->Value());
    } else if (outcome.failure) {
      pending.deferred.Reject(to_js_error(env_, *outcome.failure));
    } else {
      pending.deferred.Resolve(to_js_result(env_, outcome.result, pending.asked));
    }
  } catch (const Napi::Error& error) {
    pending.deferred.Reject(error.Value());
  }
}

void EngineHandle::finish_close() {
  last_report_ = engine_->report();
  engine_.reset();
  closing_ = true;
  for (const Napi::Promise::Deferred& closer : std::exchange(closers_, {})) closer.Resolve(env_.Undefined());
}

Napi::Object EngineHandle::to_js() {
  const std::shared_ptr<EngineHandle> handle = shared_from_this();
  const Napi::Object engine = Napi::Object::New(env_);
  engine.Set("info", to_js_info(env_, engine_->info()));
  // Plain functions that hold the handle: they work detached from the object and cannot be called on a foreign one.
  const auto method = [&](const char* name, Napi::Value (EngineHandle::*call)(const Napi::CallbackInfo&)) {
    engine.Set(name, Napi::Function::New(env_, [handle, call](const Napi::CallbackInfo& info) { return ((*handle).*call)(info); }, name));
  };
  method("generate", &EngineHandle::generate);
  method("cancel", &EngineHandle::cancel);
  method("report", &EngineHandle::report);
  method("close", &EngineHandle::close);
  return engine;
}

Napi::Value EngineHandle::generate(const Napi::CallbackInfo& info) {
  const Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env_);
  try {
    const uint64_t id = read_id(info[0]);
    if (!engine_ || closing_) throw Error(ErrorCode::engine_closed, "the engine is closed; open a new one");
    if (pending_.contains(id)) {
      throw Error(ErrorCode::invalid_request, "id " + std::to_string(id) + " belongs to a request that has not ended yet");
    }
    Request request = read_request(info[1]);
    Pending pending{deferred, {request.logprobs >= 0, request.prompt_logprobs}, {}, std::nullopt};
    const bool watched = !info[2].IsUndefined();
    if (watched) {
      if (!info[2].IsFunction()) throw Error(ErrorCode::invalid_request, "onTokens must be a function or absent");
      pending.on_tokens = Napi::Persistent(info[2].As<Napi::Function>());
    }
    engine_->submit(id, std::move(request), watched);
    pending_.emplace(id, std::move(pending));
    hold();
  } catch (...) {
    deferred.Reject(current_js_error(env_));
  }
  return deferred.Promise();
}

Napi::Value EngineHandle::cancel(const Napi::CallbackInfo& info) {
  try {
    const uint64_t id = read_id(info[0]);
    if (engine_ && pending_.contains(id)) engine_->cancel(id);
  } catch (...) {
    throw Napi::Error(env_, current_js_error(env_));
  }
  return env_.Undefined();
}

Napi::Value EngineHandle::report(const Napi::CallbackInfo&) { return to_js_report(env_, engine_ ? engine_->report() : last_report_); }

Napi::Value EngineHandle::close(const Napi::CallbackInfo&) {
  const Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env_);
  if (!engine_) {
    deferred.Resolve(env_.Undefined());
    return deferred.Promise();
  }
  closing_ = true;
  closers_.push_back(deferred);
  engine_->request_close();
  hold();
  return deferred.Promise();
}

/// While a promise is unsettled, the handle and the event loop stay alive.
void EngineHandle::hold() {
  if (self_) return;
  self_ = shared_from_this();
  bell_.Ref(env_);
}

void EngineHandle::let_go_if_idle() {
  const bool waiting_for_close = engine_ && closing_;
  if (!self_ || opening_ || loader_.joinable() || !pending_.empty() || waiting_for_close) return;
  bell_.Unref(env_);
  self_.reset();
}

void EngineHandle::stop_with_environment(void* handle) {
  auto* const self = static_cast<EngineHandle*>(handle);
  self->environment_ended_ = true;
  self->stop();
  // The last owner may be the handle itself.
  const std::shared_ptr<EngineHandle> last = std::move(self->self_);
}

/// Ends all threads of this handle and waits for them.
void EngineHandle::stop() {
  load_cancelled_ = true;
  if (loader_.joinable()) loader_.join();
  engine_.reset();
  std::optional<Loaded> unclaimed;
  {
    const std::lock_guard lock(mailbox_.mutex);
    unclaimed = std::exchange(mailbox_.loaded, std::nullopt);
  }
  // Destroyed without the lock: an engine that closes still posts.
}

EngineHandle::~EngineHandle() {
  stop();
  if (environment_ended_) return;
  napi_remove_env_cleanup_hook(env_, stop_with_environment, this);
  bell_.Release();
}

}  // namespace eyrie
