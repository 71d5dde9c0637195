// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "delivery-bench",
  dependencies: [.package(name: "meterd", path: "../..")],
  targets: [
    .target(name: "CAllocations"),
    .executableTarget(
      name: "delivery-bench",
      dependencies: [
        "CAllocations", .product(name: "Metering", package: "meterd"), .product(name: "MeterdKit", package: "meterd"),
      ],
      swiftSettings: [.swiftLanguageMode(.v6)]),
  ]
)
