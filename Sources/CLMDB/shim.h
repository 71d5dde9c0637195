#pragma once
#include <lmdb.h>
// LMDB must not be used on the file systems of other machines: statfs(2) tells which ones are.
#include <sys/vfs.h>
