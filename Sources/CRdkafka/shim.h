#pragma once
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <malloc.h>
#include <pthread.h>

// glibc declares it only with _GNU_SOURCE, which a module map cannot set.
extern int pthread_setname_np(pthread_t thread, const char *name);

// Names the calling thread, as seen in top -H and in debuggers; at most 15 bytes.
static inline void kafka_name_thread(const char *name) { (void)pthread_setname_np(pthread_self(), name); }

// Asks for a message's memory, to be read soon: its fields, and its timestamp behind them.
static inline void kafka_prefetch_message(const rd_kafka_message_t *message) {
  const char *start = (const char *)message;
  __builtin_prefetch(start, 0, 3);
  __builtin_prefetch(start + 64, 0, 3);
  __builtin_prefetch(start + 128, 0, 3);
}

// Asks for the end of a message's value, which says whether headers follow. Any address may be asked for.
static inline void kafka_prefetch_value_end(const rd_kafka_message_t *message) {
  __builtin_prefetch((const char *)message->payload + message->len, 0, 3);
}

// Has the C library keep no short freed pieces of memory apart ("fast bins").
static inline void kafka_avoid_fast_bins(void) {
#ifdef M_MXFAST
  (void)mallopt(M_MXFAST, 0);
#endif
}
