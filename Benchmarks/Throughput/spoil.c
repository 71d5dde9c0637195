// Copies the first records of a topic that `meterd load` filled into another one, and spoils some of them.
//
//   spoil BOOTSTRAP SOURCE TARGET EVENTS PER_10000
//
// Of 10,000 records, PER_10000 get a fault, one after another of those below, each in the partition that it came from.
// Prints one line of JSON: how many records, and how many of each reason that meterd must quarantine.

#define _GNU_SOURCE  // memmem
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char program[] = "spoil";
#include "client.h"

enum { BATCH = 10000, MOST_PARTITIONS = 64, TIMEOUT_MS = 10000, MOST_VALUE = 1 << 17, LARGE = 65537 };

// What stands in place of some text of the event; NULL: the fault is made by other means.
static const struct fault {
  const char *reason, *find, *replacement;
} faults[] = {
    {"empty_value", NULL, NULL},
    {"malformed_json", NULL, NULL},
    {"not_an_object", NULL, NULL},
    {"key_conflict", NULL, NULL},
    {"ambiguous_field", "\"customerId\":", "\"customer_id\":\"x\",\"customerId\":"},
    {"missing_key", "\"idempotencyKey\":", "\"i\":"},
    {"missing_customer", "\"customerId\":", "\"c\":"},
    {"missing_feature", "\"featureId\":", "\"f\":"},
    {"missing_quantity", "\"amount\":", "\"a\":"},
    {"wrong_type", "\"amount\":", "\"amount\":true,\"a\":"},
    {"field_empty", "\"featureId\":", "\"featureId\":\"\",\"f\":"},
    {"field_too_long", "\"featureId\":", NULL},
    {"quantity_not_exact", "\"amount\":", "\"amount\":0.00000000001"},
    {"quantity_out_of_range", "\"amount\":", "\"amount\":1000000000000000000"},
    {"quantity_negative", "\"amount\":", "\"amount\":-"},
    {"time_invalid", "\"timestamp\":", "\"timestamp\":\"noon\",\"t\":"},
    {"time_too_old", "\"timestamp\":", "\"timestamp\":1000000000000,\"t\":"},
    {"time_too_new", "\"timestamp\":", "\"timestamp\":4000000000000,\"t\":"},
    // 64 KiB each, so only one in LARGE_EVERY rounds: the others would drown in it.
    {"record_too_large", NULL, NULL},
};
enum { FAULTS = sizeof faults / sizeof faults[0], LARGE_EVERY = 500, KEY_BYTES = 36 };

static const char *find(const char *value, size_t length, const char *text) {
  const char *at = memmem(value, length, text, strlen(text));
  if (!at) die("an event is not the loader's", text);
  return at;
}

