#ifndef METERD_ALLOCATIONS_H
#define METERD_ALLOCATIONS_H
#include <stdint.h>

// How often this process has allocated memory so far. Counted by malloc and its kin themselves, which this target replaces.
uint64_t allocations_so_far(void);

#endif
