// Reads a topic to its end and does nothing with it: what librdkafka allows at most on a machine.
//
//   consume BOOTSTRAP TOPIC HANDLES [TARGET EVERY]
//
// With TARGET and EVERY it also produces each EVERYth message there as meterd does with bad events: key, value, timestamp
// and five headers, lz4, acknowledged by all. What that takes is librdkafka's alone, and the clock runs to the last
// acknowledgement.
//
// One thread for each handle; the partitions are dealt out in turn, each to one handle, whose partitions share one
// queue. Prints one line of JSON. The clock runs from the first batch that arrives at any handle to the last record.

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const char program[] = "consume";
#include "client.h"

enum { BATCH = 10000, MOST_PARTITIONS = 1024, TIMEOUT_MS = 10000 };

struct work {
  const char *bootstrap;
  const char *topic;
  int handle;
  int handles;
  int partitions;
  int64_t events;
  int64_t bytes;
  int64_t end_ns;
};

static atomic_llong first_ns;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t cpu_ns(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000000) +
         (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * INT64_C(1000);
}

static rd_kafka_t *make_consumer(const char *bootstrap) {
  // The settings that were found fastest. A queue that never fills keeps librdkafka 2.0 from going to sleep on a full one.
  static const char *const settings[][2] = {
      {"queued.min.messages", "1000000"},   {"queued.max.messages.kbytes", "262144"},
      {"fetch.message.max.bytes", "1048576"}, {"fetch.wait.max.ms", "10"},
      {"enable.auto.commit", "false"},      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},       {"group.id", "meterd-benchmark-consume-only"},
  };
  return make(RD_KAFKA_CONSUMER, bootstrap, settings, sizeof settings / sizeof settings[0]);
}

// What messages are produced with; none where `every` is 0.
static struct {
  rd_kafka_t *handle;
  rd_kafka_topic_t *topic;
  int64_t every;
} target;

static void make_target(const char *bootstrap, const char *topic, int64_t every) {
  // meterd's settings for its quarantine.
  static const char *const settings[][2] = {{"acks", "all"}, {"compression.codec", "lz4"}, {"linger.ms", "20"},
                                            {"queue.buffering.max.messages", "30000"}};
  target.handle = make(RD_KAFKA_PRODUCER, bootstrap, settings, sizeof settings / sizeof settings[0]);
  target.topic = rd_kafka_topic_new(target.handle, topic, NULL);
  target.every = every;
}

