/// Why a fold cannot go on: the partition fails closed. The fold is as it was before the record.
public struct LedgerFault: Error, Hashable, Sendable {
  /// Stable codes, as operators see them; `meterd ledger resolve` names one with its offset.
  public enum Reason: String, CaseIterable, Hashable, Sendable {
    /// Of another format version, or of a type that this meterd does not know.
    case unknownRecord = "ledger_unknown_record"
    /// The bytes are damaged: checksum, length or fields.
    case damagedRecord = "ledger_damaged_record"
    /// The first record that is read is not a GENESIS: the ledger's beginning is gone, and no snapshot was given.
    case genesisMissing = "ledger_genesis_missing"
    /// The GENESIS is of another partition.
    case genesisForeign = "ledger_genesis_foreign"
    /// A set that would stand lacks chunks.
    case setIncomplete = "ledger_set_incomplete"
    /// A set that would stand has other chunks than its SEAL says.
    case setDigestMismatch = "ledger_set_digest_mismatch"
    /// A set that would stand has its digest, and cannot be decoded or contradicts its SEAL.
    case setMalformed = "ledger_set_malformed"
    /// A CONFIG's rules, or GENESIS's, do not have the digest that it states, or cannot be decoded.
    case configurationMismatch = "ledger_configuration_mismatch"
    /// A cut or claim names a configuration that neither GENESIS nor a CONFIG holds.
    case configurationUnknown = "ledger_configuration_unknown"
    /// A claim's carry-in is not what is carried.
    case carryMismatch = "ledger_carry_mismatch"
    /// A claim's rows, skipped and carried parts are not what its cuts hold.
    case claimUnbalanced = "ledger_claim_unbalanced"
    /// A snapshot's bytes cannot be decoded.
    case snapshotMalformed = "ledger_snapshot_malformed"
  }

  public var reason: Reason
  /// The ledger offset of the record.
  public var offset: Int64
  /// What was found, for people.
  public var detail: String

  public init(_ reason: Reason, offset: Int64, detail: String) {
    self.reason = reason
    self.offset = offset
    self.detail = detail
  }

  init(_ error: LedgerCodecError, offset: Int64) {
    switch error {
    case .unknownVersion, .unknownType: self.init(.unknownRecord, offset: offset, detail: error.description)
    default: self.init(.damagedRecord, offset: offset, detail: error.description)
    }
  }
}

extension LedgerFault: CustomStringConvertible {
  public var description: String { "\(reason.rawValue) at ledger offset \(offset): \(detail)" }
}
