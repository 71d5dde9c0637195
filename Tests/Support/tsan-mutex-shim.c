// The thread sanitizer does not see the slow path of Swift's Synchronization.Mutex on Linux: it runs in the standard
// library, which is not instrumented, so a contended lock looks like no lock at all. Preloaded, these take the place of
// the library's functions, call them, and tell the sanitizer what they order. Swift passes self in a register of its own,
// hence swiftcall (clang only).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self

// Absent where the process is not sanitized (the shell that starts it): then nothing is told.
extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

SWIFT void lockSlow(uint32_t own, SELF) __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
SWIFT void lockSlow(uint32_t own, SELF) {
  static SWIFT void (*real)(uint32_t, SELF);
  if (!real) real = next("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
  real(own, self);
  if (__tsan_acquire) __tsan_acquire(self);
}

SWIFT bool tryLockSlow(SELF) __asm__("$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF");
SWIFT bool tryLockSlow(SELF) {
  static SWIFT bool (*real)(SELF);
  if (!real) real = next("$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF");
  bool taken = real(self);
  if (taken && __tsan_acquire) __tsan_acquire(self);
  return taken;
}

SWIFT void unlockSlow(SELF) __asm__("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");
SWIFT void unlockSlow(SELF) {
  static SWIFT void (*real)(SELF);
  if (!real) real = next("$s15Synchronization12_MutexHandleV11_unlockSlowyyF");
  if (__tsan_release) __tsan_release(self);
  real(self);
}