static void produce(rd_kafka_message_t *message) {
  char offset[24];
  int length = snprintf(offset, sizeof offset, "%" PRId64, message->offset);
  rd_kafka_headers_t *headers = rd_kafka_headers_new(5);
  rd_kafka_header_add(headers, "meterd_reason", -1, "missing_customer", -1);
  rd_kafka_header_add(headers, "meterd_topic", -1, rd_kafka_topic_name(message->rkt), -1);
  rd_kafka_header_add(headers, "meterd_partition", -1, "0", -1);
  rd_kafka_header_add(headers, "meterd_offset", -1, offset, length);
  rd_kafka_header_add(headers, "meterd_detail", -1, "customer at byte 57", -1);
  for (;;) {
    rd_kafka_resp_err_t error = rd_kafka_producev(
        target.handle, RD_KAFKA_V_RKT(target.topic), RD_KAFKA_V_PARTITION(message->partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(message->payload, message->len),
        RD_KAFKA_V_KEY(message->key, message->key_len), RD_KAFKA_V_TIMESTAMP(rd_kafka_message_timestamp(message, NULL)),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (!error) return;
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) die("produce", rd_kafka_err2str(error));
    nanosleep(&(struct timespec){0, 2000000}, NULL);
  }
}

static int partition_count(const char *bootstrap, const char *topic) {
  rd_kafka_t *handle = make_consumer(bootstrap);
  rd_kafka_topic_t *t = rd_kafka_topic_new(handle, topic, NULL);
  const struct rd_kafka_metadata *metadata;
  rd_kafka_resp_err_t error = rd_kafka_metadata(handle, 0, t, &metadata, TIMEOUT_MS);
  if (error) die(topic, rd_kafka_err2str(error));
  if (metadata->topic_cnt != 1 || metadata->topics[0].err) die(topic, "no such topic");
  int count = metadata->topics[0].partition_cnt;
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(t);
  rd_kafka_destroy(handle);
  return count;
}

static void *consume(void *argument) {
  struct work *work = argument;
  rd_kafka_t *handle = make_consumer(work->bootstrap);
  rd_kafka_topic_t *topic = rd_kafka_topic_new(handle, work->topic, NULL);
  rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
  rd_kafka_message_t **batch = malloc(BATCH * sizeof *batch);
  int64_t *ends = calloc(MOST_PARTITIONS, sizeof *ends);
  if (!topic || !queue || !batch || !ends) die(work->topic, "no memory");
  int left = 0;
  for (int p = work->handle; p < work->partitions; p += work->handles) {
    int64_t low, high;
    rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(handle, work->topic, p, &low, &high, TIMEOUT_MS);
    if (error) die("watermarks", rd_kafka_err2str(error));
    if (high <= low) continue;
    ends[p] = high;
    left++;
    if (rd_kafka_consume_start_queue(topic, p, low, queue)) die("start", rd_kafka_err2str(rd_kafka_last_error()));
  }
  while (left > 0) {
    ssize_t count = rd_kafka_consume_batch_queue(queue, 100, batch, BATCH);
    if (count < 0) die("consume", rd_kafka_err2str(rd_kafka_last_error()));
    if (count > 0 && !atomic_load_explicit(&first_ns, memory_order_relaxed)) {
      long long unset = 0;
      atomic_compare_exchange_strong(&first_ns, &unset, now_ns());
    }
    for (ssize_t i = 0; i < count; i++) {
      rd_kafka_message_t *message = batch[i];
      if (message->err) die("a message", rd_kafka_message_errstr(message));
      work->events++;
      work->bytes += (int64_t)message->len;
      if (target.every && message->offset % target.every == 0) produce(message);
      if (message->offset + 1 == ends[message->partition]) left--;
    }
    for (ssize_t i = 0; i < count; i++) rd_kafka_message_destroy(batch[i]);
  }
  work->end_ns = now_ns();
  for (int p = work->handle; p < work->partitions; p += work->handles)
    if (ends[p]) rd_kafka_consume_stop(topic, p);
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(handle);
  free(batch);
  free(ends);
  return NULL;
}

int main(int argc, char **argv) {
  if ((argc != 4 && argc != 6) || atoi(argv[3]) < 1 || (argc == 6 && atoll(argv[5]) < 1)) {
    fprintf(stderr, "usage: consume BOOTSTRAP TOPIC HANDLES [TARGET EVERY]\n");
    return 64;
  }
  if (argc == 6) make_target(argv[1], argv[4], atoll(argv[5]));
  int handles = atoi(argv[3]);
  int partitions = partition_count(argv[1], argv[2]);
  if (partitions > MOST_PARTITIONS) die(argv[2], "more than 1024 partitions");
  if (handles > partitions) handles = partitions;
  pthread_t *threads = calloc((size_t)handles, sizeof *threads);
  struct work *works = calloc((size_t)handles, sizeof *works);
  if (!threads || !works) die("start", "no memory");
  for (int i = 0; i < handles; i++) {
    works[i] = (struct work){argv[1], argv[2], i, handles, partitions, 0, 0, 0};
    if (pthread_create(&threads[i], NULL, consume, &works[i])) die("start", "no thread");
  }
  int64_t events = 0, bytes = 0, end = 0;
  for (int i = 0; i < handles; i++) {
    pthread_join(threads[i], NULL);
    events += works[i].events;
    bytes += works[i].bytes;
    if (works[i].end_ns > end) end = works[i].end_ns;
  }
  if (target.every) {
    if (rd_kafka_flush(target.handle, 60000)) die("flush", "not all is acknowledged");
    end = now_ns();
  }
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"events\": %" PRId64 ", \"seconds\": %.6f, \"cpu_seconds\": %.6f, \"value_bytes\": %" PRId64
         ", \"rss_peak_bytes\": %lld, \"librdkafka\": \"%s\"}\n",
         events, (double)(end - atomic_load(&first_ns)) / 1e9, (double)cpu_ns() / 1e9, bytes,
         (long long)usage.ru_maxrss * 1024, rd_kafka_version_str());
  return 0;
}
