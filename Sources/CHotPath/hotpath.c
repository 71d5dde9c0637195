// All of CHotPath is inline in its header; SwiftPM wants one source file in a C target.
#include "hotpath.h"
