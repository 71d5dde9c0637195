// swift-tools-version: 6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: swiftSettings)
}

func system(_ name: String, _ pkgConfig: String, _ package: String) -> Target {
  .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

let package = Package(
  name: "meterd",
  products: [
    .executable(name: "meterd", targets: ["meterd"]),
    .library(name: "Metering", targets: ["Metering"]),
    .library(name: "MeterdKit", targets: ["Kafka", "LMDB", "HTTP", "Storage", "Billing", "Daemon", "ProviderFakes"]),
  ],
  targets: [
    // Debian's C libraries.
    system("CRdkafka", "rdkafka", "librdkafka-dev"),
    system("CLMDB", "lmdb", "liblmdb-dev"),
    system("CCurl", "libcurl", "libcurl4-openssl-dev"),
    system("CMicroHTTPD", "libmicrohttpd", "libmicrohttpd-dev"),
    system("CYAML", "yaml-0.1", "libyaml-dev"),
    system("CCrypto", "libcrypto", "libssl-dev"),
    // Instructions that Swift cannot spell.
    .target(name: "CHotPath"),

    // Wrappers: they know nothing of metering.
    library("Kafka", ["CRdkafka"]),
    library("LMDB", ["CLMDB"]),
    library("HTTP", ["CCurl", "CMicroHTTPD", "CCrypto"]),

    // The core and what stands on it. Arrows run down only (Tests/ArchitectureTests).
    .target(
      name: "Metering", dependencies: ["CHotPath"],
      exclude: ["Decode/DECODING.md", "Ledger/LEDGER-FORMAT.md"], swiftSettings: swiftSettings),
    library("Storage", ["Metering", "LMDB"]),
    .target(
      name: "Billing", dependencies: ["Metering", "HTTP"], exclude: ["Providers/WEBHOOK.md"],
      swiftSettings: swiftSettings),
    library("Daemon", ["Metering", "Storage", "Billing", "Kafka"]),
    library("Operations", ["Metering", "Storage", "Billing", "Daemon", "Kafka", "HTTP", "CYAML"]),
    library("ProviderFakes", ["HTTP"]),
    .executableTarget(
      name: "meterd",
      dependencies: [
        "Metering", "Storage", "Billing", "Daemon", "Operations", "ProviderFakes", "Kafka", "LMDB", "HTTP",
      ],
      swiftSettings: swiftSettings),

    tests("ArchitectureTests", []),
    tests("KafkaTests", ["Kafka"]),
    tests("LMDBTests", ["LMDB"]),
    // What tests of several rooms need.
    .target(name: "TestSupport", dependencies: ["HTTP"], path: "Tests/TestSupport", swiftSettings: swiftSettings),
    tests("HTTPTests", ["HTTP", "TestSupport"]),
    tests("MeteringTests", ["Metering", "TestSupport"]),
    tests("StorageTests", ["Storage", "Metering", "LMDB"]),
    tests("BillingTests", ["Billing", "Metering", "HTTP", "ProviderFakes", "TestSupport"]),
    tests("DaemonTests", ["Daemon", "Metering", "Storage", "Billing", "Kafka", "HTTP", "ProviderFakes"]),
    .testTarget(
      name: "OperationsTests",
      dependencies: ["Operations", "Daemon", "Metering", "Billing", "Kafka", "HTTP", "ProviderFakes", "meterd"],
      swiftSettings: swiftSettings + [.define("COMMAND_LINE_TESTS")]),
    tests("ProviderFakesTests", ["ProviderFakes", "HTTP", "TestSupport"]),
    tests("Simulation", ["Metering", "Billing", "Storage"]),
    tests("EndToEndTests", ["Kafka", "HTTP", "ProviderFakes", "Metering", "TestSupport"]),
  ]
)
