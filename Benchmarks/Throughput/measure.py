"""The rounds of the throughput benchmark; `run` prepares what it needs and calls it."""
import json, os, shutil, signal, statistics, subprocess, sys, time

from daemon_run import DaemonRun
from kafka_topics import create_topic

KAFKA, METERD, WORK = os.environ["KAFKA"], os.environ["METERD"], os.environ["WORK"]
HERE = os.path.dirname(os.path.abspath(__file__))
NAME = f"throughput-{int(time.time())}"


def number(name, default):
    return int(os.environ.get(name) or default)


EVENTS = number("EVENTS", 10_000_000)
ROUNDS = number("ROUNDS", 3)
WARM_RUNS = number("WARM_RUNS", 5)
CONSUMERS = number("CONSUMERS", min(2, os.cpu_count() or 1))
SINK = os.environ.get("SINK") or "log"
MAX_ROWS = number("MAX_ROWS", 200_000)
INTERVAL = os.environ.get("INTERVAL")  # until the warm-up has set it, meterd runs with FIRST_INTERVAL
FIRST_INTERVAL = "600ms"
CUTS = 7.5  # by the interval, in the fastest of the first runs; the end of the backlog makes one more


def say(text):
    print(text, file=sys.stderr, flush=True)


TOUCH = """
import mmap
with mmap.mmap(-1, 2 << 30) as memory:
    for at in range(0, 2 << 30, 4096):
        memory[at] = 1
"""


def touch_memory():
    """Touches memory and gives it back: on a virtual machine no run then pays for what the host hands out anew."""
    subprocess.run([sys.executable, "-c", TOUCH], check=True)


def load(topic, events, expect, *more):
    subprocess.run([METERD, "load", "--bootstrap-servers", KAFKA, "--topic", topic, "--events", str(events),
                    "--expect", expect, *more], check=True, stdout=sys.stderr)


def consume_only(topic, handles, *produce):
    """Or, with a topic and a number, producing each so many-th message to it."""
    out = subprocess.run([f"{WORK}/consume", KAFKA, topic, str(handles), *map(str, produce)], check=True,
                         capture_output=True, text=True)
    return json.loads(out.stdout)


