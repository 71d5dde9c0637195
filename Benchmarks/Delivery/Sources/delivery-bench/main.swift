// The cost of a row from its cut to its settled state in the fold, by stage: `delivery-bench [ROWS] [ROUNDS] [REQUESTS]`. Then
// what a request costs on loopback: a webhook's full batch, and one of Stripe's size (REQUESTS: 0 leaves that out).

let rows = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 200_000
let rounds = CommandLine.arguments.dropFirst(2).first.flatMap { Int($0) } ?? 5
let workload = Workload(rows: rows)
var best: (stages: Stages, delivery: Delivery)?
for _ in 0..<rounds {
  let stages = Stages()
  var delivery = try Delivery(workload, stages)
  try delivery.run()
  if best.map({ stages.total(rows: rows) < $0.stages.total(rows: rows) }) ?? true { best = (stages, delivery) }
}
if let (stages, delivery) = best {
  print(
    "best of \(rounds) rounds, \(rows) rows in \(delivery.requests) requests, \(delivery.requestBytes / rows) bytes a row"
  )
  stages.print(rows: rows)
}
let requests = CommandLine.arguments.dropFirst(3).first.flatMap { Int($0) } ?? 50_000
if requests > 0 {
  try Requests.measure(count: max(1, requests / 10), bytes: 200_000, concurrency: 8)
  try Requests.measure(count: requests, bytes: 300, concurrency: 8)
}
