// The few machine instructions that Swift cannot spell: prefetches and vector compares for the scanner.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Asks for the cache line at `address`, to be read soon. Any address is allowed.
static inline void meterd_prefetch_read(const void *address) { __builtin_prefetch(address, 0, 3); }

/// Asks for the cache line at `address`, to be written soon. Any address is allowed.
static inline void meterd_prefetch_write(const void *address) { __builtin_prefetch(address, 1, 3); }
