"""One run of `meterd run` with a fresh group and fresh storage, watched from outside."""
import http.client, json, os, re, shutil, socket, subprocess, tempfile, time, urllib.request
from collections import defaultdict

TICK = os.sysconf("SC_CLK_TCK")
POLL_SECONDS = 0.02  # as often as meterd shows a partition
LIMIT_SECONDS = 600


def get(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read().decode()


def exact(text):
    """A decimal of at most nine places, in billionths."""
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.lstrip("-").partition(".")
    return sign * (int(whole) * 10**9 + int(part.ljust(9, "0") or 0))


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Failed(Exception):
    pass


class DaemonRun:
    def __init__(self, kafka, meterd, work, topic, group, events, consumers, sink, max_rows, interval, expect):
        self.meterd, self.events, self.expect, self.sink = meterd, events, expect, sink
        self.folder = tempfile.mkdtemp(prefix="run-", dir=work)
        self.log = open(f"{self.folder}/log", "wb")
        self.rows = f"{self.folder}/rows"
        self.fake = None
        self.looks = None
        self.port, self.fake_port = free_ports(2)
        sink_lines = "provider: log"
        if sink == "webhook":
            sink_lines = (f"provider: webhook, url: 'http://127.0.0.1:{self.fake_port}/usage', secret: whsec_fake, "
                          "idempotency_window: 7d, rate: {requests_per_second: 1000}")
        with open(f"{self.folder}/meterd.yaml", "w") as file:
            file.write(f"""
kafka: {{bootstrap_servers: '{kafka}', topic: {topic}, group: {group}, consumers: {consumers}}}
storage: {{path: '{self.folder}/storage'}}
flush: {{interval: {interval}, max_rows: {max_rows}}}
http: {{listen: '127.0.0.1:{self.port}'}}
sinks: [{{name: local, {sink_lines}}}]
log: {{level: warning}}
""")

    def start(self):
        if self.sink == "webhook":
            self.fake = subprocess.Popen([self.meterd, "fake", "webhook", "--listen", f"127.0.0.1:{self.fake_port}"],
                                         stderr=self.log)
        self.daemon = subprocess.Popen([self.meterd, "run", "--config", f"{self.folder}/meterd.yaml"],
                                       stdout=open(self.rows, "wb"), stderr=self.log)
        self.began = time.monotonic()

    def stop(self):
        if self.looks:
            self.looks.close()
        for process in (self.daemon, self.fake):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(40)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def status(self):
        if self.daemon.poll() is not None:
            raise Failed(f"meterd ended with {self.daemon.returncode}:\n" + open(f"{self.folder}/log").read()[-3000:])
        if time.monotonic() - self.began > LIMIT_SECONDS:
            raise Failed(f"not done after {LIMIT_SECONDS} s:\n{get(f'http://127.0.0.1:{self.port}/v1/status')}\n"
                         + open(f"{self.folder}/log").read()[-3000:])
        # One connection for all looks: they share the cores with what they look at.
        self.looks = self.looks or http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            self.looks.request("GET", "/v1/status")
            status = json.loads(self.looks.getresponse().read())
        except OSError:
            self.looks.close()
            return None  # it does not listen yet
        for partition in status["partitions"]:
            if partition["state"] == "stopped":
                raise Failed(f"partition {partition['partition']} stopped: {partition['stop']}")
        return status

    def metrics(self, name):
        text = get(f"http://127.0.0.1:{self.port}/metrics")
        return [float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M)]

    def library_seconds(self):
        """CPU seconds of librdkafka's threads: they live as long as the process, meterd's own come and go."""
        spent = 0.0
        for thread in os.listdir(f"/proc/{self.daemon.pid}/task"):
            try:
                with open(f"/proc/{self.daemon.pid}/task/{thread}/stat") as file:
                    text = file.read()
            except OSError:
                continue
            if text[text.index("(") + 1:].startswith("rdk:"):
                fields = text[text.rindex(")") + 2:].split()
                spent += (int(fields[11]) + int(fields[12])) / TICK
        return spent

    def usage(self):
        """Of the process until now: CPU seconds, bytes written to the disk, peak and present memory."""
        with open(f"/proc/{self.daemon.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        with open(f"/proc/{self.daemon.pid}/io") as file:
            written = int(re.search(r"^write_bytes: (\d+)", file.read(), re.M)[1])
        with open(f"/proc/{self.daemon.pid}/status") as file:
            text = file.read()
        memory = {name: int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1]) * 1024 for name in ("VmHWM", "VmRSS")}
        return {"cpu_seconds": (int(fields[11]) + int(fields[12])) / TICK, "written_bytes": written,
                "rss_peak_bytes": memory["VmHWM"], "rss_bytes": memory["VmRSS"]}

    def huge_pages(self):
        with open(f"/proc/{self.daemon.pid}/smaps_rollup") as file:
            return int(re.search(r"^AnonHugePages:\s+(\d+) kB", file.read(), re.M)[1]) * 1024

    def phase(self, at, start):
        """What was spent from the last look that saw no event counted until now."""
        now = self.usage()
        cpu, library = now["cpu_seconds"] - start["cpu_seconds"], self.library_seconds() - start["library_seconds"]
        return {"events": self.events, "seconds": at - start["at"], "rss_peak_bytes": now["rss_peak_bytes"],
                "cpu_seconds": cpu, "threads": {"librdkafka's threads": library, "meterd's threads": cpu - library},
                "written_bytes": now["written_bytes"] - start["written_bytes"]}

    def wait_for_first_event(self):
        """The last look before the first event was counted; the clock starts there, so never too late."""
        start = None
        while True:
            at = time.monotonic()
            spent = {"at": at, "library_seconds": self.library_seconds(), **self.usage()}
            status = self.status()
            if status and any(p["position"] > 0 for p in status["partitions"]):
                return start or spent
            start = spent
            time.sleep(POLL_SECONDS)

    def until_settled(self):
        self.start()
        try:
            start = self.wait_for_first_event()
            found = {"ready_seconds": start["at"] - self.began}
            while "settled" not in found:
                time.sleep(POLL_SECONDS)
                status, at = self.status(), time.monotonic()
                partitions = status["partitions"]
                if sum(p["position"] for p in partitions) < self.events:
                    continue
                if "counted" not in found:
                    found["counted"] = self.phase(at, start)
                if "cut" not in found and sum(p["head"] for p in partitions) >= self.events:
                    found["cut"] = self.phase(at, start)
                if "cut" in found and self.is_settled(status):
                    found["settled"] = self.phase(at, start)
            found["cuts"] = [int(count) for count in self.metrics("meterd_cuts_total")]
            found["duplicates"] = int(sum(self.metrics("meterd_events_duplicate_total")))
            found["rows_settled"] = int(sum(self.metrics("meterd_sink_rows_total")))
            found["dedup_keys"] = sum(self.metrics("meterd_dedup_keys"))
            found["dedup_bytes"] = sum(self.metrics("meterd_dedup_memory_bytes"))
            found["huge_page_bytes"] = self.huge_pages()
            found["exact"] = self.is_exact()
            return found
        finally:
            self.stop()

    def is_settled(self, status):
        rows = status["sinks"][0]["rows"]
        if any(rows.values()) or status["sinks"][0]["oldest_unsettled_age_seconds"] > 0:
            return False
        return self.expect is None or self.is_exact()

    def settled_totals(self):
        totals = defaultdict(int)
        if self.fake:
            for row in json.loads(get(f"http://127.0.0.1:{self.fake_port}/_fake/totals"))["totals"]:
                totals[row["customer"], row["meter"]] += exact(row["value"])
            return totals
        keys = set()
        with open(self.rows) as file:
            for text in file:
                row = json.loads(text)
                if row["key"] not in keys:
                    keys.add(row["key"])
                    totals[row["customer"], row["meter"]] += exact(row["value"])
        return totals

    def is_exact(self):
        with open(self.expect) as file:
            expected = {(t["customer"], t["feature"]): exact(t["quantity"]) for t in json.load(file)["totals"]}
        return dict(self.settled_totals()) == expected

    def until_cut(self):
        """Every event counted or quarantined, and in a cut; with what was quarantined, by reason."""
        self.start()
        try:
            start = self.wait_for_first_event()
            while sum(p["head"] for p in self.status()["partitions"]) < self.events:
                time.sleep(POLL_SECONDS)
            cut = self.phase(time.monotonic(), start)
            reasons = defaultdict(int)
            text = get(f"http://127.0.0.1:{self.port}/metrics")
            for reason, count in re.findall(r'^meterd_events_quarantined_total{[^}]*reason="(\w+)"[^}]*} (\S+)$', text, re.M):
                reasons[reason] += int(float(count))
            return {"cut": cut, "quarantined": dict(reasons)}
        finally:
            self.stop()

    def until_counted(self):
        self.start()
        try:
            # Before there are partitions: each takes the memory of its backlog's keys before it counts.
            while not self.status():
                time.sleep(POLL_SECONDS)
            before = self.usage()
            while sum(p["position"] for p in self.status()["partitions"]) < self.events:
                time.sleep(POLL_SECONDS)
            time.sleep(2)  # what was fetched ahead is let go
            return {**self.usage(), "rss_before_bytes": before["rss_bytes"],
                    "open_rows": sum(self.metrics("meterd_open_rows")),
                    "dedup_keys": sum(self.metrics("meterd_dedup_keys")),
                    "dedup_bytes": sum(self.metrics("meterd_dedup_memory_bytes"))}
        finally:
            self.stop()

    def profile(self):
        """The costliest functions while it counts, by perf."""
        self.start()
        data = f"{self.folder}/perf"
        try:
            self.wait_for_first_event()
            perf = subprocess.Popen(["perf", "record", "-q", "-F", "999", "-o", data, "-p", str(self.daemon.pid)])
            while sum(p["position"] for p in self.status()["partitions"]) < self.events:
                time.sleep(POLL_SECONDS)
            perf.terminate()
            perf.wait()
            report = subprocess.run(["perf", "report", "-i", data, "--stdio", "--percent-limit", "0.5", "--sort", "dso,symbol"],
                                    capture_output=True, text=True)
            return subprocess.run(["swift", "demangle", "--simplified"], input=report.stdout, capture_output=True,
                                  text=True).stdout
        finally:
            self.stop()
