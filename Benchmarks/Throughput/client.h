// What the programs of this folder share: how they make a client, and how they end where something fails. `program` is
// the including one's name.
#pragma once
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

static void die(const char *what, const char *why) {
  fprintf(stderr, "%s: %s: %s\n", program, what, why);
  exit(69);
}

static rd_kafka_t *make(rd_kafka_type_t type, const char *bootstrap, const char *const settings[][2], size_t count) {
  char error[512];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  if (rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, error, sizeof error)) die("bootstrap.servers", error);
  for (size_t i = 0; i < count; i++)
    if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], error, sizeof error)) die(settings[i][0], error);
  rd_kafka_t *handle = rd_kafka_new(type, conf, error, sizeof error);
  if (!handle) die("a client", error);
  return handle;
}
