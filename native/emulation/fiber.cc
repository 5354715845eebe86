#include "emulation/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define EYRIE_FIBERS_WITH_ASAN 1
#else
#define EYRIE_FIBERS_WITH_ASAN 0
#endif

#if defined(__x86_64__) && !defined(EYRIE_FIBERS_WITH_UCONTEXT)
// Saves what a call must keep, stores the stack pointer at *rdi, takes rsi as the new one and restores. The first switch to a fiber
// finds the registers that reset() has laid out and returns into eyrie_emulation_start. (A jump instead of `ret` was
// tried and made a switch about 40 % slower.)
asm(R"(
  .text
  .type eyrie_emulation_switch, @function
eyrie_emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size eyrie_emulation_switch, .-eyrie_emulation_switch
  .type eyrie_emulation_start, @function
eyrie_emulation_start:
  movq %r12, %rdi
  call *%r13
  ud2
  .size eyrie_emulation_start, .-eyrie_emulation_start
)");
extern "C" void eyrie_emulation_switch(void** save, void* load);
extern "C" void eyrie_emulation_start();
#define EYRIE_SWITCH_IN_ASSEMBLER 1
#else
#include <ucontext.h>
#define EYRIE_SWITCH_IN_ASSEMBLER 0
#endif

namespace eyrie::emulation {

namespace {

// The sanitizers need room around every variable.
constexpr size_t kStackBytes = EYRIE_FIBERS_WITH_ASAN ? size_t{512} << 10 : size_t{128} << 10;

}  // namespace

Fiber::Fiber(Entry entry, void* argument, unsigned number) : entry_(entry), argument_(argument) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  mapped_ = kStackBytes + page;
  mapping_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED || mprotect(mapping_, page, PROT_NONE) != 0) {
    if (mapping_ != MAP_FAILED) munmap(mapping_, mapped_);
    throw Error(ErrorCode::out_of_memory, "no room for the stack of an emulated thread (" + std::to_string(mapped_) + " bytes)");
  }
  bottom_ = static_cast<char*>(mapping_) + page;
  size_ = kStackBytes;
  top_ = static_cast<char*>(mapping_) + mapped_ - (number % 16) * 256;
  reset();
}

Fiber::~Fiber() {
  if (mapping_ != nullptr) {
#if EYRIE_FIBERS_WITH_ASAN
    ASAN_UNPOISON_MEMORY_REGION(bottom_, size_);  // what the next owner of these addresses gets must not be marked
#endif
    munmap(mapping_, mapped_);
#if !EYRIE_SWITCH_IN_ASSEMBLER
    delete static_cast<ucontext_t*>(stack_pointer_);
  } else {
    delete static_cast<ucontext_t*>(stack_pointer_);
#endif
  }
}

#if EYRIE_SWITCH_IN_ASSEMBLER

void Fiber::reset() {
#if EYRIE_FIBERS_WITH_ASAN
  ASAN_UNPOISON_MEMORY_REGION(bottom_, size_);
#endif
  // From the stack pointer up: r15 r14 r13 r12 rbx rbp, the return address, and what keeps `call` aligned to 16 bytes.
  void* words[9] = {nullptr, nullptr, reinterpret_cast<void*>(&Fiber::start),          this,
                    nullptr, nullptr, reinterpret_cast<void*>(&eyrie_emulation_start), nullptr,
                    nullptr};
  stack_pointer_ = top_ - sizeof words;
  std::memcpy(stack_pointer_, words, sizeof words);
}

#else

void Fiber::reset() {
#if EYRIE_FIBERS_WITH_ASAN
  ASAN_UNPOISON_MEMORY_REGION(bottom_, size_);
#endif
  if (stack_pointer_ == nullptr) stack_pointer_ = new ucontext_t;
  auto* context = static_cast<ucontext_t*>(stack_pointer_);
  getcontext(context);
  context->uc_stack.ss_sp = const_cast<void*>(bottom_);
  context->uc_stack.ss_size = static_cast<size_t>(top_ - static_cast<const char*>(bottom_));
  context->uc_link = nullptr;
  const auto address = reinterpret_cast<uintptr_t>(this);
  // makecontext passes ints only.
  void (*entry)(unsigned, unsigned) = [](unsigned high, unsigned low) {
    start(reinterpret_cast<void*>((static_cast<uintptr_t>(high) << 16 << 16) | low));
  };
  makecontext(context, reinterpret_cast<void (*)()>(entry), 2, static_cast<unsigned>(address >> 16 >> 16), static_cast<unsigned>(address));
}

#endif

void Fiber::start(void* fiber) {
  Fiber& self = *static_cast<Fiber*>(fiber);
  arrive(*self.came_from_, self);
  self.entry_(self.argument_);
}

/// On the new stack: tells the sanitizer that it got there, and learns where a stack lies that was not made here.
void Fiber::arrive([[maybe_unused]] Fiber& from, [[maybe_unused]] Fiber& to) {
#if EYRIE_FIBERS_WITH_ASAN
  __sanitizer_finish_switch_fiber(to.fake_stack_, &from.bottom_, &from.size_);
#endif
}

void Fiber::switch_to(Fiber& from, Fiber& to) {
  to.came_from_ = &from;
#if EYRIE_FIBERS_WITH_ASAN
  __sanitizer_start_switch_fiber(&from.fake_stack_, to.bottom_, to.size_);
#endif
#if EYRIE_SWITCH_IN_ASSEMBLER
  eyrie_emulation_switch(&from.stack_pointer_, to.stack_pointer_);
#else
  if (from.stack_pointer_ == nullptr) from.stack_pointer_ = new ucontext_t;
  swapcontext(static_cast<ucontext_t*>(from.stack_pointer_), static_cast<ucontext_t*>(to.stack_pointer_));
#endif
  arrive(*from.came_from_, from);
}

}  // namespace eyrie::emulation