// Writes the event with fault number `which` to `out`; `earlier` is the key of an event before it in its partition.
static size_t spoil(int which, const char *value, size_t length, const char *earlier, char *out) {
  const struct fault *fault = &faults[which];
  if (!fault->find) {
    memcpy(out, value, length);
    if (!strcmp(fault->reason, "empty_value")) return 0;
    if (!strcmp(fault->reason, "malformed_json")) return length - 1;
    if (!strcmp(fault->reason, "key_conflict")) {
      const char *key = find(value, length, "\"idempotencyKey\":\"") + strlen("\"idempotencyKey\":\"");
      memcpy(out + (key - value), earlier, KEY_BYTES);
      // The event whose key it takes may have the same payload; no event of the loader's has so great an amount.
      static const char more[] = "1000000";
      size_t amount = (size_t)(find(value, length, "\"amount\":") - value) + strlen("\"amount\":");
      memmove(out + amount + strlen(more), out + amount, length - amount);
      memcpy(out + amount, more, strlen(more));
      return length + strlen(more);
    }
    if (!strcmp(fault->reason, "record_too_large")) {
      memset(out + length, ' ', LARGE - length);
      return LARGE;
    }
    out[0] = '[';
    memcpy(out + 1, value, length);
    out[length + 1] = ']';
    return length + 2;
  }
  static char long_name[320];
  const char *replacement = fault->replacement;
  if (!replacement) {
    int written = snprintf(long_name, sizeof long_name, "\"featureId\":\"%0257d\",\"f\":", 0);
    if (written < 0) die("a long name", "not written");
    replacement = long_name;
  }
  const char *at = find(value, length, fault->find);
  size_t before = (size_t)(at - value), skipped = strlen(fault->find), added = strlen(replacement);
  memcpy(out, value, before);
  memcpy(out + before, replacement, added);
  memcpy(out + before + added, at + skipped, length - before - skipped);
  return length - skipped + added;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: spoil BOOTSTRAP SOURCE TARGET EVENTS PER_10000\n");
    return 64;
  }
  int64_t wanted = atoll(argv[4]), share = atoll(argv[5]), events = 0, bad = 0, counts[FAULTS] = {0};
  static const char *const reading[][2] = {{"group.id", "meterd-benchmark-spoil"}, {"enable.auto.commit", "false"},
                                           {"enable.auto.offset.store", "false"}, {"queued.min.messages", "100000"}};
  static const char *const writing[][2] = {{"enable.idempotence", "true"}, {"compression.codec", "lz4"},
                                           {"linger.ms", "20"}, {"batch.num.messages", "20000"},
                                           {"queue.buffering.max.messages", "500000"}};
  rd_kafka_t *consumer = make(RD_KAFKA_CONSUMER, argv[1], reading, sizeof reading / sizeof reading[0]);
  rd_kafka_t *producer = make(RD_KAFKA_PRODUCER, argv[1], writing, sizeof writing / sizeof writing[0]);
  rd_kafka_topic_t *source = rd_kafka_topic_new(consumer, argv[2], NULL);
  rd_kafka_topic_t *target = rd_kafka_topic_new(producer, argv[3], NULL);
  rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer);
  const struct rd_kafka_metadata *metadata;
  if (rd_kafka_metadata(consumer, 0, source, &metadata, TIMEOUT_MS)) die(argv[2], "no metadata");
  int partitions = metadata->topics[0].partition_cnt;
  if (partitions < 1 || partitions > MOST_PARTITIONS) die(argv[2], "1 to 64 partitions are allowed");
  int64_t left[MOST_PARTITIONS], all = 0;
  for (int p = 0; p < partitions; p++) {
    // A partition may have fewer than its share.
    int64_t low, high;
    if (rd_kafka_query_watermark_offsets(consumer, argv[2], p, &low, &high, TIMEOUT_MS)) die(argv[2], "no watermarks");
    left[p] = high - low < wanted / partitions ? high - low : wanted / partitions;
    all += left[p];
    if (rd_kafka_consume_start_queue(source, p, RD_KAFKA_OFFSET_BEGINNING, queue)) die(argv[2], "cannot be read");
  }
  static rd_kafka_message_t *batch[BATCH];
  static char out[MOST_VALUE], earlier[MOST_PARTITIONS][KEY_BYTES];
  int64_t due = 0;
  while (events < all) {
    ssize_t count = rd_kafka_consume_batch_queue(queue, 1000, batch, BATCH);
    if (count < 0) die(argv[2], "cannot be read on");
    for (ssize_t i = 0; i < count; i++) {
      rd_kafka_message_t *message = batch[i];
      if (message->err) die("a message", rd_kafka_message_errstr(message));
      if (left[message->partition] == 0) continue;
      const char *value = message->payload;
      size_t length = message->len;
      left[message->partition]--;
      events++;
      due += share;
      if (due >= 10000) {
        due -= 10000;
        int which = (int)(bad % FAULTS);
        if (which == FAULTS - 1 && bad / FAULTS % LARGE_EVERY != 0) which = 1;
        // A conflict needs a good event before it, whose key it takes.
        if (!strcmp(faults[which].reason, "key_conflict") && !earlier[message->partition][0]) which = 1;
        bad++;
        counts[which]++;
        length = spoil(which, value, length, earlier[message->partition], out);
        value = out;
      } else {
        memcpy(earlier[message->partition],
               find(value, length, "\"idempotencyKey\":\"") + strlen("\"idempotencyKey\":\""), KEY_BYTES);
      }
      while (rd_kafka_produce(target, message->partition, RD_KAFKA_MSG_F_COPY, (void *)value, length, message->key,
                              message->key_len, NULL) == -1) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
          die("produce", rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_poll(producer, 10);
      }
    }
    for (ssize_t i = 0; i < count; i++) rd_kafka_message_destroy(batch[i]);
    rd_kafka_poll(producer, 0);
  }
  if (rd_kafka_flush(producer, 60000)) die("flush", "not all records were acknowledged");
  printf("{\"events\": %" PRId64 ", \"bad\": %" PRId64 ", \"reasons\": {", events, bad);
  for (int i = 0; i < FAULTS; i++) printf("%s\"%s\": %" PRId64, i ? ", " : "", faults[i].reason, counts[i]);
  printf("}}\n");
  return 0;
}
