#pragma once
// A stack of its own and the switch between such stacks. Fibers of one host thread run one at a time and switch only where they say so.

#include <cstddef>

namespace eyrie::emulation {

class Fiber {
 public:
  using Entry = void (*)(void* argument);

  /// Stands for the stack it is made on: something to switch away from and back to.
  Fiber() = default;
  /// `entry` must never return. `number` shifts the stack a little, so that the stacks of a warp do not fall on the same cache lines.
  Fiber(Entry entry, void* argument, unsigned number);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Back to the start of `entry`; what was on the stack is forgotten without destructors.
  void reset();

  /// Leaves `from`, which must be running, and goes on in `to`; returns when something switches back to `from`.
  static void switch_to(Fiber& from, Fiber& to);

 private:
  static void arrive(Fiber& from, Fiber& to);
  static void start(void* fiber);

  Entry entry_ = nullptr;
  void* argument_ = nullptr;
  void* mapping_ = nullptr;  // guard page, then the stack
  size_t mapped_ = 0;
  char* top_ = nullptr;
  void* stack_pointer_ = nullptr;  // where it goes on; without the switch in assembler: its ucontext_t
  // What AddressSanitizer wants to know of a stack.
  const void* bottom_ = nullptr;
  size_t size_ = 0;
  void* fake_stack_ = nullptr;
  Fiber* came_from_ = nullptr;
};

}  // namespace eyrie::emulation
