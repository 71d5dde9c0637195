"""What one would write instead: confluent-kafka, json, and LMDB for dedup, totals and offsets; exact, synced by batch.

    python_consumer.py BOOTSTRAP TOPIC FOLDER EVENTS      prints one line of JSON
"""
import json, os, resource, struct, sys, time
from collections import defaultdict
from decimal import Decimal

import confluent_kafka as ck
import lmdb

bootstrap, topic, folder, events = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
consumer = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "meterd-benchmark-python",
                        "enable.auto.commit": False, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 10})
partitions = consumer.list_topics(topic, 10).topics[topic].partitions
consumer.assign([ck.TopicPartition(topic, p, ck.OFFSET_BEGINNING) for p in partitions])
store = lmdb.open(folder, map_size=1 << 34, max_dbs=3)
keys, rows, offsets = (store.open_db(name) for name in (b"keys", b"rows", b"offsets"))
seen = duplicates = 0
begin = None
while seen < events:
    batch = consumer.consume(1000, 1.0)  # one synced transaction a batch
    begin = begin or (time.monotonic() if batch else None)
    totals, positions = defaultdict(Decimal), {}
    with store.begin(write=True) as txn:
        for message in batch:
            if message.error():
                raise ck.KafkaException(message.error())
            event = json.loads(message.value())
            positions[message.partition()] = message.offset() + 1
            if txn.put(event["idempotencyKey"].encode(), b"", overwrite=False, db=keys):
                totals[event["customerId"] + "\0" + event["featureId"]] += Decimal(str(event["amount"]))
            else:
                duplicates += 1
        for row, amount in totals.items():
            txn.put(row.encode(), str(Decimal((txn.get(row.encode(), db=rows) or b"0").decode()) + amount).encode(), db=rows)
        for partition, offset in positions.items():
            txn.put(struct.pack(">i", partition), struct.pack(">q", offset), db=offsets)
    seen += len(batch)
seconds = time.monotonic() - begin
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"events": seen, "duplicates": duplicates, "seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime,
                  "rss_peak_bytes": usage.ru_maxrss * 1024, "written_bytes": int(
                      next(l for l in open(f"/proc/{os.getpid()}/io") if l.startswith("write_bytes")).split()[1])}))
