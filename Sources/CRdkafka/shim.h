#pragma once
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>

// glibc declares it only with _GNU_SOURCE, which a module map cannot set.
extern int pthread_setname_np(pthread_t thread, const char *name);

// Names the calling thread, as seen in top -H and in debuggers; at most 15 bytes.
static inline void kafka_name_thread(const char *name) { (void)pthread_setname_np(pthread_self(), name); }