def python_consumer(topic, events):
    folder = f"{WORK}/python"
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    out = subprocess.run([sys.executable, f"{HERE}/python_consumer.py", KAFKA, topic, folder, str(events)],
                         check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def daemon_run(topic, name, events, expect, sink=SINK, max_rows=MAX_ROWS, interval=None):
    return DaemonRun(KAFKA, METERD, WORK, topic, f"{NAME}-{name}", events, consumers=CONSUMERS, sink=sink,
                     max_rows=max_rows, interval=interval or INTERVAL or FIRST_INTERVAL, expect=expect)


def warm_up(topic):
    """A read and some runs; their times give the interval at which every round makes about as many cuts."""
    global INTERVAL
    say(f"a read and {WARM_RUNS} runs before the rounds: the page cache is warm then, and the broker's code is compiled")
    events = consume_only(topic, 1)["events"]
    seconds = [daemon_run(topic, f"warm-{index}", events, None).until_cut()["cut"]["seconds"] for index in range(WARM_RUNS)]
    if not INTERVAL:
        INTERVAL = f"{max(100, int(min(seconds) / CUTS * 1000))}ms"
        say(f"flush.interval {INTERVAL}: the fastest run took {min(seconds):.1f} s")
    return events


def rate(run):
    return run["events"] / run["seconds"]


def line(name, runs, base):
    rates = [rate(run) for run in runs]
    shares = [r / b for r, b in zip(rates, base)] if len(base) == len(rates) else [rates[0] / statistics.median(base)]
    cpu = statistics.median(run["cpu_seconds"] / run["events"] * 1e9 for run in runs)
    written = statistics.median(run.get("written_bytes", 0) / run["events"] for run in runs)
    rss = max(run["rss_peak_bytes"] for run in runs) / 2**20
    print(f"| {name} | {statistics.median(rates):,.0f} | {statistics.median(shares):.2f} | {cpu:,.0f} | {written:,.1f} | {rss:,.0f} |")


def table(one, many, daemon, python):
    base = [rate(run) for run in one]
    print("| what | events/s | of one-handle consume-only | CPU ns/event | bytes written/event | RSS MiB, peak |")
    print("|---|---|---|---|---|---|")
    line("C consume-only, 1 handle", one, base)
    if CONSUMERS > 1:
        line(f"C consume-only, {CONSUMERS} handles", many, base)
    phases = (("counted", "every event counted"), ("cut", "every event counted, durable, in a cut read back"),
              ("settled", f"all settled at the local {SINK} sink"))
    for phase, words in phases:
        line(f"meterd, {CONSUMERS} handle(s): {words}", [run[phase] for run in daemon], base)
    line("Python confluent-kafka + LMDB", [python], base)
    cut = [rate(run["cut"]) for run in daemon]
    ratio = lambda others: statistics.median(a / b for a, b in zip(cut, others))
    print(f"\nmeterd (in a cut) / C consume-only: {ratio(base):.2f} of 1 handle"
          + (f", {ratio([rate(run) for run in many]):.2f} of {CONSUMERS} handles" if CONSUMERS > 1 else "")
          + f"; meterd / Python: {statistics.median(cut) / rate(python):.0f}")


def stages(daemon):
    print("\nWhere meterd's CPU goes, ns an event until the last cut (median of the rounds):")
    for name in sorted({name for run in daemon for name in run["cut"]["threads"]}):
        spent = statistics.median(run["cut"]["threads"].get(name, 0) / run["cut"]["events"] * 1e9 for run in daemon)
        print(f"  {name}: {spent:,.0f}")


def details(daemon):
    for index, run in enumerate(daemon):
        print(f"round {index + 1}: cuts a partition {run['cuts']}, ready after {run['ready_seconds']:.1f} s, "
              f"{run['duplicates']:,} duplicates, {run['rows_settled']:,} rows settled ({run['rows_settled'] / run['cut']['events']:.3f} an event), totals at the sink equal to the "
              f"expected ones: {run['exact']}, huge pages {run['huge_page_bytes'] / 2**20:,.0f} MiB")
        if min(run["cuts"]) < 5:
            print("  fewer than 5 cuts in a partition: lower INTERVAL, or the sink is behind", file=sys.stderr)
    last = daemon[-1]
    print(f"dedup: {last['dedup_bytes'] / max(1, last['dedup_keys']) * 1e6 / 2**20:,.0f} MiB a million keys "
          f"({last['dedup_keys']:,.0f} keys held)")


def bad_input(source, events):
    """The same events with none, 1 % and 10 % of them spoiled, in turn: what quarantine costs."""
    runs = {}
    for share in (0, 100, 1000):
        topic = f"{NAME}-bad-{share}"
        create_topic(KAFKA, topic, 4)
        out = subprocess.run([f"{WORK}/spoil", KAFKA, source, topic, str(events), str(share)], check=True,
                             capture_output=True, text=True)
        runs[share] = topic, json.loads(out.stdout), []
    say(f"{WARM_RUNS} runs of the topics with bad events before the rounds, for the broker's produce path")
    for index in range(WARM_RUNS):
        for share in (100, 1000):
            topic, spec, _ = runs[share]
            daemon_run(topic, f"bad-{share}-warm-{index}", spec["events"], None, sink="log").until_cut()
    for index in range(ROUNDS):
        for share, (topic, spec, rounds) in runs.items():
            touch_memory()
            found = daemon_run(topic, f"bad-{share}-{index}", spec["events"], None, sink="log").until_cut()
            for reason, expected in spec["reasons"].items():
                # More than expected: a new owner has judged some of them again, and readers drop the repeats.
                if found["quarantined"].get(reason, 0) < expected:
                    print(f"bad input: {expected} of {reason} expected, {found['quarantined']} found", file=sys.stderr)
                    sys.exit(65)
            rounds.append(found["cut"])
            say(f"round {index + 1}: {share / 100:g} % bad: {rate(found['cut']):,.0f}/s, "
                f"{sum(found['quarantined'].values()):,} of {spec['bad']:,} quarantined")
    clean = runs[0][2]
    print("\nBad events, of every reason that needs no configuration, until all is counted, quarantined and in a cut:")
    for share, (_, spec, rounds) in runs.items():
        of_clean = statistics.median(rate(a) / rate(b) for a, b in zip(rounds, clean))
        cpu = statistics.median(run["cpu_seconds"] / run["events"] * 1e9 for run in rounds)
        print(f"  {share / 100:g} %: {statistics.median(map(rate, rounds)):,.0f} events/s, {of_clean:.2f} of clean, "
              f"{cpu:,.0f} CPU ns an event ({spec['bad']:,} bad)")
    produce_only(source)


def produce_only(source):
    """What producing so many messages with five headers takes librdkafka alone."""
    topic = f"{NAME}-produce"
    create_topic(KAFKA, topic, 4)
    ways = {0: [], 100: [], 10: []}
    for index in range(ROUNDS + 1):  # the first one warms up
        for every, rounds in ways.items():
            rounds.append(consume_only(source, CONSUMERS, *([topic, every] if every else [])))
    print(f"C with librdkafka alone, {CONSUMERS} handle(s), that reads and produces so many with five headers:")
    for every, rounds in ways.items():
        of_clean = statistics.median(rate(a) / rate(b) for a, b in zip(rounds[1:], ways[0][1:]))
        cpu = statistics.median(run["cpu_seconds"] / run["events"] * 1e9 for run in rounds[1:])
        print(f"  {100 / every if every else 0:g} %: {of_clean:.2f} of reading only, {cpu:,.0f} CPU ns an event")


def memory(events):
    """Many customers and no cut: what keys and open rows take."""
    topic = f"{NAME}-memory"
    create_topic(KAFKA, topic, 4)
    load(topic, events, f"{WORK}/memory.json", "--customers", "10000000", "--duplicates", "0%")
    found = daemon_run(topic, "memory", events, None, sink="log", max_rows=10_000_000, interval="1h").until_counted()
    rows, keys = found["open_rows"], found["dedup_keys"]
    rest = found["rss_bytes"] - found["rss_before_bytes"] - found["dedup_bytes"]
    print(f"memory at {keys:,.0f} keys and {rows:,.0f} open rows: RSS {found['rss_bytes'] / 2**20:,.0f} MiB, of which "
          f"{found['rss_before_bytes'] / 2**20:,.0f} before there are partitions and {found['dedup_bytes'] / 2**20:,.0f} dedup: "
          f"{found['dedup_bytes'] / keys * 1e6 / 2**20:,.0f} MiB a million keys, at most {rest / rows * 1e6 / 2**20:,.0f} "
          f"MiB a million open rows (read-ahead of the fetcher included)")


def main():
    topic, expect = os.environ.get("TOPIC"), os.environ.get("EXPECT") or f"{WORK}/expected.json"
    if not topic:
        topic = f"{NAME}-usage"
        create_topic(KAFKA, topic, 4)
        say(f"loading {EVENTS:,} events into {topic}")
        load(topic, EVENTS, expect)
    events = warm_up(topic)
    one, many, daemon = [], [], []
    load_before = os.getloadavg()
    for index in range(ROUNDS):
        touch_memory()
        one.append(consume_only(topic, 1))
        say(f"round {index + 1}: C consume-only, 1 handle: {rate(one[-1]):,.0f}/s")
        if CONSUMERS > 1:
            many.append(consume_only(topic, CONSUMERS))
            say(f"round {index + 1}: C consume-only, {CONSUMERS} handles: {rate(many[-1]):,.0f}/s")
        touch_memory()
        daemon.append(daemon_run(topic, index, events, expect).until_settled())
        say(f"round {index + 1}: meterd: " + ", ".join(
            f"{phase} {rate(daemon[-1][phase]):,.0f}/s" for phase in ("counted", "cut", "settled")))
    say("Python")
    python = python_consumer(topic, min(events, number("PYTHON_EVENTS", 300_000)))
    print(f"{events:,} events of {one[0]['value_bytes'] / events:.0f} bytes, 4 partitions, lz4, one broker, "
          f"{os.cpu_count()} cores shared with it, librdkafka {one[0]['librdkafka']}; medians of {ROUNDS} rounds; "
          f"flush.interval {INTERVAL}, flush.max_rows {MAX_ROWS:,}; "
          f"load average {load_before[0]:.1f} before, {os.getloadavg()[0]:.1f} after\n")
    table(one, many, daemon, python)
    stages(daemon)
    details(daemon)
    if os.environ.get("PROFILE"):
        print(daemon_run(topic, "profile", events, None).profile())
    if number("BAD_EVENTS", events):
        bad_input(topic, min(events, number("BAD_EVENTS", events)))
    if number("MEMORY_EVENTS", 2_000_000):
        memory(number("MEMORY_EVENTS", 2_000_000))
    sys.exit(0 if all(run["exact"] for run in daemon) else 65)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
